package io.wherry.sink;

import io.wherry.contract.config.Flow;
import io.wherry.contract.postgres.Sessions;
import io.wherry.contract.service.Failpoints;
import io.wherry.sink.apply.BatchWriter;
import java.sql.Connection;
import java.sql.ResultSet;
import java.sql.SQLException;
import java.sql.Statement;
import java.util.List;
import java.util.concurrent.CopyOnWriteArrayList;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/** Opens the sessions of one epoch that write to the target, and ends them. Safe for use by several threads. */
final class WriterSessions {
    private static final Logger LOG = LoggerFactory.getLogger(WriterSessions.class);
    /** Begins the purpose of each session that writes. */
    static final String PURPOSE = "sink ";

    private static final String INSUFFICIENT_PRIVILEGE = "42501";

    private final Flow flow;
    private final long epoch;
    private final Failpoints failpoints;
    private final List<Connection> sessions = new CopyOnWriteArrayList<>();

    WriterSessions(Flow flow, long epoch, Failpoints failpoints) {
        this.flow = flow;
        this.epoch = epoch;
        this.failpoints = failpoints;
    }

    /** Opens a session for a worker's batches. */
    BatchWriter openWriter(String purpose) throws SQLException {
        Connection session = open(purpose);
        // The rows of each batch are found by key. With no statistics, or with those of a freshly loaded table, the
        // planner may prefer to read the whole table.
        keep(session, "SET enable_seqscan = off; SET enable_hashjoin = off; SET enable_mergejoin = off");
        return new BatchWriter(session, !isReplica(session), epoch, failpoints);
    }

    /** Opens a session for a lane. */
    Connection openLane(String purpose) throws SQLException {
        Connection session = open(purpose);
        // A crash of the server may lose the last chunks, but then also their checkpoints, and Kafka still holds the
        // chunks. The coordinator acts on a chunk only after a durable commit, which covers all commits before it.
        keep(session, "SET synchronous_commit = off");
        return session;
    }

    /** Opens a session in transaction mode. */
    Connection open(String purpose) throws SQLException {
        Connection session = Sessions.open(flow.migration(), flow.to(), PURPOSE + purpose);
        sessions.add(session);
        // Servers before 11 do not know it.
        execute(session, "SELECT set_config(name, 'off', false) FROM pg_settings WHERE name = 'jit'");
        try {
            // Rows come with the effects of the source's triggers and foreign keys; they must not happen twice.
            execute(session, "SET session_replication_role = replica");
        } catch (SQLException e) {
            if (!INSUFFICIENT_PRIVILEGE.equals(e.getSQLState())) {
                throw e;
            }
            LOG.debug("Triggers and foreign keys are on in {}: {}", purpose, e.getMessage());
        }
        session.setAutoCommit(false);
        return session;
    }

    private static boolean isReplica(Connection session) throws SQLException {
        try (Statement statement = session.createStatement();
                ResultSet row = statement.executeQuery("SHOW session_replication_role")) {
            row.next();
            return row.getString(1).equals("replica");
        }
    }

    /** Makes a setting that the next rollback would take back (PostgreSQL documentation, SET). */
    private static void keep(Connection session, String sql) throws SQLException {
        execute(session, sql);
        session.commit();
    }

    private static void execute(Connection session, String sql) throws SQLException {
        try (Statement statement = session.createStatement()) {
            statement.execute(sql);
        }
    }

    /** Ends the sessions that are open. Closing the socket ends a statement that would not end. */
    void end() {
        sessions.forEach(WriterSessions::abort);
    }

    private static void abort(Connection session) {
        try {
            session.abort(Runnable::run);
        } catch (SQLException e) {
            LOG.debug("A session could not be ended: {}", e.getMessage());
        }
    }
}
