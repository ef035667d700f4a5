package io.wherry.sink.merge;

import io.wherry.contract.error.DataException;
import io.wherry.contract.name.TableId;
import io.wherry.contract.postgres.Lsn;
import io.wherry.sink.merge.Change.Kind;
import io.wherry.sink.state.BarrierProgress.Note;
import io.wherry.sink.state.Barriers;
import io.wherry.sink.state.Checkpoints.Move;
import io.wherry.sink.state.TableState;
import java.sql.Connection;
import java.sql.PreparedStatement;
import java.sql.ResultSet;
import java.sql.SQLException;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import org.postgresql.util.PSQLException;
import org.postgresql.util.ServerErrorMessage;

/** What one target transaction holds: changes by table, checkpoint moves, and the counts for {@code wherry.relation}. */
public final class ChangeBatch {
    // KEY SHARE: a new load of the table, which removes its rows, waits for this transaction; the counters of another
    // worker
    // on the same table do not.
    private static final String HOLD = """
            SELECT r.schema_name, r.table_name
              FROM wherry.relation r, unnest(?::text[], ?::text[], ?::int[]) AS u(schema_name, table_name, load_epoch)
             WHERE r.schema_name = u.schema_name AND r.table_name = u.table_name AND r.load_epoch = u.load_epoch
               AND r.ready_at IS NOT NULL AND r.stopped_because IS NULL
             ORDER BY r.schema_name, r.table_name FOR KEY SHARE OF r
            """;

    // In the same order by all workers. Counterexample: two tables with several partitions each, of which two workers
    // have a part
    // in their batches: one has counted a and waits for b, the other has counted b and waits for a.
    private static final String COUNT = """
            WITH counted AS (
              SELECT r.schema_name, r.table_name FROM wherry.relation r, unnest(?::text[], ?::text[]) AS n(schema_name, table_name)
               WHERE r.schema_name = n.schema_name AND r.table_name = n.table_name
               ORDER BY 1, 2 FOR NO KEY UPDATE OF r)
            UPDATE wherry.relation r SET inserts = r.inserts + u.inserts, updates = r.updates + u.updates,
                   deletes = r.deletes + u.deletes, truncates = r.truncates + u.truncates
              FROM unnest(?::text[], ?::text[], ?::bigint[], ?::bigint[], ?::bigint[], ?::bigint[])
                   AS u(schema_name, table_name, inserts, updates, deletes, truncates)
              JOIN counted USING (schema_name, table_name)
             WHERE r.schema_name = u.schema_name AND r.table_name = u.table_name
            """;

    /** Bytes of a value that takes so long on the target that other tables must not wait for it. */
    public static final int GIANT_BYTES = 4 << 20;

    private final Map<TableId, Part> parts = new LinkedHashMap<>();
    private final Set<TableId> giants = new HashSet<>();
    private final Map<TableState, DataException> refused = new LinkedHashMap<>();
    private int read;
    private long bytes;

    /**
     * One table's share.
     *
     * @param notes of partitions that have come to a barrier
     * @param ended sections of barriers of which this batch holds the last
     */
    public record Part(TableState relation, List<Change> changes, List<Move> moves, List<Note> notes, List<Lsn> ended) {
        Part(TableState relation) {
            this(relation, new ArrayList<>(), new ArrayList<>(), new ArrayList<>(), new ArrayList<>());
        }

        /** Whether it speaks of the table itself, not of checkpoints alone. */
        boolean holds() {
            return !(changes.isEmpty() && notes.isEmpty() && ended.isEmpty());
        }
    }

    public Part part(TableState relation) {
        return parts.computeIfAbsent(relation.table(), table -> new Part(relation));
    }

    /** A change of the table was read for it, of {@code length} bytes. */
    public void took(TableId table, int length) {
        read++;
        bytes += length;
        if (length >= GIANT_BYTES) {
            giants.add(table);
        }
    }

    public boolean hasGiant() {
        return !giants.isEmpty();
    }

    /** Takes out the tables that have giant values; empty when there are none. */
    public Optional<ChangeBatch> takeGiants() {
        ChangeBatch taken = new ChangeBatch();
        giants.stream().filter(parts::containsKey).forEach(table -> taken.parts.put(table, parts.remove(table)));
        giants.clear();
        return taken.parts.isEmpty() ? Optional.empty() : Optional.of(taken);
    }

    public Set<TableId> tables() {
        return Set.copyOf(parts.keySet());
    }

    /** Number of changes that were read for it, without those held back from an earlier batch. */
    public int read() {
        return read;
    }

    /** Bytes of the changes that were read for it. */
    public long bytes() {
        return bytes;
    }

    /** Takes the table out of it: one of its records cannot be applied. */
    public void refuse(TableState relation, DataException failure) {
        drop(relation.table());
        refused.put(relation, failure);
    }

    /** The tables that were taken out, which must be stopped. */
    public Map<TableState, DataException> refused() {
        return refused;
    }

    public Iterable<Part> parts() {
        return parts.values();
    }

    public void drop(TableId table) {
        parts.remove(table);
    }

    /** The table whose constraint refused, by what the server says of it; null when it is none of these. */
    public TableState violated(Exception failure) {
        ServerErrorMessage message = failure instanceof PSQLException e ? e.getServerErrorMessage() : null;
        if (message == null || message.getSchema() == null || message.getTable() == null) {
            return null;
        }
        Part part = parts.get(new TableId(message.getSchema(), message.getTable()));
        return part == null ? null : part.relation();
    }

    /** Whether there is nothing to write. */
    public boolean isEmpty() {
        return parts.values().stream()
                .noneMatch(part -> part.holds() || !part.moves().isEmpty());
    }

    public List<Move> moves() {
        return parts.values().stream().flatMap(part -> part.moves().stream()).toList();
    }

    /**
     * Makes sure that the tables stay as they are until the caller's transaction ends.
     *
     * @return tables whose changes may not be applied any more: stopped, or being loaded anew
     */
    public Set<TableId> hold(Connection target) throws SQLException {
        List<Part> held = parts.values().stream().filter(Part::holds).toList();
        Set<TableId> stale = new HashSet<>();
        if (held.isEmpty()) {
            return stale;
        }
        held.forEach(part -> stale.add(part.relation().table()));
        try (PreparedStatement statement = target.prepareStatement(HOLD)) {
            names(statement, held, 1);
            Object[] epochs =
                    held.stream().map(part -> part.relation().loadEpoch()).toArray();
            statement.setArray(3, target.createArrayOf("int4", epochs));
            try (ResultSet row = statement.executeQuery()) {
                while (row.next()) {
                    stale.remove(new TableId(row.getString(1), row.getString(2)));
                }
            }
        }
        return stale;
    }

    /** Writes which partitions wait at a barrier, and lets go on those that waited, within the caller's transaction. */
    public void pass(Barriers barriers) throws SQLException {
        for (Part part : parts.values()) {
            barriers.note(part.relation(), part.notes());
            for (Lsn section : part.ended()) {
                barriers.release(part.relation(), section);
            }
        }
    }

    /** Adds to the counters, within the caller's transaction. */
    public void count(Connection target) throws SQLException {
        List<Part> changed = changed();
        if (changed.isEmpty()) {
            return;
        }
        try (PreparedStatement statement = target.prepareStatement(COUNT)) {
            names(statement, changed, 1);
            names(statement, changed, 3);
            int index = 5;
            for (Kind kind : List.of(Kind.INSERT, Kind.UPDATE, Kind.DELETE, Kind.TRUNCATE)) {
                Object[] counts = changed.stream()
                        .map(part -> part.changes().stream()
                                .filter(change -> change.kind() == kind)
                                .count())
                        .toArray();
                statement.setArray(index++, target.createArrayOf("int8", counts));
            }
            statement.executeUpdate();
        }
    }

    private List<Part> changed() {
        return parts.values().stream().filter(part -> !part.changes().isEmpty()).toList();
    }

    private static void names(PreparedStatement statement, List<Part> parts, int index) throws SQLException {
        Connection target = statement.getConnection();
        Object[] schemas =
                parts.stream().map(part -> part.relation().table().schema()).toArray();
        Object[] tables =
                parts.stream().map(part -> part.relation().table().table()).toArray();
        statement.setArray(index, target.createArrayOf("text", schemas));
        statement.setArray(index + 1, target.createArrayOf("text", tables));
    }
}
