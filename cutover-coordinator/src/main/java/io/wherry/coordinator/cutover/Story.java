package io.wherry.coordinator.cutover;

import static io.wherry.coordinator.journal.State.DRAINING;
import static io.wherry.coordinator.journal.State.FENCING;
import static io.wherry.coordinator.journal.State.PREPARING_TARGET;
import static io.wherry.coordinator.journal.State.SWITCHING;
import static io.wherry.coordinator.journal.State.VERIFYING;

import io.wherry.contract.error.DataException;
import io.wherry.contract.error.RetryableException;
import io.wherry.coordinator.fence.Fence;
import io.wherry.coordinator.journal.State;
import io.wherry.coordinator.row.DataComparison;
import java.sql.SQLException;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import org.apache.kafka.common.TopicPartition;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * The cutover, from top to bottom. This list gives the order of the steps, the states of the machine, the plan of a dry run, and,
 * read backwards, the abort.
 */
public final class Story {
    private static final Logger LOG = LoggerFactory.getLogger(Story.class);

    /** The steps of every cutover. */
    public static final List<Step> STEPS = List.of(
            Step.of(
                    FENCING,
                    "record in Kafka which roles the fence keeps out, in case the target loses its journal",
                    Story::mark),
            new Step(
                    FENCING,
                    "close the source to every role but Wherry's, and write the sentinel",
                    Story::fenced,
                    Story::fence,
                    attempt -> attempt.acts().fence().reopenSource(attempt.fence(), attempt.claim())),
            Step.of(DRAINING, "wait until the target holds everything up to the sentinel", Story::drain),
            Step.of(
                    VERIFYING,
                    "bring large objects and rows of extensions, then compare the rows that changed last, and every row of tables that"
                            + " are not proven yet",
                    Story::compared,
                    Story::verify),
            Step.of(
                    PREPARING_TARGET,
                    "set sequences, create foreign keys and triggers, and commit the switch row, all in one transaction on the target:"
                            + " the point of no return",
                    Story::prepared,
                    Story::prepareAndCommitSwitch),
            // ┃ From here on only forward.
            Step.of(
                    SWITCHING,
                    "record the switch in Kafka, and end the source-connector's producers",
                    Story::markSwitched),
            Step.of(
                    SWITCHING,
                    "move the applications to the target",
                    sides -> sides.acts().trafficPlan(),
                    Story::moveTraffic),
            Step.of(SWITCHING, "record the switch in Kafka, if Kafka was away before", Story::markSwitchedAtLast));

    private Story() {}

    /** What a cutover would do now, step by step. */
    public static List<String> plan(List<Step> steps, Step.Sides sides) throws SQLException {
        List<String> lines = new ArrayList<>();
        for (Step step : steps) {
            lines.add(step.state() + ": " + step.title());
            lines.addAll(step.details().read(sides));
        }
        return lines;
    }

    /** Does the steps of a state, one after another. Returns the details for the journal. */
    static Map<String, ?> act(List<Step> steps, State state, Attempt attempt) throws Exception {
        Map<String, Object> detail = new TreeMap<>();
        for (Step step : steps) {
            if (step.state() == state) {
                detail.putAll(step.act().run(attempt));
            }
        }
        return detail;
    }

    /** Takes back all steps within the window, the last step first. A step that was never started has nothing to take back. */
    static void undo(List<Step> steps, Attempt attempt) throws SQLException {
        for (int i = steps.size() - 1; i >= 0; i--) {
            Step step = steps.get(i);
            if (step.undo() != null && step.state().inWindow()) {
                step.undo().run(attempt);
            }
        }
    }

    private static Map<String, ?> mark(Attempt attempt) throws SQLException {
        attempt.window().begins("the mark in Kafka");
        attempt.claim().require();
        attempt.acts().marks().write(attempt.mark(false));
        return Map.of();
    }

    private static List<String> fenced(Step.Sides sides) throws SQLException {
        List<String> lines = new ArrayList<>(sides.fence().steps());
        Fence.remaining(sides.source()).forEach(session -> lines.add("source: now open: " + session));
        return lines;
    }

    private static Map<String, ?> fence(Attempt attempt) throws SQLException, InterruptedException {
        attempt.window().begins("sessions of the window");
        attempt.openSessions();
        attempt.window().begins("the fence");
        attempt.window().check();
        return Map.of(
                "fenceLsn", attempt.acts().fence().closeSource(attempt.fence(), attempt.claim(), attempt.window()));
    }

    private static Map<String, ?> drain(Attempt attempt) throws SQLException, InterruptedException {
        Decision decision = attempt.acts().drain(attempt.sessions(), attempt.fenceLsn(), attempt.window());
        attempt.decide(decision);
        Map<String, Long> vector = new TreeMap<>();
        for (Map.Entry<TopicPartition, Long> end : decision.vector().entrySet()) {
            vector.put(end.getKey().toString(), end.getValue());
        }
        return Map.of("drainVector", vector);
    }

    private static List<String> compared(Step.Sides sides) throws SQLException {
        List<String> lines = new ArrayList<>();
        lines.add(VERIFYING + ": " + sides.forecast().line());
        lines.addAll(sides.acts().extensionRows().plan(sides.source(), sides.target()));
        return lines;
    }

    private static Map<String, ?> verify(Attempt attempt) throws SQLException, InterruptedException {
        Verification.Verified verified =
                attempt.acts().verify(attempt.sessions(), attempt.fenceLsn(), attempt.window());
        DataComparison found = verified.comparison();
        attempt.compared(found);
        if (!found.equal()) {
            throw new DataException("verify", "", "source and target differ:\n" + found.differences(), "");
        }
        return Map.of("tables", found.tables().size(), "rows", found.rowsCompared(), "proven", verified.proven());
    }

    private static List<String> prepared(Step.Sides sides) throws SQLException {
        List<String> lines = new ArrayList<>();
        lines.add("target: set the values of " + sides.acts().sequences(sides).carried() + " sequences");
        lines.addAll(sides.acts().definitions().plan(sides.target()));
        return lines;
    }

    private static Map<String, ?> prepareAndCommitSwitch(Attempt attempt) throws SQLException, InterruptedException {
        attempt.acts()
                .prepareAndCommitSwitch(attempt.sessions(), attempt.journal(), attempt.decision(), attempt.window());
        return Map.of();
    }

    /**
     * Applications wait, so traffic is moved even if Kafka does not take the mark. The mark matters only if the target loses
     * commits, and for a source-connector whose records cannot be applied any more.
     */
    private static Map<String, ?> markSwitched(Attempt attempt) throws SQLException {
        attempt.marked(false);
        try {
            attempt.acts().marks().writeSwitched(attempt.mark(true));
            attempt.marked(true);
        } catch (RetryableException e) {
            LOG.warn("{}", e.explained());
        }
        return Map.of();
    }

    private static Map<String, ?> moveTraffic(Attempt attempt) throws SQLException, InterruptedException {
        attempt.acts().moveTraffic(attempt.fenceLsn().toString(), attempt.claim());
        return Map.of();
    }

    private static Map<String, ?> markSwitchedAtLast(Attempt attempt) throws SQLException {
        if (!attempt.marked()) {
            attempt.acts().marks().writeSwitched(attempt.mark(true));
        }
        return Map.of();
    }
}
