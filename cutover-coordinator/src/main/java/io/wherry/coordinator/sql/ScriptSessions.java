package io.wherry.coordinator.sql;

import io.wherry.contract.postgres.Sessions;
import java.sql.Connection;
import java.sql.SQLException;
import java.util.concurrent.ConcurrentLinkedQueue;

/**
 * Sessions on the target for one job after another. Each job finds a session that looks new. Logging in costs more than building
 * the key of a small table: twelve minutes for 5,000 tables.
 */
public final class ScriptSessions implements AutoCloseable {
    private final Term term;
    private final String purpose;
    private final ConcurrentLinkedQueue<Connection> idle = new ConcurrentLinkedQueue<>();

    /** @param purpose as of {@link Term#open} */
    public ScriptSessions(Term term, String purpose) {
        this.term = term;
        this.purpose = purpose;
    }

    /** The work of one session; what the job leaves uncommitted is rolled back. */
    public interface Job {
        void run(Connection target) throws SQLException;
    }

    /** Runs a job in auto-commit mode, in a session that no other job uses meanwhile. */
    public void run(Job job) throws SQLException {
        Connection session = fresh();
        try {
            job.run(session);
        } catch (SQLException | RuntimeException e) {
            try {
                session.close();
            } catch (SQLException closing) {
                e.addSuppressed(closing);
            }
            throw e;
        }
        idle.add(session);
    }

    private Connection fresh() throws SQLException {
        for (Connection session = idle.poll(); session != null; session = idle.poll()) {
            try {
                if (!session.getAutoCommit()) {
                    session.rollback();
                    session.setAutoCommit(true);
                }
                // Settings of one script must not reach the next script.
                Sessions.reset(session);
                return session;
            } catch (SQLException e) {
                // The server has ended the session in the meantime.
                session.close();
            }
        }
        return term.open(purpose);
    }

    /** Ends the sessions that no job uses. */
    @Override
    public void close() throws SQLException {
        for (Connection session = idle.poll(); session != null; session = idle.poll()) {
            session.close();
        }
    }
}
