package io.wherry.source.server;

import io.wherry.contract.name.TableId;
import java.sql.Connection;
import java.sql.PreparedStatement;
import java.sql.ResultSet;
import java.sql.SQLException;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.function.Function;

/** Which sessions use the tables of the source now. */
final class LockHolders {
    private static final String HOLDERS = "SELECT l.pid, " + Holder.COLUMNS + """
              FROM pg_locks l LEFT JOIN pg_stat_activity a ON a.pid = l.pid
              LEFT JOIN\s""" + Holder.PREPARED + """
                   x ON l.pid IS NULL AND l.virtualtransaction = x.virtualtransaction
             WHERE l.locktype = 'relation' AND l.granted AND l.relation = to_regclass(?) AND l.pid IS DISTINCT FROM pg_backend_pid()
               AND l.database = (SELECT oid FROM pg_database WHERE datname = current_database())
               AND (? OR l.mode IN ('ShareUpdateExclusiveLock', 'ShareLock', 'ShareRowExclusiveLock', 'ExclusiveLock',
                                    'AccessExclusiveLock'))
             ORDER BY x.prepared, a.xact_start LIMIT 1
            """;

    private static final String USE = """
            SELECT l.relation::bigint, count(*) FROM pg_locks l WHERE l.locktype = 'relation' AND l.pid <> pg_backend_pid()
               AND l.database = (SELECT oid FROM pg_database WHERE datname = current_database()) GROUP BY 1
            """;

    private LockHolders() {}

    /**
     * The holder of a conflicting lock whose transaction is the oldest.
     *
     * @param exclusive whether every lock conflicts; else only the locks of VACUUM and of DDL
     */
    static Optional<Holder> of(Connection source, TableId table, boolean exclusive) throws SQLException {
        try (PreparedStatement statement = source.prepareStatement(HOLDERS)) {
            statement.setString(1, table.quoted());
            statement.setBoolean(2, exclusive);
            try (ResultSet row = statement.executeQuery()) {
                return row.next() ? Optional.of(Holder.read(row, row.getInt(1), null)) : Optional.empty();
            }
        }
    }

    static boolean exists(Connection source, TableId table) throws SQLException {
        try (PreparedStatement statement = source.prepareStatement("SELECT to_regclass(?) IS NOT NULL")) {
            statement.setString(1, table.quoted());
            try (ResultSet row = statement.executeQuery()) {
                return row.next() && row.getBoolean(1);
            }
        }
    }

    /** The same tables; the tables with the fewest locks now come first. */
    static <T> List<T> byContention(Connection source, List<T> tables, Function<T, Long> oid) throws SQLException {
        if (tables.size() < 2) {
            return tables;
        }
        Map<Long, Long> use = new HashMap<>();
        try (PreparedStatement statement = source.prepareStatement(USE);
                ResultSet row = statement.executeQuery()) {
            while (row.next()) {
                use.put(row.getLong(1), row.getLong(2));
            }
        }
        List<T> ordered = new ArrayList<>(tables);
        ordered.sort(Comparator.comparing(one -> use.getOrDefault(oid.apply(one), 0L)));
        return ordered;
    }
}
