package io.wherry.coordinator.sql;

import io.wherry.contract.config.Flow;
import java.sql.Connection;
import java.sql.SQLException;

/**
 * The time in which a coordinator may act: the life of the session on the target that holds the coordinators' lock. The process may
 * live on without knowing that its term has ended. So each session that changes the target is checked here once the session is
 * open. Safe for use by several threads.
 *
 * <p>Why this is enough: a successor takes the lock, and then ends the sessions that its predecessor has open ({@code
 * CoordinatorSession#take}). Each session is open before it is checked. So the check fails, or the successor ends the session.
 *
 * <p>Counterexample without the check: a coordinator is stopped before it opens a session for an index, its successor completes the
 * cutover, and the coordinator that comes back locks a table of a target that serves.
 */
public final class Term {
    /** Any number that no other program uses; the lock is in the target database. */
    public static final AdvisoryLock LOCK = new AdvisoryLock(0x57686572727943L);

    // A server re-uses process numbers, but never a process number with the same start time.
    private static final String BORN = "(extract(epoch FROM backend_start) * 1000000)::bigint";

    private static final String OURS = "SELECT pid, " + BORN + " FROM pg_stat_activity WHERE pid = pg_backend_pid()";

    private static final String HELD =
            "SELECT EXISTS (SELECT" + AdvisoryLock.HOLDER + " AND a.pid = ? AND " + BORN + " = ?)";

    /** SQLSTATE admin_shutdown, as when the server has ended a session: the caller may try again in the next term. */
    private static final String ENDED = "57P01";

    private static final Holder NOBODY = new Holder(0, 0);

    private final Flow flow;
    private volatile Holder holder = NOBODY;

    private record Holder(int pid, long born) {}

    public Term(Flow flow) {
        this.flow = flow;
    }

    /** Starts the term. @param session that holds the lock */
    public void begin(Connection session) throws SQLException {
        holder = Queries.list(session, row -> new Holder(row.getInt(1), row.getLong(2)), OURS)
                .get(0);
    }

    /** Ends the term, as far as this process knows. */
    public void end() {
        holder = NOBODY;
    }

    /**
     * Checks that the term lasts.
     *
     * @param target any session on the target
     * @throws SQLException when the term has ended: this process may change nothing
     */
    public void require(Connection target) throws SQLException {
        Holder present = holder;
        if (!Queries.truth(target, HELD, LOCK.number(), present.pid(), present.born())) {
            throw new SQLException(
                    "this coordinator does not hold the lock on the target any more; another coordinator may act",
                    ENDED);
        }
    }

    /** Opens a session for scripts that change the target; a successor ends it. @throws SQLException also when the term has ended */
    public Connection open(String purpose) throws SQLException {
        return checked(Databases.openForScripts(flow, flow.to(), purpose));
    }

    /** The same sessions; the term is checked for those that change the target. */
    public Opening check(Opening sessions) {
        return (endpoint, purpose) -> {
            Connection session = sessions.open(endpoint, purpose);
            return purpose.startsWith(Databases.CHANGES) ? checked(session) : session;
        };
    }

    private Connection checked(Connection session) throws SQLException {
        try {
            require(session);
            return session;
        } catch (SQLException e) {
            session.close();
            throw e;
        }
    }
}
