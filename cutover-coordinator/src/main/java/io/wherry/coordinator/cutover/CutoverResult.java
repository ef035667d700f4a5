package io.wherry.coordinator.cutover;

import io.wherry.coordinator.sql.Window;
import java.util.List;

/**
 * How a requested cutover ended.
 *
 * @param reason why the cutover was refused or aborted; empty otherwise
 * @param plan what was or would be done
 * @param windowSeconds from the fence to the switch row; 0 unless completed
 * @param parts of the window and how long each took, also the part in which it was aborted; none when no window began
 */
public record CutoverResult(
        Outcome outcome, String reason, List<String> plan, double windowSeconds, List<Window.Part> parts) {
    public CutoverResult {
        plan = List.copyOf(plan);
        parts = List.copyOf(parts);
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
