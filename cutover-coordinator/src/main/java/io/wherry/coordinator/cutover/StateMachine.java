package io.wherry.coordinator.cutover;

import static io.wherry.coordinator.journal.State.*;

import io.wherry.contract.error.DataException;
import io.wherry.coordinator.journal.Event;
import io.wherry.coordinator.journal.State;
import io.wherry.coordinator.journal.Transition;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;

/**
 * Decides which event leads from one state to which other state; no other code decides this (pure). The states of the cutover and
 * their order come from the steps: each state leads to the next one that has steps, and a state within the window to ABORTING as
 * well.
 */
public final class StateMachine {
    private static final List<Transition> BEFORE = List.of(
            new Transition(LOADING, Event.ALL_LOADED, INDEXING),
            new Transition(INDEXING, Event.ALL_INDEXED, CATCHING_UP),
            new Transition(INDEXING, Event.LOAD_INCOMPLETE, LOADING),
            new Transition(CATCHING_UP, Event.STABLE, IN_SYNC),
            new Transition(CATCHING_UP, Event.LOAD_INCOMPLETE, LOADING),
            new Transition(IN_SYNC, Event.UNSTABLE, CATCHING_UP),
            new Transition(IN_SYNC, Event.LOAD_INCOMPLETE, LOADING));

    private final List<Transition> transitions;

    public StateMachine(List<Step> steps) {
        List<Transition> all = new ArrayList<>(BEFORE);
        List<State> states = steps.stream().map(Step::state).distinct().toList();
        all.add(new Transition(IN_SYNC, Event.CUTOVER, states.get(0)));
        for (int i = 0; i < states.size(); i++) {
            State state = states.get(i);
            all.add(new Transition(state, Event.DONE, i + 1 < states.size() ? states.get(i + 1) : COMPLETED));
            if (state.inWindow()) {
                all.add(new Transition(state, Event.ABORT, ABORTING));
            }
        }
        all.add(new Transition(ABORTING, Event.DONE, CATCHING_UP));
        transitions = List.copyOf(all);
    }

    /** All arrows, in the order of the story. */
    public List<Transition> transitions() {
        return transitions;
    }

    /** The arrow of an event; empty when the event means nothing in this state. */
    public Optional<Transition> on(State from, Event event) {
        return transitions.stream()
                .filter(t -> t.from() == from && t.event() == event)
                .findFirst();
    }

    /** @throws DataException when the event means nothing in this state; a defect */
    public Transition require(State from, Event event) {
        return on(from, event)
                .orElseThrow(() -> new DataException(
                        "advance", "journal", event + " has no meaning in " + from, "Report this with the log"));
    }

    /** Whether a failure leads back to the source. From the switch row on, a state is retried until it succeeds. */
    public boolean aborts(State state) {
        return on(state, Event.ABORT).isPresent();
    }

    /**
     * What a starting coordinator does first in the state that it finds. Before the switch row, an unfinished cutover is aborted,
     * because the process may have been away for any time; after the switch row, the cutover only goes forward.
     */
    public Optional<Event> onRestart(State found) {
        return aborts(found) ? Optional.of(Event.ABORT) : Optional.empty();
    }
}
