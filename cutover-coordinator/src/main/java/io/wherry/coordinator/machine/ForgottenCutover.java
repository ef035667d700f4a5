package io.wherry.coordinator.machine;

import io.wherry.contract.error.DataException;
import io.wherry.contract.error.RetryableException;
import io.wherry.coordinator.cutover.CutoverActs;
import io.wherry.coordinator.cutover.CutoverRun;
import io.wherry.coordinator.journal.Journal;
import io.wherry.coordinator.journal.State;
import java.sql.SQLException;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Compares the journal with what Kafka remembers of the last cutover: a target that has lost commits may have forgotten it. Used by
 * the coordinator's thread only.
 */
final class ForgottenCutover {
    private static final Logger LOG = LoggerFactory.getLogger(ForgottenCutover.class);
    private static final long PAUSE_NANOS = 10_000_000_000L;

    private final CutoverActs acts;
    private final CutoverRun run;
    private final Inbox inbox;
    private boolean checked;
    private boolean switchLost;
    private long checkedNanos;

    ForgottenCutover(CutoverActs acts, CutoverRun run, Inbox inbox) {
        this.acts = acts;
        this.run = run;
        this.inbox = inbox;
    }

    /** Takes note of a new session on the target: its journal was not compared yet. */
    void newSession() {
        checked = false;
    }

    /**
     * Compares. Opens the source if the journal has lost a fence.
     *
     * @return false if the comparison failed but must succeed first: this journal alone would lead to opening the source
     * @throws DataException if the journal has lost a switch
     */
    boolean check(Journal journal) {
        checkedNanos = System.nanoTime();
        try {
            if (acts.openIfForgotten(journal)) {
                run.forgotten(journal);
                inbox.dropEndsOfSteps();
            }
            checked = true;
        } catch (DataException e) {
            switchLost = true;
            throw e;
        } catch (SQLException | RetryableException e) {
            LOG.warn("Cannot check yet whether the target has lost commits: {}", e.getMessage());
        }
        State state = journal.state();
        return checked || !state.inWindow() && state != State.ABORTING;
    }

    /** Compares again after a pause, if the comparison has failed so far. */
    void checkWhenDue(Journal journal) {
        if (!checked && System.nanoTime() - checkedNanos > PAUSE_NANOS) {
            check(journal);
        }
    }

    /** Whether the target has lost a switch row: the source must stay closed. */
    boolean switchLost() {
        return switchLost;
    }
}
