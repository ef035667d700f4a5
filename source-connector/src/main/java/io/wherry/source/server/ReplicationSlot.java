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

/** Creates, finds and drops logical replication slots. */
public final class ReplicationSlot {
    public static final String PLUGIN = "pgoutput";

    private ReplicationSlot() {}

    /**
     * A snapshot that the session that created the slot exports, until the session's next command or end.
     *
     * @param consistentPoint where the slot starts
     */
    public record Exported(Lsn consistentPoint, String snapshot) {
        /**
         * The last commit LSN that the snapshot can hold. The consistent point itself is too high: it is the end of the WAL record
         * that completed the snapshot, so the next record may be a COMMIT that starts exactly there. The transaction of that COMMIT
         * is in the stream, with a commit LSN equal to the consistent point, and it is not in the snapshot.
         */
        public Lsn snapshotLsn() {
            return new Lsn(consistentPoint.value() - 1);
        }
    }

    /**
     * @param database of the slot; empty for a physical slot
     * @param walStatus {@code lost} = the server has invalidated the slot; null before 13
     * @param invalidation why the server has invalidated the slot; null before 17
     */
    public record State(
            String plugin, String database, boolean active, Lsn confirmedFlush, String walStatus, String invalidation) {
        /** Why the slot is lost, with the setting. */
        public String lostBecause() {
            return "idle_timeout".equals(invalidation)
                    ? "it was not read for longer than the source allows (idle_replication_slot_timeout)"
                    : "the server removed WAL that the slot needs (max_slot_wal_keep_size)";
        }

        public boolean lost() {
            return "lost".equals(walStatus);
        }
    }

    /**
     * Creates a slot. Waits, without a limit, for every running transaction that has written.
     *
     * @param replication session for the replication protocol
     * @param temporary whether the slot is dropped at the end of the session
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

    /** Ends the session that reads the slot, if there is one and it belongs to Wherry's role. */
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
