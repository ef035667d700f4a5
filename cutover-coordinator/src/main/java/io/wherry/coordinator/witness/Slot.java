package io.wherry.coordinator.witness;

import io.wherry.contract.config.Flow;
import io.wherry.contract.error.ConfigurationException;
import io.wherry.contract.error.DataException;
import io.wherry.contract.error.RetryableException;
import io.wherry.contract.error.WherryException;
import io.wherry.contract.name.Identifiers;
import io.wherry.contract.postgres.Lsn;
import io.wherry.contract.postgres.Sessions;
import io.wherry.contract.service.Resources;
import io.wherry.coordinator.sql.Queries;
import java.sql.Connection;
import java.sql.ResultSet;
import java.sql.SQLException;
import java.sql.Statement;
import java.util.concurrent.TimeUnit;
import org.postgresql.PGConnection;
import org.postgresql.replication.LogSequenceNumber;
import org.postgresql.replication.PGReplicationStream;

/** The temporary slot: it lives and ends with its session, so it holds no WAL once its reader is gone. */
final class Slot implements AutoCloseable {
    private static final long PREDECESSOR_NANOS = TimeUnit.SECONDS.toNanos(20);
    private static final long POLL_MILLIS = 20;
    private static final int STATUS_MILLIS = 100;

    private final Flow flow;
    private final String name;
    private final Connection replication;
    /** The statement that creates the slot; null = it does not run. */
    private volatile Statement creating;

    /**
     * Opens the session, without a slot.
     *
     * @param catalog ordinary session, through which the sessions of predecessors are ended
     * @param alone whether no other witness of the migration may go on
     */
    Slot(Flow flow, Connection catalog, Seat seat, boolean alone) throws SQLException, InterruptedException {
        this.flow = flow;
        name = seat.slot(flow);
        Sessions.endOthers(catalog, flow.migration(), alone ? Seat.PURPOSES : seat.purpose());
        awaitNoSlot(catalog, name);
        if (alone) {
            awaitNoSlot(catalog, seat.other().slot(flow));
        }
        requireSpare(catalog);
        requireNamedStandbys(catalog);
        try {
            replication = Sessions.openReplication(flow.migration(), flow.from(), seat.purpose());
        } catch (SQLException e) {
            throw explained(e);
        }
    }

    String name() {
        return name;
    }

    /**
     * Creates the slot. Waits, without a limit, for every running transaction that has written; then until the catalog session sees
     * every transaction that the slot leaves out because its COMMIT is older than the slot. Counterexample: a COMMIT waits for a
     * synchronous standby, and the slot begins behind that COMMIT. A comparison would still read the old row on the source, and
     * nobody would name the row.
     *
     * @param catalog ordinary session
     * @return the slot's consistent point: each transaction whose COMMIT starts there or later is in the stream
     */
    Lsn create(Connection catalog) throws SQLException, InterruptedException {
        Lsn start;
        Unseen.Running log;
        try (Statement statement = replication.createStatement()) {
            creating = statement;
            try (ResultSet row = statement.executeQuery(
                    "CREATE_REPLICATION_SLOT " + Identifiers.quote(name) + " TEMPORARY LOGICAL pgoutput")) {
                row.next();
                start = Lsn.parse(row.getString("consistent_point"));
                log = inLog(catalog, row.getString("snapshot_name"));
            }
        } catch (SQLException e) {
            throw explained(e);
        } finally {
            creating = null;
        }
        while (!Unseen.Running.read(catalog).showsAllOf(log)) {
            if (replication.isClosed()) {
                throw new RetryableException("create", "slot " + name, "closed meanwhile", "");
            }
            Thread.sleep(POLL_MILLIS);
        }
        return start;
    }

    /** The transactions as the log shows them where the slot starts. */
    private static Unseen.Running inLog(Connection catalog, String snapshot) throws SQLException {
        Queries.execute(catalog, "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY");
        try {
            Queries.execute(catalog, "SET TRANSACTION SNAPSHOT " + Identifiers.literal(snapshot));
            return Unseen.Running.read(catalog);
        } finally {
            Queries.execute(catalog, "ROLLBACK");
        }
    }

    /** Starts the stream. */
    PGReplicationStream stream(Lsn from) throws SQLException {
        try {
            return replication
                    .unwrap(PGConnection.class)
                    .getReplicationAPI()
                    .replicationStream()
                    .logical()
                    .withSlotName(name)
                    .withStartPosition(LogSequenceNumber.valueOf(from.value()))
                    .withSlotOption("proto_version", "1")
                    .withSlotOption("publication_names", String.join(",", flow.publications()))
                    // The server sends its position unasked only to a client that has answered since the last time.
                    .withStatusInterval(STATUS_MILLIS, TimeUnit.MILLISECONDS)
                    .start();
        } catch (SQLException e) {
            throw explained(e);
        }
    }

    /** The load of a table that is new or loaded again needs a slot and a wal sender too, and comes first. */
    private static void requireSpare(Connection catalog) throws SQLException {
        requireSpare(catalog, "max_replication_slots", "pg_replication_slots");
        requireSpare(catalog, "max_wal_senders", "pg_stat_replication");
    }

    private static void requireSpare(Connection catalog, String setting, String used) throws SQLException {
        if (Queries.number(
                        catalog,
                        "SELECT (SELECT setting::int FROM pg_catalog.pg_settings WHERE name = '" + setting
                                + "') - (SELECT count(*) FROM pg_catalog." + used + ")")
                < 2) {
            throw new ConfigurationException(
                    setting,
                    "fewer than two are free, and the witness of the comparison leaves one for loads",
                    "ALTER SYSTEM SET " + setting + " = 10, or more than now, then restart the source");
        }
    }

    /**
     * With {@code *} the server may take any client that streams for a standby, and each COMMIT of an application would wait for this
     * witness' answer (PostgreSQL documentation, section 19.6.2).
     */
    private static void requireNamedStandbys(Connection catalog) throws SQLException {
        if (Queries.truth(catalog, "SELECT pg_catalog.current_setting('synchronous_standby_names') LIKE '%*%'")) {
            throw new ConfigurationException(
                    "synchronous_standby_names",
                    "counts every client that streams as a standby, so applications would wait for the witness of the comparison",
                    "Name the standbys on the source: ALTER SYSTEM SET synchronous_standby_names = 'NAME'; SELECT"
                            + " pg_reload_conf()");
        }
    }

    /** A predecessor may hang, or its machine may have vanished; its session has the slot for up to a minute. */
    private static void awaitNoSlot(Connection catalog, String name) throws SQLException, InterruptedException {
        String temporary = "SELECT temporary::text FROM pg_catalog.pg_replication_slots WHERE slot_name = ?";
        long began = System.nanoTime();
        while (true) {
            String found = Queries.string(catalog, temporary, name).orElse("");
            if (found.isEmpty()) {
                return;
            }
            if (found.equals("false")) {
                throw new DataException(
                        "create",
                        "slot " + name,
                        "a slot of this name exists that the witness has not made",
                        "If nobody needs it: SELECT pg_drop_replication_slot(" + Identifiers.literal(name) + ")");
            }
            if (System.nanoTime() - began > PREDECESSOR_NANOS) {
                throw new RetryableException(
                        "create",
                        "slot " + name,
                        "the session of an earlier witness still has the slot",
                        "End that session: see active_pid in pg_replication_slots");
            }
            Thread.sleep(POLL_MILLIS);
        }
    }

    private WherryException explained(SQLException failure) {
        String role = flow.from().user();
        return switch (Sessions.state(failure)) {
            case "53400" ->
                new ConfigurationException(
                        "max_replication_slots",
                        "no replication slot is free for the witness of the comparison",
                        "Drop a slot that is not needed (see pg_replication_slots), or raise the setting and restart the source");
            case "53300" ->
                new ConfigurationException(
                        "max_wal_senders",
                        "no wal sender is free for the witness of the comparison (" + failure.getMessage() + ")",
                        "ALTER SYSTEM SET max_wal_senders = 10, then restart the source");
            case "42501", "28000" ->
                new ConfigurationException(
                        "role " + role,
                        "may not read a replication slot (" + failure.getMessage() + ")",
                        "ALTER ROLE " + Identifiers.quote(role) + " REPLICATION");
            default ->
                new RetryableException(
                        "create", "slot " + name, failure.getMessage(), "Check that the source is reachable", failure);
        };
    }

    /** Ends the session at once, also when another thread waits in it. The server then drops the slot. */
    @Override
    public void close() {
        Statement running = creating;
        try {
            // A server that waits for a transaction does not notice that its client is gone.
            if (running != null) {
                running.cancel();
            }
            replication.abort(Runnable::run);
        } catch (SQLException e) {
            Resources.log("end the witness' session", e);
        }
    }
}
