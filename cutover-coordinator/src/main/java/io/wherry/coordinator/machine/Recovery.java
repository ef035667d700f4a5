package io.wherry.coordinator.machine;

import io.wherry.coordinator.cutover.CutoverResult.Outcome;
import io.wherry.coordinator.journal.Journal;
import io.wherry.coordinator.journal.State;
import io.wherry.coordinator.watch.Observation;
import io.wherry.coordinator.watch.Observation.StepEnded;
import java.sql.SQLException;
import java.util.function.BooleanSupplier;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/** Takes control again after the session on the target was lost. Used by the coordinator's thread only. */
record Recovery(Control control, Transitions transitions, Workers workers, Inbox inbox, BooleanSupplier closing) {
    private static final Logger LOG = LoggerFactory.getLogger(Recovery.class);

    /**
     * Reads the journal again under a new session: the old one may have been lost in the middle of a commit.
     *
     * @param unfinished the observation whose reaction was interrupted; null = none
     * @throws InterruptedException when the coordinator is closed before the target is back
     */
    void recover(Observation unfinished, SQLException cause) throws InterruptedException, SQLException {
        LOG.warn("The session on the target is lost: {}", cause.getMessage());
        Journal before = control.journal();
        control.close();
        while (!control.held()) {
            // From PREPARING_TARGET on, a switch row may be on its way: then only the target's journal decides.
            boolean sourceMayServe = before.state().inWindow() && before.state() != State.PREPARING_TARGET;
            if (sourceMayServe && workers.run().endReason() != null) {
                workers.run().openSourceNow(before);
            }
            if (closing.getAsBoolean()) {
                throw new InterruptedException("closed while the target was away");
            }
            control.take();
        }
        if (!control.journal().last().equals(before.last())) {
            workers.indexes().parentsOutdated();
            transitions.enter();
        } else if (unfinished instanceof StepEnded) {
            inbox.add(unfinished);
        }
        if (workers.run().fencedHere() && control.state().servedBy().equals("source")) {
            // The row FENCING could not be written, so nothing was done.
            workers.run().finish(Outcome.ABORTED, "the target was lost: " + cause.getMessage(), control.journal());
        }
    }
}
