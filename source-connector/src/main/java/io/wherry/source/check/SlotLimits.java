package io.wherry.source.check;

import io.wherry.contract.error.Finding;
import io.wherry.contract.postgres.ServerVersion;
import java.sql.Connection;
import java.sql.ResultSet;
import java.sql.SQLException;
import java.sql.Statement;
import java.util.ArrayList;
import java.util.List;

/** The part of the preflight that checks the settings by which the source invalidates a slot, and with it the migration. */
final class SlotLimits {
    private static final int KEEP_SINCE = 13;
    private static final int RATE_SINCE = 14;
    private static final int IDLE_SINCE = 18;
    private static final double ENOUGH_HOURS = 72;

    // Averages of less than an hour say little.
    private static final String RATE = """
            SELECT wal_bytes / extract(epoch FROM now() - stats_reset) * 3600 FROM pg_stat_wal
             WHERE stats_reset < now() - interval '1 hour' AND wal_bytes > 0
            """;

    private SlotLimits() {}

    static List<Finding> check(Connection session) throws SQLException {
        int major = ServerVersion.major(session);
        List<Finding> findings = new ArrayList<>();
        Double keep = major < KEEP_SINCE
                ? null
                : number(
                        session,
                        "SELECT setting::float8 * 1048576 FROM pg_settings WHERE name = 'max_slot_wal_keep_size'"
                                + " AND setting::bigint >= 0");
        if (keep != null) {
            Double rate = major < RATE_SINCE ? null : number(session, RATE);
            keepSize(session, keep, rate, findings);
        }
        Double idle = major < IDLE_SINCE
                ? null
                : number(
                        session,
                        "SELECT setting::float8 FROM pg_settings WHERE name = 'idle_replication_slot_timeout'"
                                + " AND setting <> '0'");
        if (idle != null) {
            findings.add(Finding.warning(
                    "idle_replication_slot_timeout",
                    "is " + text(session, "idle_replication_slot_timeout")
                            + ": if the source-connector is stopped for longer, the source invalidates the slot, and all"
                            + " tables must be re-loaded",
                    "Until the migration has ended: ALTER SYSTEM SET idle_replication_slot_timeout = 0; SELECT"
                            + " pg_reload_conf()"));
        }
        return findings;
    }

    private static void keepSize(Connection session, double keep, Double rate, List<Finding> findings)
            throws SQLException {
        String size = text(session, "max_slot_wal_keep_size");
        Double hours = rate == null ? null : keep / rate;
        String lasts = hours == null
                ? "if more WAL is written while the source-connector is stopped or a transaction is open,"
                : "if the source-connector is stopped, or a transaction is open, for longer than "
                        + (hours < 2 ? Math.round(hours * 60) + " minutes" : Math.round(hours) + " hours")
                        + " (at the average rate of WAL),";
        String problem =
                "is " + size + ": " + lasts + " the source invalidates the slot, and all tables must be re-loaded";
        if (hours != null && hours > ENOUGH_HOURS) {
            findings.add(Finding.info("max_slot_wal_keep_size", problem));
        } else {
            findings.add(Finding.warning(
                    "max_slot_wal_keep_size",
                    problem,
                    "Until the migration has ended: ALTER SYSTEM SET max_slot_wal_keep_size = -1; SELECT"
                            + " pg_reload_conf(), and watch the free disk"));
        }
    }

    private static String text(Connection session, String setting) throws SQLException {
        try (Statement statement = session.createStatement();
                ResultSet row = statement.executeQuery("SELECT current_setting('" + setting + "')")) {
            row.next();
            return row.getString(1);
        }
    }

    private static Double number(Connection session, String sql) throws SQLException {
        try (Statement statement = session.createStatement();
                ResultSet row = statement.executeQuery(sql)) {
            return row.next() ? row.getObject(1) == null ? null : Double.valueOf(row.getString(1)) : null;
        }
    }
}
