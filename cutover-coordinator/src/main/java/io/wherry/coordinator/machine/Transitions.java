package io.wherry.coordinator.machine;

import io.wherry.contract.error.FencedException;
import io.wherry.coordinator.cutover.Attempt;
import io.wherry.coordinator.cutover.StateMachine;
import io.wherry.coordinator.journal.Event;
import io.wherry.coordinator.journal.Journal;
import io.wherry.coordinator.journal.State;
import io.wherry.coordinator.thread.MonotonicClock;
import io.wherry.coordinator.watch.Observation.StepDone;
import io.wherry.coordinator.watch.Observation.StepEnded;
import io.wherry.coordinator.watch.Observation.StepFailed;
import io.wherry.coordinator.watch.Progress;
import java.sql.SQLException;
import java.util.Map;
import java.util.Optional;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/** Moves the journal from state to state, and starts what each state asks for. Used by the coordinator's thread only. */
record Transitions(
        Control control, StateMachine machine, Workers workers, Facts facts, Progress progress, StatusBoard board) {
    private static final Logger LOG = LoggerFactory.getLogger(Transitions.class);
    private static final int ANSWER_MILLIS = 10_000;

    /** Writes the next state into the journal. The caller enters it. */
    void advance(Event event, Map<String, ?> detail) throws SQLException {
        State next = control.journal().advance(control.target(), machine.require(control.state(), event), detail);
        LOG.info("{}", next);
        // Before a caller hears of a result: a caller who then asks for the status must not read the state before.
        publish();
    }

    /** Shows the present state to readers of the status. */
    void publish() {
        board.publish(control.journal(), progress.tables(), MonotonicClock.millis());
    }

    /** Starts what the present state asks for. */
    void enter() throws SQLException {
        Journal journal = control.journal();
        Optional<Event> found = workers.run().fencedHere() ? Optional.empty() : machine.onRestart(journal.state());
        if (found.isPresent()) {
            abandonUnfinished(found.get());
        }
        workers.run().enter(journal.state(), journal);
        if (journal.state() == State.COMPLETED) {
            workers.afterwards().begin(Attempt.fencePlan(journal));
        }
    }

    /** Aborts the cutover of another process, unless the switch row of that process has just been committed. */
    private void abandonUnfinished(Event abort) throws SQLException {
        Journal journal = control.journal();
        String reason = "the coordinator was restarted in " + journal.state();
        try {
            advance(abort, Map.of("reason", reason));
            workers.run().aborted(reason);
        } catch (FencedException e) {
            // The row of this process has waited for that commit.
            journal.readAgain(control.target());
            if (journal.state() != State.SWITCHING) {
                throw e;
            }
            LOG.info("The previous coordinator has committed the switch row; this coordinator continues from there");
        }
    }

    /** A step of the cutover succeeded. */
    void ended(StepDone step) throws SQLException {
        // A step that has committed the next row itself no longer belongs to the last row.
        boolean present = step.committed() ? control.state() == State.SWITCHING : isPresent(step);
        if (!present) {
            return;
        }
        noteComparison();
        if (step.committed()) {
            enter();
        } else if (control.state().inWindow() && workers.run().endReason() != null) {
            failed(workers.run().endReason());
        } else {
            advance(Event.DONE, step.detail());
            enter();
        }
    }

    /** A step of the cutover failed. */
    void ended(StepFailed step) throws SQLException {
        if (isPresent(step)) {
            noteComparison();
            failed(step.problem());
        }
    }

    /**
     * Whether the step belongs to the present state. Counterexample: the target was lost in FENCING; another coordinator took over,
     * started a cutover of its own and died. The new FENCING is not done because this process has done an earlier one.
     */
    private boolean isPresent(StepEnded step) {
        return step.row() == control.journal().last().id();
    }

    private void noteComparison() {
        if (workers.run().comparison() != null) {
            facts.tables().see(workers.run().comparison());
        }
    }

    private void failed(String problem) throws SQLException {
        if (!machine.aborts(control.state())) {
            workers.run().retryLater(problem);
            return;
        }
        workers.run().aborted(problem);
        // Only this thread opens the source, so it must not wait for a target that does not answer.
        control.target().setNetworkTimeout(Runnable::run, ANSWER_MILLIS);
        try {
            advance(Event.ABORT, Map.of("reason", problem));
        } catch (FencedException e) {
            // The step's commit was on its way when its connection broke, and has succeeded: ABORTING waited for it.
            control.journal().readAgain(control.target());
            if (control.state() != State.SWITCHING) {
                throw e;
            }
        }
        control.target().setNetworkTimeout(Runnable::run, 0);
        enter();
    }
}
