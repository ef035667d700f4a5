package io.wherry.coordinator.cutover;

import java.util.List;

/**
 * How a requested cutover ended.
 *
 * @param reason why the cutover was refused or aborted; empty otherwise
 * @param plan what was or would be done
 * @param windowSeconds from the fence to the switch row; 0 unless completed
 */
public record CutoverResult(Outcome outcome, String reason, List<String> plan, double windowSeconds) {
    public CutoverResult {
        plan = List.copyOf(plan);
    }

    /** Ways to end. */
    public enum Outcome {
        /** The target serves. */
        COMPLETED,
        /** Nothing was done: not in sync. */
        REFUSED,
        /** Aborted before the switch row; the source serves as before. */
        ABORTED,
        /** Only the plan was requested. */
        PLANNED
    }
}
