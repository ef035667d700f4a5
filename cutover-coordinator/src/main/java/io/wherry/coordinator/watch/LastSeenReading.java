package io.wherry.coordinator.watch;

import io.wherry.contract.config.Flow;
import io.wherry.contract.name.TableId;
import io.wherry.contract.postgres.Catalog;
import io.wherry.contract.postgres.Lsn;
import io.wherry.contract.postgres.Sessions;
import io.wherry.contract.record.LastSeen;
import io.wherry.contract.record.LastSeen.Sequence;
import io.wherry.coordinator.sql.Queries;
import java.sql.Connection;
import java.sql.SQLException;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.stream.Collectors;
import java.util.stream.IntStream;

/** Reads on the source what no stream carries, without waiting long for anything there. */
public final class LastSeenReading {
    private static final String SEQUENCES = """
            SELECT n.nspname, c.relname FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
             WHERE c.relkind = 'S' AND c.relpersistence <> 't' AND n.nspname NOT LIKE 'pg\\_%' AND n.nspname <> 'wherry'
               AND CASE c.relkind WHEN 'S' THEN has_schema_privilege(n.oid, 'USAGE') AND has_sequence_privilege(c.oid, 'SELECT') END
             ORDER BY 1, 2
            """;
    private static final String LIMITS = "SET lock_timeout = '200ms'; SET statement_timeout = '10s'";
    /** Sequences of one statement: a statement locks what it reads until its end. */
    private static final int AT_ONCE = 200;

    /** Many locked sequences, each with its wait, must not keep a session open for minutes. */
    private static final Duration LONGEST = Duration.ofSeconds(20);

    private static final String LOCKED = "55P03";
    private static final String DROPPED = "42P01|3F000";

    private LastSeenReading() {}

    /** What there is now, as a whole record. Limits the session's statements to ten seconds. */
    public static LastSeen read(Flow flow, Connection source) throws SQLException {
        Queries.execute(source, LIMITS);
        Lsn lsn = Lsn.parse(Queries.string(source, "SELECT pg_catalog.pg_current_wal_insert_lsn()::text")
                .orElseThrow());
        long millis = Queries.number(source, "SELECT (extract(epoch FROM clock_timestamp()) * 1000)::bigint");
        List<Sequence> values = new ArrayList<>();
        List<TableId> unread = new ArrayList<>();
        List<TableId> all = Queries.list(source, row -> new TableId(row.getString(1), row.getString(2)), SEQUENCES);
        long deadline = System.nanoTime() + LONGEST.toNanos();
        for (int from = 0; from < all.size(); from += AT_ONCE) {
            List<TableId> some = all.subList(from, Math.min(all.size(), from + AT_ONCE));
            if (System.nanoTime() - deadline < 0) {
                read(source, some, values, unread, deadline);
            } else {
                unread.addAll(some);
            }
        }
        List<TableId> extensions = Catalog.ofExtensions(source).stream()
                .map(table -> table.table().id())
                .filter(flow.migration().tables()::selects)
                .toList();
        // Not their number: counting millions of them takes long.
        boolean largeObjects = Queries.truth(source, "SELECT EXISTS (SELECT FROM pg_catalog.pg_largeobject_metadata)");
        return new LastSeen(flow.generation(), lsn, millis, true, values, unread, largeObjects, extensions);
    }

    /** One sequence that is locked, or dropped by now, must not keep the others from being read. */
    private static void read(
            Connection source, List<TableId> some, List<Sequence> values, List<TableId> unread, long deadline)
            throws SQLException {
        String sql = IntStream.range(0, some.size())
                .mapToObj(i -> "SELECT " + i + ", last_value, is_called FROM "
                        + some.get(i).quoted())
                .collect(Collectors.joining(" UNION ALL "));
        try {
            values.addAll(Queries.list(
                    source, row -> new Sequence(some.get(row.getInt(1)), row.getLong(2), row.getBoolean(3)), sql));
        } catch (SQLException e) {
            String state = Sessions.state(e);
            if (!state.matches(LOCKED + "|" + DROPPED)) {
                throw e;
            }
            if (some.size() > 1 && System.nanoTime() - deadline > 0) {
                unread.addAll(some);
            } else if (some.size() > 1) {
                int half = some.size() / 2;
                read(source, some.subList(0, half), values, unread, deadline);
                read(source, some.subList(half, some.size()), values, unread, deadline);
            } else if (state.equals(LOCKED)) {
                unread.addAll(some);
            }
        }
    }
}
