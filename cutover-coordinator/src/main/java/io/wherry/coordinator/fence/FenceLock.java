package io.wherry.coordinator.fence;

import io.wherry.contract.config.Migration;
import io.wherry.contract.error.RetryableException;
import io.wherry.contract.postgres.Sessions;
import io.wherry.coordinator.sql.AdvisoryLock;
import io.wherry.coordinator.sql.Queries;
import java.sql.Connection;
import java.sql.SQLException;

/**
 * The right to change the source's fence: an advisory lock on the source, kept from the closing of the fence until the source is
 * open again or the target serves. The fence is changed in the session that holds it, so who has lost it changes nothing.
 *
 * <p>The lock on the target ({@code Control}) is not enough. Counterexample: a coordinator that is cut off from the target in its
 * window opens the source at the window's end; its successor, which sees the target, has meanwhile given that window up and
 * fenced the source for one of its own. What applications write then comes after the successor's comparison, and is lost.
 * Nor is it enough that the lock is free: when the successor has completed, it holds none, and the source must stay closed. So
 * who does not know from the target that the fence is his to change may only use a lock that he has kept.
 */
public final class FenceLock implements AutoCloseable {
    // Of the source's database, whatever the migration: two that fence the same source would open it for one another.
    private static final AdvisoryLock LOCK = new AdvisoryLock(0x57686572727946L);
    private static final String PURPOSE = "fence";

    private static final String END_HOLDER =
            "SELECT pg_terminate_backend(a.pid)::text" + AdvisoryLock.HOLDER + " AND a.application_name = left(?, 63)";

    private final Migration migration;
    private Connection session;

    public FenceLock(Migration migration) {
        this.migration = migration;
    }

    /** What is done to the source under the lock. */
    public interface Act {
        void on(Connection source) throws SQLException;
    }

    /**
     * Takes the lock if it is free, and acts.
     *
     * @throws RetryableException when another session has it; nothing was done then
     */
    public synchronized void act(Act act) throws SQLException {
        if (!take()) {
            throw new RetryableException(
                    "fence",
                    migration.source().toString(),
                    "another coordinator has the fence in its hands",
                    "Check which coordinators of migrations from this source run");
        }
        act.on(session);
    }

    /**
     * Acts if the lock was kept since it was taken: then nobody else has changed the fence.
     *
     * @throws RetryableException when it was not; nothing was done then
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
     * Acts as the coordinator that the target knows: a predecessor of the same migration that still has the lock is ended.
     *
     * @throws RetryableException when a coordinator of another migration has it
     */
    public synchronized void actAsSuccessor(Act act) throws SQLException {
        if (!take() && endHolder()) {
            Connection fresh = Sessions.openLock(migration, migration.source(), PURPOSE);
            session = fresh;
            // The server takes a moment to end it.
            Queries.execute(fresh, "SET lock_timeout = '10s'");
            Queries.string(fresh, "SELECT pg_advisory_lock(?)::text", LOCK.number());
        }
        act(act);
    }

    private boolean endHolder() throws SQLException {
        try (Connection source = Sessions.open(migration, migration.source(), "fence takeover")) {
            String name = Sessions.APPLICATION + migration.name() + " " + PURPOSE;
            return !Queries.strings(source, END_HOLDER, LOCK.number(), name).isEmpty();
        }
    }

    /** @throws RetryableException when the lock was not kept until now */
    public synchronized void require() throws SQLException {
        if (!isKept()) {
            throw new RetryableException(
                    "fence",
                    migration.source().toString(),
                    "its lock was lost meanwhile, so another may have opened the source",
                    "The coordinator that the target knows opens it; begin the cutover again then");
        }
    }

    private boolean take() throws SQLException {
        if (isKept()) {
            return true;
        }
        close();
        Connection fresh = Sessions.openLock(migration, migration.source(), PURPOSE);
        if (LOCK.take(fresh)) {
            session = fresh;
            return true;
        }
        fresh.close();
        return false;
    }

    /** The lock lives as long as its session. */
    private boolean isHeld() throws SQLException {
        return session.isValid(5);
    }

    /** Gives the lock back, if it is held. */
    @Override
    public synchronized void close() throws SQLException {
        if (session != null) {
            Connection ended = session;
            session = null;
            ended.close();
        }
    }
}
