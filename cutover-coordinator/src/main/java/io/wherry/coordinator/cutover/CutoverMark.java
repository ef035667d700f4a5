package io.wherry.coordinator.cutover;

import io.wherry.contract.record.Generations;
import io.wherry.coordinator.fence.Fence;
import io.wherry.coordinator.journal.Journal;
import io.wherry.coordinator.journal.State;
import java.util.List;
import java.util.Optional;

/**
 * What Kafka remembers of the last cutover: record of the control topic with key {@code cutover}. The journal is in the target, and
 * a target may come back without its last commits, as a replica that was behind or from a backup. Such a journal may lack a fence
 * that is closed or, worse, a switch that was made: a coordinator that trusts this journal opens the source while applications
 * write to the target.
 *
 * @param generation of the flow that the cutover ends, from 1
 * @param begun time of the journal's first row: distinguishes this target from another target of the same topics
 * @param row number of the journal's row FENCING
 * @param at time of that row, ISO 8601: a journal that was set back re-uses its numbers
 * @param switched whether the switch row was committed too
 * @param fence the roles that the fence keeps out
 */
public record CutoverMark(int generation, String begun, long row, String at, boolean switched, Fence.Plan fence) {
    public CutoverMark {
        Generations.require(generation);
    }

    /** Key of this record in the control topic. */
    static final String KEY = "cutover";

    /** How much of the mark the journal knows; {@code KEPT} also if the mark belongs to another target. */
    public enum Journaled {
        KEPT,
        FENCE_LOST,
        SWITCH_LOST
    }

    /** @param rows of the journal, in their order; at least one */
    public Journaled in(List<Journal.Row> rows) {
        if (!rows.get(0).at().toString().equals(begun)) {
            return Journaled.KEPT;
        }
        Optional<Journal.Row> fencing = rows.stream()
                .filter(r -> r.id() == row && r.at().toString().equals(at) && r.state() == State.FENCING)
                .findFirst();
        if (switched) {
            boolean kept =
                    fencing.isPresent() && rows.stream().anyMatch(r -> r.id() > row && r.state() == State.SWITCHING);
            return kept ? Journaled.KEPT : Journaled.SWITCH_LOST;
        }
        return fencing.isPresent() ? Journaled.KEPT : Journaled.FENCE_LOST;
    }
}
