package io.wherry.coordinator.machine;

import io.wherry.contract.config.Flow;
import io.wherry.contract.error.RetryableException;
import io.wherry.contract.postgres.Sessions;
import io.wherry.contract.service.Failpoints;
import io.wherry.coordinator.journal.Journal;
import io.wherry.coordinator.journal.State;
import io.wherry.coordinator.sql.Term;
import io.wherry.coordinator.thread.MonotonicClock;
import io.wherry.coordinator.watch.Pulse;
import java.sql.Connection;
import java.sql.SQLException;
import java.util.concurrent.TimeUnit;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/** Takes control of the migration, and holds it until it is closed or lost. Used by the coordinator's thread only. */
final class Control {
    private static final Logger LOG = LoggerFactory.getLogger(Control.class);
    private static final long TERM_MILLIS = 1_000;

    private final Flow flow;
    private final Term term;
    private final Failpoints failpoints;
    private final ForgottenCutover forgotten;
    private final StatusBoard board;
    private final Inbox inbox;
    private final Pulse pulse;
    private CoordinatorSession session;
    private long termSeenMillis;

    Control(
            Flow flow,
            Term term,
            Failpoints failpoints,
            ForgottenCutover forgotten,
            StatusBoard board,
            Inbox inbox,
            Pulse pulse) {
        this.flow = flow;
        this.term = term;
        this.failpoints = failpoints;
        this.forgotten = forgotten;
        this.board = board;
        this.inbox = inbox;
        this.pulse = pulse;
    }

    /** Whether this coordinator is in control. */
    boolean held() {
        return session != null;
    }

    /** One attempt; waits a little when the attempt fails. */
    void take() throws InterruptedException {
        pulse.turned(MonotonicClock.millis());
        String waitsFor;
        try {
            session = CoordinatorSession.take(flow, term, failpoints).orElse(null);
            forgotten.newSession();
            if (session != null && forgotten.check(session.journal())) {
                return;
            }
            waitsFor = session == null
                    ? "another coordinator to end; this coordinator stands by"
                    : "source and Kafka, to check whether the target has lost commits";
        } catch (SQLException e) {
            waitsFor = "the target: " + e.getMessage();
        } catch (RetryableException e) {
            waitsFor = "Kafka, to check whether the target is the same database as before: " + e.getMessage();
        }
        board.waiting(waitsFor);
        inbox.refuseOldCommands("waiting for " + waitsFor);
        close();
        TimeUnit.MILLISECONDS.sleep(Sessions.LOCK_POLL_MILLIS);
    }

    Connection target() {
        return session.target();
    }

    Journal journal() {
        return session.journal();
    }

    State state() {
        return journal().state();
    }

    /**
     * Checks that the term lasts, from time to time. Within the window the steps check, each before it acts: this thread ends the
     * window, so it must not wait for a target that does not answer.
     */
    void requireTerm(long nowMillis) throws SQLException {
        if (!state().inWindow() && nowMillis - termSeenMillis >= TERM_MILLIS) {
            session.requireTerm();
            termSeenMillis = nowMillis;
        }
    }

    /** Ends control, if this coordinator has any. */
    void close() {
        if (session == null) {
            return;
        }
        try {
            session.close();
        } catch (SQLException e) {
            LOG.debug("closing a lost session", e);
        }
        session = null;
    }
}
