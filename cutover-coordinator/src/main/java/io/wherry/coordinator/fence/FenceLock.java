package io.wherry.coordinator.fence;

import io.wherry.contract.config.Flow;
import io.wherry.contract.error.RetryableException;
import io.wherry.contract.postgres.Sessions;
import io.wherry.coordinator.sql.AdvisoryLock;
import io.wherry.coordinator.sql.Queries;
import java.sql.Connection;
import java.sql.SQLException;

/**
 * The right to change the source's fence: an advisory lock on the source, held from the closing of the fence until the source is
 * open again or the target serves. The fence is changed in the session that holds the lock, so a coordinator that has lost the lock
 * changes nothing.
 *
 * <p>The lock on the target ({@code Term}) is not enough. Counterexample: a coordinator that is cut off from the target in its
 * window opens the source at the window's end. Its successor, which sees the target, has meanwhile aborted that window and fenced
 * the source for a window of its own. What applications write then comes after the successor's comparison, and is lost. A free lock
 * is not enough either: after the successor has completed the cutover, it holds no lock, and the source must stay closed. So a
 * coordinator that cannot learn from the target whether it may change the fence may only use a lock that it has kept.
 */
public final class FenceLock implements AutoCloseable {
    // One lock for the source's database, for all migrations: otherwise two migrations that fence the same source
    // would open it for one another.
    private static final AdvisoryLock LOCK = new AdvisoryLock(0x57686572727946L);
    private static final String PURPOSE = "fence";

    private static final String END_HOLDER =
            "SELECT pg_terminate_backend(a.pid)::text" + AdvisoryLock.HOLDER + " AND a.application_name = left(?, 63)";

    private final Flow flow;
    private Connection session;

    public FenceLock(Flow flow) {
        this.flow = flow;
    }

    /** A change to the source under the lock. */
    public interface Act {
        void on(Connection source) throws SQLException;
    }

    /**
     * Takes the lock if it is free, and acts.
     *
     * @throws RetryableException when another session holds the lock; then nothing was done
     */
    public synchronized void act(Act act) throws SQLException {
        if (!take()) {
            throw new RetryableException(
                    "fence",
                    flow.from().toString(),
                    "another coordinator has the fence in its hands",
                    "Check which coordinators of migrations from this source run");
        }
        act.on(session);
    }

    /**
     * Acts if the lock was kept since it was taken: then no other coordinator has changed the fence.
     *
     * @throws RetryableException when the lock was not kept; then nothing was done
     */
    public synchronized void actIfKept(Act act) throws SQLException {
        require();
        act.on(session);
    }

    /** Whether the lock was kept since it was taken. */
    public synchronized boolean isKept() throws SQLException {
        return session != null && isHeld();
    }

    /**
     * Acts as the coordinator that the target knows: ends the session of a predecessor of the same migration that still holds the lock.
     *
     * @throws RetryableException when a coordinator of another migration holds the lock
     */
    public synchronized void actAsSuccessor(Act act) throws SQLException {
        if (!take() && endHolder()) {
            Connection fresh = Sessions.openLock(flow.migration(), flow.from(), PURPOSE);
            session = fresh;
            // The server takes a moment to end that session.
            Queries.execute(fresh, "SET lock_timeout = '10s'");
            Queries.string(fresh, "SELECT pg_advisory_lock(?)::text", LOCK.number());
        }
        act(act);
    }

    private boolean endHolder() throws SQLException {
        try (Connection source = Sessions.open(flow.migration(), flow.from(), "fence takeover")) {
            String name = Sessions.APPLICATION + flow.migration().name() + " " + PURPOSE;
            return !Queries.strings(source, END_HOLDER, LOCK.number(), name).isEmpty();
        }
    }

    /** @throws RetryableException when the lock was not kept until now */
    public synchronized void require() throws SQLException {
        if (!isKept()) {
            throw new RetryableException(
                    "fence",
                    flow.from().toString(),
                    "its lock was lost, so another coordinator may have opened the source",
                    "The coordinator that the target knows opens the source. Then start the cutover again");
        }
    }

    private boolean take() throws SQLException {
        if (isKept()) {
            return true;
        }
        close();
        Connection fresh = Sessions.openLock(flow.migration(), flow.from(), PURPOSE);
        if (LOCK.take(fresh)) {
            session = fresh;
            return true;
        }
        fresh.close();
        return false;
    }

    /** The lock lasts as long as its session. */
    private boolean isHeld() throws SQLException {
        return session.isValid(5);
    }

    /** Releases the lock, if it is held. */
    @Override
    public synchronized void close() throws SQLException {
        if (session != null) {
            Connection ended = session;
            session = null;
            ended.close();
        }
    }
}
