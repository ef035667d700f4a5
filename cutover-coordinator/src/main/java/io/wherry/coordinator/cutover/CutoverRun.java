package io.wherry.coordinator.cutover;

import io.wherry.contract.config.Migration;
import io.wherry.contract.error.DataException;
import io.wherry.contract.error.RetryableException;
import io.wherry.contract.error.WherryException;
import io.wherry.contract.postgres.Lsn;
import io.wherry.contract.record.Json;
import io.wherry.coordinator.cutover.CutoverResult.Outcome;
import io.wherry.coordinator.fence.Fence;
import io.wherry.coordinator.journal.Journal;
import io.wherry.coordinator.journal.State;
import io.wherry.coordinator.journal.StateMachine.Event;
import io.wherry.coordinator.row.DataComparison;
import io.wherry.coordinator.sql.Window;
import io.wherry.coordinator.thread.Threads;
import io.wherry.coordinator.watch.Observation;
import io.wherry.coordinator.watch.Observation.StepDone;
import io.wherry.coordinator.watch.Observation.StepFailed;
import java.sql.SQLException;
import java.time.Duration;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import java.util.concurrent.CompletableFuture;
import java.util.function.Consumer;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * One cutover under way: entering a state starts the state's step on a thread, whose end comes back as an observation. Used by
 * the coordinator's thread only.
 */
public final class CutoverRun {
    private static final Logger LOG = LoggerFactory.getLogger(CutoverRun.class);
    private static final long FIRST_RETRY_MILLIS = 1_000;
    private static final long LONGEST_RETRY_MILLIS = 30_000;

    private final Migration migration;
    private final CutoverSteps steps;
    private final Consumer<Observation> tell;
    private CompletableFuture<CutoverResult> asked;
    private List<String> plan = List.of();
    private String problem = "";
    private Window window;
    private Thread step;
    private volatile DataComparison comparison;
    private volatile Decision decision;
    private long retryMillis = FIRST_RETRY_MILLIS;
    private long retryAtNanos;
    private boolean retryDue;

    public CutoverRun(Migration migration, CutoverSteps steps, Consumer<Observation> tell) {
        this.migration = migration;
        this.steps = steps;
        this.tell = tell;
    }

    /** A piece of the story; what it returns is written to the journal with the event. */
    private interface Step {
        Map<String, ?> run() throws Exception;
    }

    /** Takes note of who asked, before the journal's FENCING row. */
    public void begin(CompletableFuture<CutoverResult> future, List<String> steps) {
        asked = future;
        plan = steps;
        problem = "";
        window = new Window(migration.cutover().maxDowntime());
    }

    /** Whether this process fenced the source itself; otherwise an unfinished cutover was found in the journal. */
    public boolean begun() {
        return window != null;
    }

    /** Starts what the state asks for. */
    public void enter(State state, Journal journal) {
        retryDue = false;
        long row = journal.last().id();
        CutoverSteps.Claim claim = steps.claim(row);
        switch (state) {
            case FENCING -> {
                CutoverMark mark = mark(journal, false);
                start(state, row, Event.FENCED, () -> {
                    claim.require();
                    steps.marks().write(mark);
                    Lsn fenceLsn = steps.fence(mark.fence(), claim, window);
                    return Map.of("fenceLsn", fenceLsn);
                });
            }
            case DRAINING ->
                start(state, row, Event.DRAINED, () -> {
                    Map<String, Long> vector = new TreeMap<>();
                    decision = steps.drain(fenceLsn(journal), window);
                    decision.vector().forEach((p, offset) -> vector.put(p.toString(), offset));
                    return Map.of("drainVector", vector);
                });
            case VERIFYING -> start(state, row, Event.VERIFIED, this::verify);
            case PREPARING_TARGET ->
                start(state, row, Event.SWITCH, () -> {
                    steps.prepareAndCommitSwitch(journal, decision, window);
                    return Map.of();
                });
            case SWITCHING -> {
                CutoverMark mark = mark(journal, true);
                start(state, row, Event.SWITCHED, () -> {
                    boolean noted = noted(mark);
                    steps.moveTraffic(fenceLsn(journal).toString(), claim);
                    if (!noted) {
                        steps.marks().writeSwitched(mark);
                    }
                    return Map.of();
                });
            }
            case ABORTING ->
                start(state, row, Event.UNFENCED, () -> {
                    steps.unfence(fencePlan(journal), claim);
                    return Map.of();
                });
            case COMPLETED -> finish(Outcome.COMPLETED, "", journal);
            case CATCHING_UP -> finish(Outcome.ABORTED, problem, journal);
            case LOADING, INDEXING, IN_SYNC -> {}
        }
    }

    /**
     * Applications wait, so traffic is moved even if Kafka does not take the mark: it matters only if the target loses commits, and
     * for a source-connector whose records nobody can apply any more.
     */
    private boolean noted(CutoverMark mark) {
        try {
            steps.marks().writeSwitched(mark);
            return true;
        } catch (RetryableException e) {
            LOG.warn("{}", e.explained());
            return false;
        }
    }

    private Map<String, ?> verify() throws SQLException, InterruptedException {
        DataComparison found = steps.verify(window);
        comparison = found;
        if (!found.equal()) {
            throw new DataException("verify", "", "source and target differ:\n" + found.differences(), "");
        }
        return Map.of("tables", found.tables().size(), "rows", found.rowsCompared());
    }

    private void start(State state, long row, Event end, Step body) {
        LOG.info("{}", state);
        step = Threads.named("wherry-cutover-" + state).newThread(() -> {
            try {
                tell.accept(new StepDone(row, end, body.run()));
            } catch (InterruptedException e) {
                tell.accept(new StepFailed(row, String.valueOf(window == null ? null : window.over())));
            } catch (WherryException e) {
                tell.accept(new StepFailed(row, e.explained()));
            } catch (Exception e) {
                // Its sessions end with the window, and then say so.
                String over = window == null || !(e instanceof SQLException) ? null : window.over();
                tell.accept(new StepFailed(row, over == null ? state + ": " + e.getMessage() : over));
            }
        });
        step.start();
    }

    /** The window's end must not wait for a long comparison, nor may that go on. */
    public void interruptWhenOver() {
        if (window != null && window.over() != null && step != null && step.isAlive()) {
            step.interrupt();
            window.end();
        }
    }

    public void giveUp(String reason) {
        if (window != null) {
            window.giveUp(reason);
            interruptWhenOver();
        }
    }

    /** Why the step's success comes too late; null = it does not. */
    public String over() {
        return window == null ? null : window.over();
    }

    public void aborted(String reason) {
        problem = reason;
        LOG.warn("Cutover aborted: {}", reason);
    }

    /** SWITCHING and ABORTING are tried until they succeed. */
    public void retryLater(String reason) {
        problem = reason;
        LOG.warn("Trying again in {} ms: {}", retryMillis, reason);
        retryAtNanos = System.nanoTime() + retryMillis * 1_000_000;
        retryMillis = Math.min(2 * retryMillis, LONGEST_RETRY_MILLIS);
        retryDue = true;
    }

    public void retryWhenDue(State state, Journal journal) {
        if (retryDue && System.nanoTime() - retryAtNanos > 0) {
            enter(state, journal);
        }
    }

    /**
     * Opens the source although the journal cannot be written, because the target is away. Safe before PREPARING_TARGET only: no
     * switch row can be on its way, and whoever reads the journal next aborts. And only with the fence's lock kept; without it the
     * source stays as it is until somebody sees the target again.
     */
    public void openSourceNow(Journal journal) {
        try {
            steps.unfenceIfKept(fencePlan(journal));
        } catch (SQLException | RetryableException e) {
            LOG.warn("Cannot open the source yet: {}", e.getMessage());
        }
    }

    /** The journal does not know of the cutover that this process began: the target was set back to before it. */
    public void forgotten(Journal journal) {
        if (begun()) {
            step.interrupt();
            Threads.join(step, 0);
            finish(Outcome.ABORTED, "the target has lost its last commits", journal);
        }
    }

    public void finish(Outcome outcome, String reason, Journal journal) {
        window = null;
        retryMillis = FIRST_RETRY_MILLIS;
        if (asked != null) {
            asked.complete(
                    new CutoverResult(outcome, reason, plan, outcome == Outcome.COMPLETED ? seconds(journal) : 0));
            asked = null;
        }
        if (outcome == Outcome.COMPLETED) {
            problem = "";
        }
    }

    /** Waits for the end of a step under way. */
    public void close() {
        if (step != null) {
            step.interrupt();
            Threads.join(step, 0);
        }
        try {
            steps.close();
        } catch (SQLException e) {
            LOG.debug("closing a lost session", e);
        }
    }

    /** What is waited for, or what went wrong last; may be empty. */
    public String waitsFor() {
        return window != null && !window.waitsFor().isEmpty() ? window.waitsFor() : problem;
    }

    /** The last comparison, null before the first. */
    public DataComparison comparison() {
        return comparison;
    }

    private static double seconds(Journal journal) {
        return journal.latest(State.FENCING)
                .flatMap(from -> journal.latest(State.SWITCHING)
                        .map(to -> Duration.between(from.at(), to.at()).toMillis() / 1e3))
                .orElse(0.0);
    }

    /** Of the last cutover. */
    public static Fence.Plan fencePlan(Journal journal) {
        return Json.mapper()
                .convertValue(
                        journal.latest(State.FENCING).orElseThrow().detail().get("fence"), Fence.Plan.class);
    }

    private static CutoverMark mark(Journal journal, boolean switched) {
        Journal.Row fencing = journal.latest(State.FENCING).orElseThrow();
        String begun = journal.rows().get(0).at().toString();
        return new CutoverMark(begun, fencing.id(), fencing.at().toString(), switched, fencePlan(journal));
    }

    private static Lsn fenceLsn(Journal journal) {
        return Lsn.parse(journal.latest(State.DRAINING)
                .orElseThrow()
                .detail()
                .get("fenceLsn")
                .asText());
    }
}
