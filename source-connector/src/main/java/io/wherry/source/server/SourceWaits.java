package io.wherry.source.server;

import io.wherry.contract.config.Migration;
import io.wherry.contract.postgres.Sessions;
import java.sql.Connection;
import java.sql.PreparedStatement;
import java.sql.ResultSet;
import java.sql.SQLException;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;

/**
 * For which sessions Wherry's sessions wait on the source. The slot waits for every transaction that has written before it. Readers
 * of the load wait for locked tables.
 */
public final class SourceWaits {
    private static final String WAITS = "SELECT ours.purpose, b.pid, " + Holder.COLUMNS + """
                   , (SELECT string_agg(t.name, ', ') FROM (SELECT DISTINCT l.relation::regclass::text AS name FROM pg_locks l
                       WHERE l.locktype = 'relation' AND l.relation >= 16384
                         AND (l.pid = b.pid OR b.pid = 0 AND l.pid IS NULL AND l.virtualtransaction = x.virtualtransaction)
                         AND l.mode NOT IN ('AccessShareLock', 'RowShareLock')
                         AND l.database = (SELECT oid FROM pg_database WHERE datname = current_database())
                       ORDER BY 1 LIMIT 5) t) AS tables
              FROM (SELECT substr(application_name, length(?) + 1) AS purpose, pid FROM pg_stat_activity
                     WHERE datname = current_database() AND usename = current_user AND wait_event_type = 'Lock'
                       AND wait_event <> 'advisory' AND left(application_name, length(?)) = ?) ours
              CROSS JOIN LATERAL unnest(pg_blocking_pids(ours.pid)) AS b(pid)
              LEFT JOIN pg_stat_activity a ON a.pid = b.pid
              LEFT JOIN\s""" + Holder.PREPARED + """
                   x ON b.pid = 0 AND EXISTS (
                     SELECT FROM pg_locks w JOIN pg_locks h ON h.granted AND h.locktype = w.locktype
                        AND h.virtualtransaction = x.virtualtransaction
                        AND (h.database, h.relation, h.transactionid::text)
                            IS NOT DISTINCT FROM (w.database, w.relation, w.transactionid::text)
                      WHERE w.pid = ours.pid AND NOT w.granted)
             ORDER BY ours.purpose, coalesce(a.xact_start, x.prepared)
            """;

    private static final String OLDEST = "SELECT coalesce(a.pid, 0) AS pid, " + Holder.COLUMNS + """
              FROM pg_stat_activity a FULL JOIN pg_prepared_xacts x ON false
             WHERE (a.backend_xid IS NOT NULL OR x.gid IS NOT NULL) AND a.pid IS DISTINCT FROM pg_backend_pid()
             ORDER BY coalesce(a.xact_start, x.prepared) LIMIT 1
            """;

    private SourceWaits() {}

    /** One line for each wait. */
    public static List<String> read(Connection session, Migration migration) throws SQLException {
        List<String> lines = new ArrayList<>();
        String ours = Sessions.APPLICATION + migration.name() + " ";
        try (PreparedStatement statement = session.prepareStatement(WAITS)) {
            statement.setString(1, ours);
            statement.setString(2, ours);
            statement.setString(3, ours);
            try (ResultSet row = statement.executeQuery()) {
                while (row.next()) {
                    Holder holder = Holder.read(row, row.getInt("pid"), row.getString("tables"));
                    String line = text(row.getString("purpose")) + " waits for " + holder.text();
                    if (!lines.contains(line)) {
                        lines.add(line);
                    }
                }
            }
        }
        return lines;
    }

    private static String text(String purpose) {
        return purpose.equals("slot")
                ? "creating the replication slot, which needs the end of every transaction that has written before it,"
                : "the session for " + purpose;
    }

    /** The oldest transaction that has written. */
    public static Optional<Holder> oldest(Connection session) throws SQLException {
        try (PreparedStatement statement = session.prepareStatement(OLDEST);
                ResultSet row = statement.executeQuery()) {
            return row.next() ? Optional.of(Holder.read(row, row.getInt("pid"), null)) : Optional.empty();
        }
    }
}
