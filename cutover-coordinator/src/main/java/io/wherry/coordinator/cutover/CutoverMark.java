package io.wherry.coordinator.cutover;

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
 * @param begun time of the journal's first row: distinguishes this target from another target of the same topics
 * @param row number of the journal's row FENCING
 * @param at time of that row, ISO 8601: a journal that was set back re-uses its numbers
 * @param switched whether the switch row was committed too
 * @param fence the roles that the fence keeps out
 */
public record CutoverMark(String begun, long row, String at, boolean switched, Fence.Plan fence) {
    /** Key of this record in the control topic. */
    static final String KEY = "cutover";

    /** How much of the mark the journal knows; {@code KEPT} also if the mark belongs to another target. */
    public enum Memory {
        KEPT,
        FENCE_LOST,
        SWITCH_LOST
    }

    /** @param rows of the journal, in their order; at least one */
    public Memory in(List<Journal.Row> rows) {
        if (!rows.get(0).at().toString().equals(begun)) {
            return Memory.KEPT;
        }
        Optional<Journal.Row> fencing = rows.stream()
                .filter(r -> r.id() == row && r.at().toString().equals(at) && r.state() == State.FENCING)
                .findFirst();
        if (switched) {
            boolean kept =
                    fencing.isPresent() && rows.stream().anyMatch(r -> r.id() > row && r.state() == State.SWITCHING);
            return kept ? Memory.KEPT : Memory.SWITCH_LOST;
        }
        return fencing.isPresent() ? Memory.KEPT : Memory.FENCE_LOST;
    }
}
