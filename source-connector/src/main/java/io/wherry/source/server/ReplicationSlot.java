package io.wherry.source.server;

import io.wherry.contract.name.Identifiers;
import io.wherry.contract.postgres.Lsn;
import io.wherry.contract.postgres.ServerVersion;
import java.sql.Connection;
import java.sql.PreparedStatement;
import java.sql.ResultSet;
import java.sql.SQLException;
import java.sql.Statement;
import java.util.Optional;

/** A logical replication slot, made and looked at. */
public final class ReplicationSlot {
    public static final String PLUGIN = "pgoutput";

    private ReplicationSlot() {}

    /**
     * A snapshot that the session which made the slot exports, until its next command or its end.
     *
     * @param consistentPoint where the slot begins
     */
    public record Exported(Lsn consistentPoint, String snapshot) {
        /**
         * The last commit LSN that the snapshot can hold. Not the consistent point itself: that is the end of the WAL record which
         * completed the snapshot, so the very next record may be a COMMIT that begins exactly there. Its transaction
         * is in the stream with a commit LSN equal to the consistent point, and it is not in the snapshot.
         */
        public Lsn snapshotLsn() {
            return new Lsn(consistentPoint.value() - 1);
        }
    }

    /**
     * @param database it belongs to; empty for a physical slot
     * @param walStatus {@code lost} = the server has given it up; null before 13
     * @param invalidation why it has; null before 17
     */
    public record State(
            String plugin, String database, boolean active, Lsn confirmedFlush, String walStatus, String invalidation) {
        /** Why it is lost, naming the setting. */
        public String lostBecause() {
            return "idle_timeout".equals(invalidation)
                    ? "nobody read it for longer than the source allows (idle_replication_slot_timeout)"
                    : "the server removed WAL that it needs (max_slot_wal_keep_size)";
        }

        public boolean lost() {
            return "lost".equals(walStatus);
        }
    }

    /**
     * Makes a slot. Waits for every transaction that is running and has written, as long as it takes.
     *
     * @param replication session for the replication protocol
     * @param temporary dropped at the session's end
     */
    public static Exported create(Connection replication, String name, boolean temporary) throws SQLException {
        String export = ServerVersion.major(replication) >= 15 ? "(SNAPSHOT 'export')" : "EXPORT_SNAPSHOT";
        String command = "CREATE_REPLICATION_SLOT " + Identifiers.quote(name) + (temporary ? " TEMPORARY" : "")
                + " LOGICAL " + PLUGIN + " " + export;
        try (Statement statement = replication.createStatement();
                ResultSet row = statement.executeQuery(command)) {
            row.next();
            return new Exported(Lsn.parse(row.getString("consistent_point")), row.getString("snapshot_name"));
        }
    }

    public static Optional<State> find(Connection session, String name) throws SQLException {
        String walStatus = ServerVersion.major(session) >= 13 ? "wal_status" : "NULL::text";
        String invalidation = ServerVersion.major(session) >= 17 ? "invalidation_reason" : "NULL::text";
        try (PreparedStatement statement = session.prepareStatement("SELECT coalesce(plugin, '') AS plugin,"
                + " coalesce(database, '') AS database, active, confirmed_flush_lsn::text AS flushed, "
                + walStatus + " AS wal_status, " + invalidation
                + " AS invalidation FROM pg_catalog.pg_replication_slots WHERE slot_name = ?")) {
            statement.setString(1, name);
            try (ResultSet row = statement.executeQuery()) {
                if (!row.next()) {
                    return Optional.empty();
                }
                String flushed = row.getString("flushed");
                return Optional.of(new State(
                        row.getString("plugin"),
                        row.getString("database"),
                        row.getBoolean("active"),
                        flushed == null ? Lsn.ZERO : Lsn.parse(flushed),
                        row.getString("wal_status"),
                        row.getString("invalidation")));
            }
        }
    }

    /** Ends the session that reads the slot, if there is one and it is our role's. */
    public static void endReader(Connection session, String name) throws SQLException {
        try (PreparedStatement statement = session.prepareStatement("SELECT pg_catalog.pg_terminate_backend(a.pid)"
                + " FROM pg_catalog.pg_replication_slots s JOIN pg_catalog.pg_stat_activity a ON a.pid = s.active_pid"
                + " WHERE s.slot_name = ? AND a.usename = session_user")) {
            statement.setString(1, name);
            statement.execute();
        }
    }

    public static void drop(Connection session, String name) throws SQLException {
        try (PreparedStatement statement = session.prepareStatement("SELECT pg_catalog.pg_drop_replication_slot(?)")) {
            statement.setString(1, name);
            statement.execute();
        }
    }
}
