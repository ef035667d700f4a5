package io.wherry.coordinator.cutover;

import io.wherry.coordinator.fence.Fence;
import io.wherry.coordinator.journal.State;
import java.sql.Connection;
import java.sql.SQLException;
import java.util.List;
import java.util.Map;

/**
 * One step of the cutover.
 *
 * @param state in which the step runs; the steps of a state run one after another, and the journal moves on after the last
 * @param title what the step does, as text for people
 * @param details what the step would do now, line by line, for the plan
 * @param act does the step. Before the switch row a failure aborts the cutover. After the switch row a failure runs the state's
 *     steps again, so each of these must be idempotent. The result of an act goes into the journal's row of the next state
 * @param undo takes the act back, whether it was done wholly, in part or not at all, any number of times; null = the act leaves
 *     nothing behind
 */
public record Step(State state, String title, Details details, Act act, Undo undo) {
    private static final Details NO_DETAILS = sides -> List.of();

    /** A step that leaves nothing behind and whose title says all. */
    static Step of(State state, String title, Act act) {
        return new Step(state, title, NO_DETAILS, act, null);
    }

    /** Such a step, with lines for the plan. */
    static Step of(State state, String title, Details details, Act act) {
        return new Step(state, title, details, act, null);
    }

    /** What a dry run knows: both sides as they are now. */
    public record Sides(
            CutoverActs acts, Connection source, Connection target, Fence.Plan fence, WindowForecast forecast) {}

    /** Lines for the plan. */
    public interface Details {
        List<String> read(Sides sides) throws SQLException;
    }

    /** Does the step. */
    public interface Act {
        Map<String, ?> run(Attempt attempt) throws Exception;
    }

    /** Takes the step back. */
    public interface Undo {
        void run(Attempt attempt) throws SQLException;
    }
}
