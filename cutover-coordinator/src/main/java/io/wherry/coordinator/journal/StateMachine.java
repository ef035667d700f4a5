package io.wherry.coordinator.journal;

import static io.wherry.coordinator.journal.State.*;

import java.util.List;
import java.util.Optional;

/** Which event leads from which state to which: one table, nothing else decides (pure). */
public final class StateMachine {
    /** All transitions. */
    public static final List<Transition> TRANSITIONS = List.of(
            new Transition(LOADING, Event.ALL_LOADED, INDEXING),
            new Transition(INDEXING, Event.ALL_INDEXED, CATCHING_UP),
            new Transition(INDEXING, Event.LOAD_INCOMPLETE, LOADING),
            new Transition(CATCHING_UP, Event.STABLE, IN_SYNC),
            new Transition(CATCHING_UP, Event.LOAD_INCOMPLETE, LOADING),
            new Transition(IN_SYNC, Event.UNSTABLE, CATCHING_UP),
            new Transition(IN_SYNC, Event.LOAD_INCOMPLETE, LOADING),
            new Transition(IN_SYNC, Event.CUTOVER, FENCING),
            new Transition(FENCING, Event.FENCED, DRAINING),
            new Transition(FENCING, Event.ABORT, ABORTING),
            new Transition(DRAINING, Event.DRAINED, VERIFYING),
            new Transition(DRAINING, Event.ABORT, ABORTING),
            new Transition(VERIFYING, Event.VERIFIED, PREPARING_TARGET),
            new Transition(VERIFYING, Event.ABORT, ABORTING),
            // ┃ The point of no return: this row is written in the transaction that prepares the target.
            new Transition(PREPARING_TARGET, Event.SWITCH, SWITCHING),
            new Transition(PREPARING_TARGET, Event.ABORT, ABORTING),
            new Transition(SWITCHING, Event.SWITCHED, COMPLETED),
            new Transition(ABORTING, Event.UNFENCED, CATCHING_UP));

    private StateMachine() {}

    /** What can happen. */
    public enum Event {
        /** Every chunk of every table is on the target. */
        ALL_LOADED,
        /** The source-connector began a later load of some table, or the plan gained one. */
        LOAD_INCOMPLETE,
        /** Every table has its keys and indexes. */
        ALL_INDEXED,
        /** Lag stayed under the limit for long enough. */
        STABLE,
        /** Lag grew over the limit or became unknown, or a table stopped. */
        UNSTABLE,
        /** The operator asks for the cutover. */
        CUTOVER,
        /** No foreign session or transaction is left; the fence LSN is known. */
        FENCED,
        /** Every checkpoint is at or past the drain vector. */
        DRAINED,
        /** Both sides hold the same rows. */
        VERIFIED,
        /** The switch row is committed. */
        SWITCH,
        /** The traffic switch reported success. */
        SWITCHED,
        /** A failure, the deadline, a restart or the operator ends the cutover before the switch row. */
        ABORT,
        /** The source is open as it was. */
        UNFENCED
    }

    /** One row of the table. */
    public record Transition(State from, Event event, State to) {}

    /** The state that follows; empty when the event means nothing in this state. */
    public static Optional<State> next(State from, Event event) {
        return TRANSITIONS.stream()
                .filter(t -> t.from() == from && t.event() == event)
                .map(Transition::to)
                .findFirst();
    }

    /**
     * What a starting coordinator does first in the state it finds: an unfinished cutover before the switch row is aborted,
     * since nobody knows how long the process was away; after it only forward.
     */
    public static Optional<Event> onRestart(State found) {
        return found.inWindow() ? Optional.of(Event.ABORT) : Optional.empty();
    }
}
