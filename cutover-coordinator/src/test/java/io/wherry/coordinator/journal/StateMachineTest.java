package io.wherry.coordinator.journal;

import static org.assertj.core.api.Assertions.assertThat;

import io.wherry.coordinator.journal.StateMachine.Event;
import io.wherry.coordinator.journal.StateMachine.Transition;
import java.util.ArrayList;
import java.util.EnumSet;
import java.util.HashSet;
import java.util.List;
import java.util.Set;
import org.junit.jupiter.api.Test;

final class StateMachineTest {
    /** Every story that can be told; together they walk every row. */
    private static final List<List<Event>> STORIES = List.of(
            List.of(
                    Event.ALL_LOADED,
                    Event.ALL_INDEXED,
                    Event.STABLE,
                    Event.CUTOVER,
                    Event.FENCED,
                    Event.DRAINED,
                    Event.VERIFIED,
                    Event.SWITCH,
                    Event.SWITCHED),
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
            List.of(Event.ALL_LOADED, Event.ALL_INDEXED, Event.STABLE, Event.CUTOVER, Event.ABORT, Event.UNFENCED),
            List.of(
                    Event.ALL_LOADED,
                    Event.ALL_INDEXED,
                    Event.STABLE,
                    Event.CUTOVER,
                    Event.FENCED,
                    Event.ABORT,
                    Event.UNFENCED,
                    Event.STABLE,
                    Event.CUTOVER,
                    Event.FENCED,
                    Event.DRAINED,
                    Event.ABORT,
                    Event.UNFENCED),
            List.of(
                    Event.ALL_LOADED,
                    Event.ALL_INDEXED,
                    Event.STABLE,
                    Event.CUTOVER,
                    Event.FENCED,
                    Event.DRAINED,
                    Event.VERIFIED,
                    Event.ABORT,
                    Event.UNFENCED));

    @Test
    void everyRowIsWalked() {
        Set<Transition> left = new HashSet<>(StateMachine.TRANSITIONS);
        for (List<Event> story : STORIES) {
            State state = State.LOADING;
            for (Event event : story) {
                State next = StateMachine.next(state, event).orElseThrow();
                left.remove(new Transition(state, event, next));
                state = next;
            }
        }
        assertThat(left).isEmpty();
    }

    @Test
    void oneEventLeadsToOneStateOnly() {
        assertThat(StateMachine.TRANSITIONS.stream().map(t -> t.from() + " " + t.event()))
                .doesNotHaveDuplicates();
    }

    @Test
    void fromEveryStateOfTheWindowTheSourceCanServeAgainAndAfterItNever() {
        for (State state : State.values()) {
            assertThat(StateMachine.next(state, Event.ABORT).isPresent()).isEqualTo(state.inWindow());
            assertThat(StateMachine.onRestart(state).isPresent()).isEqualTo(state.inWindow());
        }
        Set<State> after = EnumSet.of(State.SWITCHING);
        List<State> todo = new ArrayList<>(after);
        while (!todo.isEmpty()) {
            State state = todo.remove(0);
            StateMachine.TRANSITIONS.stream()
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
