package io.wherry.rehearsal.cutover;

import static org.assertj.core.api.Assertions.assertThat;

import com.fasterxml.jackson.databind.node.NullNode;
import io.wherry.contract.config.Flow;
import io.wherry.contract.config.Migration.FenceMode;
import io.wherry.coordinator.cutover.CutoverMark;
import io.wherry.coordinator.cutover.CutoverMark.Journaled;
import io.wherry.coordinator.fence.Fence;
import io.wherry.coordinator.journal.Journal;
import io.wherry.coordinator.journal.State;
import java.time.Instant;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;

/** What a journal knows of a cutover that Kafka remembers. */
@Tag("no-servers")
final class CutoverMarkTest {
    private static final Instant BEGUN = Instant.parse("2026-01-01T00:00:00Z");
    private static final Fence.Plan FENCE =
            new Fence.Plan(FenceMode.NO_LOGIN, "shop", List.of("app"), List.of(), List.of(), List.of(), List.of());

    @Test
    void aFenceIsKnownByItsRow() {
        List<Journal.Row> journal = journal(State.LOADING, State.IN_SYNC, State.FENCING);
        CutoverMark mark = mark(journal, false);
        assertThat(mark.in(journal)).isEqualTo(Journaled.KEPT);
        assertThat(mark.in(journal(State.LOADING, State.IN_SYNC))).isEqualTo(Journaled.FENCE_LOST);
    }

    @Test
    void theSameNumberAtAnotherTimeIsAnotherFence() {
        List<Journal.Row> journal = journal(State.LOADING, State.IN_SYNC, State.FENCING);
        CutoverMark mark = mark(journal, false);
        List<Journal.Row> other = journal(State.LOADING, State.IN_SYNC);
        other.add(row(3, State.FENCING, BEGUN.plusSeconds(1000)));
        assertThat(mark.in(other)).isEqualTo(Journaled.FENCE_LOST);
    }

    @Test
    void aSwitchIsKnownByARowAfterItsFence() {
        List<Journal.Row> journal = journal(
                State.LOADING,
                State.IN_SYNC,
                State.FENCING,
                State.DRAINING,
                State.VERIFYING,
                State.PREPARING_TARGET,
                State.SWITCHING);
        CutoverMark mark = mark(journal.subList(0, 3), true);
        assertThat(mark.in(journal)).isEqualTo(Journaled.KEPT);
        assertThat(mark.in(journal.subList(0, 6))).isEqualTo(Journaled.SWITCH_LOST);
        assertThat(mark.in(journal.subList(0, 2))).isEqualTo(Journaled.SWITCH_LOST);
    }

    @Test
    void anotherTargetHasForgottenNothing() {
        CutoverMark mark = mark(journal(State.LOADING, State.IN_SYNC, State.FENCING), true);
        assertThat(mark.in(List.of(row(1, State.LOADING, BEGUN.plusSeconds(5)))))
                .isEqualTo(Journaled.KEPT);
    }

    private static List<Journal.Row> journal(State... states) {
        List<Journal.Row> rows = new ArrayList<>();
        for (State state : states) {
            rows.add(row(rows.size() + 1, state, BEGUN.plusSeconds(rows.size())));
        }
        return rows;
    }

    private static Journal.Row row(long id, State state, Instant at) {
        return new Journal.Row(id, Flow.FIRST_GENERATION, at, state, NullNode.instance);
    }

    private static CutoverMark mark(List<Journal.Row> untilFencing, boolean switched) {
        Journal.Row fencing = untilFencing.get(untilFencing.size() - 1);
        return new CutoverMark(
                Flow.FIRST_GENERATION,
                BEGUN.toString(),
                fencing.id(),
                fencing.at().toString(),
                switched,
                FENCE);
    }
}
