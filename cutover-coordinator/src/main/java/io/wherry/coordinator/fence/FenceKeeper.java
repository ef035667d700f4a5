package io.wherry.coordinator.fence;

import io.wherry.contract.config.Flow;
import io.wherry.contract.error.FencedException;
import io.wherry.contract.error.RetryableException;
import io.wherry.contract.postgres.Lsn;
import io.wherry.contract.postgres.Sessions;
import io.wherry.contract.record.Heartbeat;
import io.wherry.contract.service.Effect;
import io.wherry.contract.service.Failpoints;
import io.wherry.coordinator.sql.BoundSessions;
import io.wherry.coordinator.sql.Window;
import java.sql.Connection;
import java.sql.SQLException;
import java.util.List;

/** Closes and opens the source for one coordinator, under the lock of the fence. */
public final class FenceKeeper implements AutoCloseable {
    private static final long POLL_MILLIS = 20;
    // A session that passed the login check just before the fence closed becomes visible a little later.
    private static final long SETTLE_MILLIS = 150;

    private final Flow flow;
    private final Failpoints failpoints;
    private final FenceLock lock;

    public FenceKeeper(Flow flow, Failpoints failpoints) {
        this.flow = flow;
        this.failpoints = failpoints;
        this.lock = new FenceLock(flow);
    }

    /**
     * Checks that the term lasts, and that the journal's last row is the one which made this coordinator act. The fence makes this
     * check after it has taken its lock: a coordinator that writes a later row changes the fence only after that, and ends the
     * session that holds the lock.
     */
    public interface Claim {
        /**
         * @throws FencedException when another coordinator has written since
         * @throws SQLException when the term has ended
         */
        void require() throws SQLException;
    }

    /** What the fence would change now. */
    public Fence.Plan plan() throws SQLException {
        try (Connection source = openSource()) {
            return plan(source);
        }
    }

    /** The same, in a session that is open. */
    public Fence.Plan plan(Connection source) throws SQLException {
        return Fence.plan(
                source,
                flow.migration().cutover().fence(),
                flow.migration().cutover().fenceExcept());
    }

    /** Closes the source. Returns the fence LSN, which is taken only when no other role can commit any more. */
    public Lsn closeSource(Fence.Plan plan, Claim claim, Window window) throws SQLException, InterruptedException {
        try (Connection source = openSource()) {
            if (!plan.obstacles().isEmpty()) {
                throw new RetryableException("fence", "source", String.join("; ", plan.obstacles()), "");
            }
            lock.act(session -> {
                // Counterexample without this check: a coordinator is stopped before it takes the lock, and resumes
                // when its successor has aborted the window and released the lock. The resumed coordinator would
                // close the source, and no coordinator would know that the source must be opened.
                claim.require();
                failpoints.before(Effect.FENCE);
                Fence.close(session, plan);
                failpoints.after(Effect.FENCE);
            });
            awaitAlone(source, plan, window);
            window.pause(SETTLE_MILLIS);
            awaitAlone(source, plan, window);
            // The sentinel: its commit follows every foreign commit in the write-ahead log.
            return Heartbeat.emit(source);
        }
    }

    private void awaitAlone(Connection source, Fence.Plan plan, Window window)
            throws SQLException, InterruptedException {
        while (true) {
            // A coordinator that was replaced must not end the sessions of a source that is open again.
            lock.actIfKept(session -> Fence.endSessions(session, plan));
            List<String> remaining = Fence.remaining(source);
            if (remaining.isEmpty()) {
                window.waitsFor("");
                return;
            }
            window.waitsFor(String.join(", ", remaining) + " to end on the source");
            window.pause(POLL_MILLIS);
        }
    }

    /** Opens the source, which then serves as before. May run any number of times. */
    public void reopenSource(Fence.Plan plan, Claim claim) throws SQLException {
        if (lock.isKept()) {
            reopenIfKept(plan);
            return;
        }
        claim.require();
        lock.actAsSuccessor(source -> {
            // Checked again: the successor may have completed the cutover in the meantime, and then the source must
            // stay closed.
            claim.require();
            restore(source, plan);
        });
        lock.close();
    }

    /** Opens the source without knowing from the target whether another coordinator acts. */
    public void reopenIfKept(Fence.Plan plan) throws SQLException {
        lock.actIfKept(source -> restore(source, plan));
        lock.close();
    }

    private void restore(Connection source, Fence.Plan plan) throws SQLException {
        failpoints.before(Effect.UNFENCE);
        // A comparison that continues, perhaps of a coordinator that was killed, would burden the source that
        // serves again.
        Sessions.endOthers(source, flow.migration(), BoundSessions.OF_WINDOW);
        Fence.open(source, plan);
        failpoints.after(Effect.UNFENCE);
    }

    /** @throws FencedException when the lock of the fence is lost */
    public void requireLock() throws SQLException {
        lock.require();
    }

    private Connection openSource() throws SQLException {
        return Sessions.open(flow.migration(), flow.from(), "cutover");
    }

    /** Releases the lock; the fence stays as it is. */
    @Override
    public void close() throws SQLException {
        lock.close();
    }
}
