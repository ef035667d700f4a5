package io.wherry.coordinator.cutover;

import io.wherry.contract.config.Migration;
import io.wherry.contract.error.RetryableException;
import io.wherry.contract.error.WherryException;
import io.wherry.coordinator.cutover.CutoverResult.Outcome;
import io.wherry.coordinator.journal.Journal;
import io.wherry.coordinator.journal.State;
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
import java.util.concurrent.CompletableFuture;
import java.util.function.Consumer;
import java.util.stream.Collectors;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * One cutover in progress: entering a state starts the state's steps on a thread, whose end comes back as an observation. Used by
 * the coordinator's thread only.
 */
public final class CutoverRun {
    private static final Logger LOG = LoggerFactory.getLogger(CutoverRun.class);
    private static final long FIRST_RETRY_MILLIS = 1_000;
    private static final long LONGEST_RETRY_MILLIS = 30_000;

    private final Migration migration;
    private final CutoverActs acts;
    private final List<Step> steps;
    private final Consumer<Observation> tell;
    private CompletableFuture<CutoverResult> asked;
    private List<String> plan = List.of();
    private String problem = "";
    private volatile Attempt attempt;
    private Thread step;
    private volatile DataComparison comparison;
    private long retryMillis = FIRST_RETRY_MILLIS;
    private long retryAtNanos;
    private boolean retryDue;

    public CutoverRun(Migration migration, CutoverActs acts, List<Step> steps, Consumer<Observation> tell) {
        this.migration = migration;
        this.acts = acts;
        this.steps = steps;
        this.tell = tell;
        this.attempt = new Attempt(acts, null);
    }

    /** The work of a state; its result is written to the journal with the next state. */
    private interface Body {
        Map<String, ?> run() throws Exception;
    }

    /** Takes note of the caller, before the journal's FENCING row. */
    public void begin(CompletableFuture<CutoverResult> future, List<String> lines) {
        asked = future;
        plan = lines;
        problem = "";
        comparison = comparison();
        attempt = new Attempt(acts, new Window(migration.cutover().maxDowntime()));
    }

    /** Whether this process fenced the source itself; otherwise an unfinished cutover was found in the journal. */
    public boolean fencedHere() {
        return window() != null;
    }

    private Window window() {
        return attempt.window();
    }

    /** Starts the work of the state. */
    public void enter(State state, Journal journal) {
        retryDue = false;
        attempt.enter(journal);
        Attempt present = attempt;
        if (steps.stream().anyMatch(one -> one.state() == state)) {
            start(state, present, () -> Story.act(steps, state, present));
        } else if (state == State.ABORTING) {
            start(state, present, () -> {
                Story.undo(steps, present);
                return Map.of();
            });
        } else if (state == State.COMPLETED) {
            finish(Outcome.COMPLETED, "", journal);
        } else if (state == State.CATCHING_UP) {
            finish(Outcome.ABORTED, problem, journal);
        }
    }

    private void start(State state, Attempt present, Body body) {
        LOG.info("{}", state);
        long row = present.journal().last().id();
        Window window = present.window();
        if (window != null) {
            window.enters(state.name());
        }
        step = Threads.named("wherry-cutover-" + state).newThread(() -> {
            boolean done = false;
            try {
                Map<String, ?> detail = body.run();
                done = true;
                tell.accept(new StepDone(row, present.hasMovedOn(), detail));
            } catch (InterruptedException e) {
                failed(row, present, String.valueOf(window == null ? null : window.endReason()));
            } catch (WherryException e) {
                failed(row, present, e.explained());
            } catch (Exception | Error e) {
                // An error too: nobody else would open the source.
                // The sessions of the step end with the window; then the window has the reason.
                String over = window == null || !(e instanceof SQLException) ? null : window.endReason();
                failed(row, present, over == null ? state + ": " + said(e) : over);
            } finally {
                if (!done) {
                    present.end();
                }
            }
        });
        step.start();
    }

    /** The message of an error alone would not say what has happened: {@code Java heap space}. */
    private static String said(Throwable failure) {
        return failure instanceof Error || failure.getMessage() == null ? failure.toString() : failure.getMessage();
    }

    /** What fails after the journal's next row was written, like the closing of a session, does not undo that row. */
    private void failed(long row, Attempt present, String why) {
        if (present.window() != null) {
            present.window().partEnds();
        }
        tell.accept(present.hasMovedOn() ? new StepDone(row, true, Map.of()) : new StepFailed(row, why));
    }

    /** The end of the window must not wait for a long comparison, and the comparison must not continue. */
    public void interruptWhenOver() {
        if (endReason() != null && step != null && step.isAlive()) {
            step.interrupt();
            window().end();
        }
    }

    public void giveUp(String reason) {
        if (fencedHere()) {
            window().giveUp(reason);
            interruptWhenOver();
        }
    }

    /** Why a success of the step comes too late; null = not too late. */
    public String endReason() {
        return fencedHere() ? window().endReason() : null;
    }

    public void aborted(String reason) {
        problem = reason;
        LOG.warn("Cutover aborted: {}", reason);
    }

    /** SWITCHING and ABORTING are retried until they succeed. */
    public void retryLater(String reason) {
        problem = reason;
        LOG.warn("Wherry tries again in {} ms: {}", retryMillis, reason);
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
     * Opens the source although the target is away and the journal cannot be written. This is safe only before PREPARING_TARGET: no
     * switch row can be on its way, and the next coordinator that reads the journal aborts. It also needs the fence's lock, kept
     * until now; without the lock the source stays as it is until a coordinator reaches the target again.
     */
    public void openSourceNow(Journal journal) {
        try {
            acts.fence().reopenIfKept(Attempt.fencePlan(journal));
        } catch (SQLException | RetryableException e) {
            LOG.warn("Cannot open the source yet: {}", e.getMessage());
        }
    }

    /** Ends a cutover of this process that the journal does not know: the target was set back to a time before it. */
    public void forgotten(Journal journal) {
        if (fencedHere()) {
            step.interrupt();
            Threads.join(step, 0);
            finish(Outcome.ABORTED, "the target has lost its last commits", journal);
        }
    }

    public void finish(Outcome outcome, String reason, Journal journal) {
        comparison = comparison();
        List<Window.Part> parts = List.of();
        if (window() != null) {
            parts = window().parts();
            // Not on the coordinator's thread: a server that does not answer must not delay its decisions.
            Threads.named("wherry-cutover-end").newThread(attempt::end).start();
            LOG.info(
                    "Times of the window: {}",
                    parts.stream().map(Window.Part::toString).collect(Collectors.joining("; ")));
        }
        attempt = new Attempt(acts, null);
        retryMillis = FIRST_RETRY_MILLIS;
        if (asked != null) {
            asked.complete(new CutoverResult(
                    outcome, reason, plan, outcome == Outcome.COMPLETED ? seconds(journal) : 0, parts));
            asked = null;
        }
        if (outcome == Outcome.COMPLETED) {
            problem = "";
        }
    }

    /** Waits for the end of a step in progress. */
    public void close() {
        if (step != null) {
            step.interrupt();
            Threads.join(step, 0);
        }
        attempt.end();
        try {
            acts.close();
        } catch (SQLException e) {
            LOG.debug("closing a lost session", e);
        }
    }

    /** What the cutover waits for, or what failed last; may be empty. */
    public String waitsFor() {
        return fencedHere() && !window().waitsFor().isEmpty() ? window().waitsFor() : problem;
    }

    /** The last comparison, null before the first. */
    public DataComparison comparison() {
        DataComparison present = attempt.comparison();
        return present == null ? comparison : present;
    }

    private static double seconds(Journal journal) {
        return journal.latest(State.FENCING)
                .flatMap(from -> journal.latest(State.SWITCHING)
                        .map(to -> Duration.between(from.at(), to.at()).toMillis() / 1e3))
                .orElse(0.0);
    }
}
