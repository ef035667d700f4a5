package io.wherry.coordinator.cutover;

import static org.assertj.core.api.Assertions.assertThat;

import io.wherry.coordinator.journal.Event;
import io.wherry.coordinator.journal.State;
import io.wherry.coordinator.journal.Transition;
import java.util.ArrayList;
import java.util.EnumSet;
import java.util.HashSet;
import java.util.List;
import java.util.Set;
import org.junit.jupiter.api.Test;

final class StateMachineTest {
    private static final StateMachine MACHINE = new StateMachine(Story.STEPS);

    /** All paths from start to end; together they use every transition. */
    private static final List<List<Event>> STORIES = List.of(
            List.of(
                    Event.ALL_LOADED,
                    Event.ALL_INDEXED,
                    Event.STABLE,
                    Event.CUTOVER,
                    Event.DONE,
                    Event.DONE,
                    Event.DONE,
                    Event.DONE,
                    Event.DONE),
            List.of(
                    Event.ALL_LOADED,
                    Event.LOAD_INCOMPLETE,
                    Event.ALL_LOADED,
                    Event.ALL_INDEXED,
                    Event.LOAD_INCOMPLETE),
            List.of(
                    Event.ALL_LOADED,
                    Event.ALL_INDEXED,
                    Event.STABLE,
                    Event.UNSTABLE,
                    Event.STABLE,
                    Event.LOAD_INCOMPLETE),
            List.of(Event.ALL_LOADED, Event.ALL_INDEXED, Event.STABLE, Event.CUTOVER, Event.ABORT, Event.DONE),
            List.of(
                    Event.ALL_LOADED,
                    Event.ALL_INDEXED,
                    Event.STABLE,
                    Event.CUTOVER,
                    Event.DONE,
                    Event.ABORT,
                    Event.DONE,
                    Event.STABLE,
                    Event.CUTOVER,
                    Event.DONE,
                    Event.DONE,
                    Event.ABORT,
                    Event.DONE),
            List.of(
                    Event.ALL_LOADED,
                    Event.ALL_INDEXED,
                    Event.STABLE,
                    Event.CUTOVER,
                    Event.DONE,
                    Event.DONE,
                    Event.DONE,
                    Event.ABORT,
                    Event.DONE));

    @Test
    void everyRowIsWalked() {
        Set<Transition> left = new HashSet<>(MACHINE.transitions());
        for (List<Event> story : STORIES) {
            State state = State.LOADING;
            for (Event event : story) {
                State next = MACHINE.require(state, event).to();
                left.remove(new Transition(state, event, next));
                state = next;
            }
        }
        assertThat(left).isEmpty();
    }

    @Test
    void oneEventLeadsToOneStateOnly() {
        assertThat(MACHINE.transitions().stream().map(t -> t.from() + " " + t.event()))
                .doesNotHaveDuplicates();
    }

    @Test
    void fromEveryStateOfTheWindowTheSourceCanServeAgainAndAfterItNever() {
        for (State state : State.values()) {
            assertThat(MACHINE.on(state, Event.ABORT).isPresent()).isEqualTo(state.inWindow());
            assertThat(MACHINE.onRestart(state).isPresent()).isEqualTo(state.inWindow());
        }
        Set<State> after = EnumSet.of(State.SWITCHING);
        List<State> todo = new ArrayList<>(after);
        while (!todo.isEmpty()) {
            State state = todo.remove(0);
            MACHINE.transitions().stream()
                    .filter(t -> t.from() == state)
                    .map(Transition::to)
                    .forEach(to -> {
                        if (after.add(to)) {
                            todo.add(to);
                        }
                    });
        }
        assertThat(after).noneMatch(s -> s.servedBy().equals("source"));
    }
}
