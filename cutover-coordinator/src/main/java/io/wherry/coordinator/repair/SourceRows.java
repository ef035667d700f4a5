package io.wherry.coordinator.repair;

import io.wherry.contract.name.Remedies;
import io.wherry.contract.name.TableId;
import io.wherry.contract.postgres.ReplicaIdentity;
import io.wherry.contract.postgres.ServerVersion;
import io.wherry.contract.postgres.Sessions;
import io.wherry.contract.record.Repair;
import io.wherry.contract.record.Repair.Address;
import io.wherry.contract.record.Repair.Column;
import io.wherry.contract.record.Repair.Relation;
import io.wherry.contract.record.Repair.Row;
import io.wherry.contract.record.RepairSecret;
import io.wherry.coordinator.repair.Sending.Later;
import io.wherry.coordinator.repair.Sending.Refused;
import io.wherry.coordinator.repair.Sending.Sent;
import io.wherry.coordinator.sql.Queries;
import java.sql.Array;
import java.sql.Connection;
import java.sql.SQLException;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.HashSet;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.Optional;
import java.util.Set;

/**
 * Puts rows of the source into the stream as they are ({@link Repair}), in one short transaction: lock the rows, read them, write the
 * message, commit.
 *
 * <p><b>Why the rows are locked.</b> A message stands in the stream where its transaction commits, and the target's row is made what
 * the message says. Counterexample without the lock: the row is read as v; an application writes w and commits; the message with v is
 * committed. The target applies w, then v. It keeps v until the row changes again.
 *
 * <p>With {@code FOR SHARE} nobody changes or deletes the row from the read to the end of this transaction. So all changes before
 * are in what was read, and committed before; all later ones commit after. {@code FOR KEY SHARE} would not do, because it lets others
 * update columns that are in no key.
 *
 * <p><b>A row that does not exist</b> cannot be locked, so an insert of its key may commit between the last look and the message. Then
 * the target loses the row. The caller looks again after the commit, and has the key compared after the message.
 *
 * <p>While this session waits for one lock, applications wait for those that it has: for {@value #LOCK_MILLIS} ms, and for {@value
 * #LOCKS_MILLIS} ms in all. Then they wait while the rows are read and sent back: {@value #TOGETHER_BYTES} bytes of rows, or one larger
 * row. No limit interrupts a server that cannot get rid of its answer, so a large row of a slow link is locked as long as the link
 * needs. A session that stops in between is ended by its server.
 */
public final class SourceRows {
    static final int LOCK_MILLIS = 100;
    static final int LOCKS_MILLIS = 500;
    /** Of all rows of a message; a larger row is the only one of its message. */
    static final int TOGETHER_BYTES = 1 << 20;

    // The commit waits for no standby: a standby that does not answer would keep the rows locked.
    private static final String LIMITS = "SELECT set_config('lock_timeout', '" + LOCK_MILLIS + "', true),"
            + " set_config('statement_timeout', '" + LOCKS_MILLIS
            + "', true), set_config('synchronous_commit', 'local', true),"
            + " set_config('idle_in_transaction_session_timeout', '2000', true)";
    /** A row may be large, and the way to the source long. A transaction that comes to this limit has kept rows locked. */
    private static final String LOCKED = "SELECT set_config('statement_timeout', '5000', true)";

    private static final String RELATION = """
            SELECT a.attname, a.atttypid::bigint, a.atttypmod, n.nspname, c.relname, pg_current_xact_id()::text,
                   CASE c.relkind WHEN 'p' THEN '%s' ELSE c.relreplident::text END,
                   CASE WHEN c.relkind <> 'p' AND c.relreplident = 'i' THEN %s ELSE %s END
              FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace JOIN pg_attribute a ON a.attrelid = c.oid
             WHERE c.oid = CAST(? AS oid) AND a.attnum > 0 AND NOT a.attisdropped AND a.attgenerated = ''
             ORDER BY a.attnum
            """;
    private static final String EMIT =
            "SELECT pg_logical_emit_message(true, '" + Repair.PREFIX + "', CAST(? AS bytea))::text";

    // PostgreSQL's documentation, appendix A: lock not available, canceled by the time limit, serialization failures
    // and deadlocks.
    private static final String CANCELED = "57014";
    private static final Set<String> LATER = Set.of("55P03", CANCELED, "40P01", "40001");
    private static final String NO_RIGHT = "42501";
    private static final String READ_ONLY = "25006";
    /** Syntax and names, values, limits of the server. */
    private static final Set<String> REFUSED = Set.of("42", "22", "54");

    private final Connection source;
    private final RepairedTable table;

    /** @param source in auto-commit mode */
    public SourceRows(Connection source, RepairedTable table) {
        this.source = source;
        this.table = table;
    }

    /** A row that is locked. */
    private record Locked(boolean wanted, long bytes) {}

    /** The table's columns, and the number of the transaction that holds them. */
    private record Held(Relation relation, List<String> columns, long transaction) {}

    /**
     * Sends the rows of these keys, as many as a message holds.
     *
     * @throws SQLException when the source fails; then it is not known whether the message was sent
     */
    public Sending send(List<List<String>> keys, RepairSecret secret, String migration, int generation)
            throws SQLException {
        source.setAutoCommit(false);
        try {
            Sending sending = sendLocked(keys, secret, migration, generation);
            if (sending instanceof Sent) {
                source.commit();
            }
            return sending;
        } catch (SQLException e) {
            return explain(e);
        } finally {
            if (!source.isClosed()) {
                source.rollback();
                source.setAutoCommit(true);
            }
        }
    }

    private Sending sendLocked(List<List<String>> keys, RepairSecret secret, String migration, int generation)
            throws SQLException {
        Queries.list(source, row -> true, LIMITS);
        Queries.execute(source, table.hold());
        Optional<Held> found = held();
        if (found.isEmpty()) {
            return new Later("the table or its key on the source is another one than the proof knows");
        }
        Held held = found.get();
        Map<Integer, Locked> locked = new LinkedHashMap<>();
        List<Locked> others = Queries.list(
                source,
                row -> locked.put(row.getInt(1), new Locked(row.getBoolean(2), row.getLong(3))),
                table.lock(keys.size(), held.columns()),
                twice(keys));
        if (others.stream().anyMatch(Objects::nonNull)) {
            return new Refused("several rows of the source have one key");
        }
        Queries.list(source, row -> true, LOCKED);
        if (keys.size() > 1 && locked.values().stream().anyMatch(SourceRows::goesAlone)) {
            return new Later("a large row goes alone");
        }
        try {
            return sendHeld(keys, locked, held, secret, new Address(held.transaction(), migration, generation));
        } catch (SQLException e) {
            if (CANCELED.equals(Sessions.state(e))) {
                return keys.size() > 1
                        ? new Later("the source needs too long to read these rows together")
                        : new Refused("the source needs too long to read the row, which is locked meanwhile");
            }
            throw e;
        }
    }

    private Sending sendHeld(
            List<List<String>> keys, Map<Integer, Locked> locked, Held held, RepairSecret secret, Address address)
            throws SQLException {
        List<List<String>> sent = new ArrayList<>();
        List<List<String>> absent = new ArrayList<>();
        List<List<String>> tooLarge = new ArrayList<>();
        List<List<String>> whole = new ArrayList<>();
        List<Row> rows = new ArrayList<>();
        long bytes = 0;
        for (int i = 0; i < keys.size(); i++) {
            List<String> key = keys.get(i);
            Locked row = locked.get(i + 1);
            if (row == null || !row.wanted()) {
                rows.add(new Row(false, onlyKey(key, held)));
                sent.add(key);
                if (row == null) {
                    absent.add(key);
                }
            } else if (row.bytes() > Repair.MOST_ROW_BYTES) {
                tooLarge.add(key);
            } else if (keys.size() == 1 || bytes + row.bytes() <= TOGETHER_BYTES) {
                bytes += row.bytes();
                whole.add(key);
                sent.add(key);
            }
        }
        if (sent.isEmpty()) {
            return new Sent(sent, absent, tooLarge);
        }
        rows.addAll(read(whole, held));
        byte[] content = Repair.encode(secret, address, held.relation(), rows);
        if (content.length > Repair.MOST_BYTES) {
            // A row takes more bytes in UTF-8 than in the encoding of the source.
            return new Refused("the row is too large for a message; " + Remedies.reload(table.id()));
        }
        Queries.string(source, EMIT, (Object) content);
        return existing(absent).isEmpty()
                ? new Sent(sent, absent, tooLarge)
                : new Later("the row was inserted on the source meanwhile");
    }

    /** Together with others the source might need too long, and none of them would be sent. */
    private static boolean goesAlone(Locked row) {
        return row.wanted() && row.bytes() > TOGETHER_BYTES && row.bytes() <= Repair.MOST_ROW_BYTES;
    }

    /** Those of the keys that have a row now. */
    public Set<List<String>> existing(List<List<String>> keys) throws SQLException {
        Set<List<String>> existing = new HashSet<>();
        if (!keys.isEmpty()) {
            Queries.list(
                    source, row -> existing.add(keys.get(row.getInt(1) - 1)), table.exist(keys.size()), twice(keys));
        }
        return existing;
    }

    /** The rows are locked, so another statement reads the same. */
    private List<Row> read(List<List<String>> keys, Held held) throws SQLException {
        if (keys.isEmpty()) {
            return List.of();
        }
        return Queries.list(
                source,
                row -> {
                    String[] values = new String[held.columns().size()];
                    for (int i = 0; i < values.length; i++) {
                        values[i] = row.getString(i + 2);
                    }
                    return new Row(true, Arrays.asList(values));
                },
                table.read(keys.size(), held.columns()),
                twice(keys));
    }

    /**
     * The table as it is now; empty when its name, identity or key are not those of the comparison. Counterexample without that: the key
     * was changed to other columns a moment ago, and several rows have one value in the former ones.
     */
    private Optional<Held> held() throws SQLException {
        int major = ServerVersion.major(source);
        String query = RELATION.formatted(
                table.replicaIdentity(), ReplicaIdentity.namedIndex(major), ReplicaIdentity.primaryKey(major));
        List<Boolean> same = new ArrayList<>();
        List<Column> columns = new ArrayList<>();
        long[] transaction = new long[1];
        Queries.list(
                source,
                row -> {
                    String name = row.getString(1);
                    columns.add(new Column(name, table.identity().contains(name), row.getLong(2), row.getInt(3)));
                    transaction[0] = Long.parseLong(row.getString(6));
                    Array key = row.getArray(8);
                    return same.add(new TableId(row.getString(4), row.getString(5)).equals(table.id())
                            && row.getString(7).charAt(0) == table.replicaIdentity()
                            && key != null
                            && List.of((String[]) key.getArray()).equals(table.identity()));
                },
                query,
                table.oid());
        if (same.isEmpty() || same.contains(false)) {
            return Optional.empty();
        }
        Relation relation =
                new Relation(table.oid(), table.id().schema(), table.id().table(), table.replicaIdentity(), columns);
        return Optional.of(new Held(relation, columns.stream().map(Column::name).toList(), transaction[0]));
    }

    private List<String> onlyKey(List<String> key, Held held) {
        String[] values = new String[held.columns().size()];
        for (int i = 0; i < key.size(); i++) {
            values[held.columns().indexOf(table.identity().get(i))] = key.get(i);
        }
        return Arrays.asList(values);
    }

    /** The parameters of statements that name each key in their result and in their condition. */
    private static Object[] twice(List<List<String>> keys) {
        List<String> values = new ArrayList<>();
        keys.forEach(values::addAll);
        keys.forEach(values::addAll);
        return values.toArray();
    }

    private Sending explain(SQLException e) throws SQLException {
        String state = String.valueOf(Sessions.state(e));
        if (LATER.contains(state)) {
            return new Later("the row or its table is locked on the source");
        }
        if (state.equals(NO_RIGHT)) {
            return new Refused("the role of the source may not lock rows: GRANT SELECT, UPDATE ON "
                    + table.id().quoted() + " TO that role");
        }
        if (state.equals(READ_ONLY)) {
            return new Refused("the source is read-only");
        }
        if (state.length() > 2 && REFUSED.contains(state.substring(0, 2))) {
            // Not the server's words, which may hold values.
            return new Refused("the row cannot be read on the source, SQLSTATE " + state);
        }
        throw e;
    }
}
