package io.wherry.coordinator.machine;

import io.wherry.contract.error.WherryException;
import io.wherry.coordinator.cutover.CutoverActs;
import io.wherry.coordinator.cutover.CutoverResult;
import io.wherry.coordinator.cutover.CutoverResult.Outcome;
import io.wherry.coordinator.cutover.Force;
import io.wherry.coordinator.cutover.Step;
import io.wherry.coordinator.fence.Fence;
import io.wherry.coordinator.journal.Event;
import io.wherry.coordinator.journal.State;
import io.wherry.coordinator.recheck.Difference;
import io.wherry.coordinator.thread.MonotonicClock;
import io.wherry.coordinator.thread.Threads;
import java.sql.SQLException;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeMap;
import java.util.concurrent.CompletableFuture;
import java.util.stream.Stream;

/** Plans a cutover, or starts or refuses one. Used by the coordinator's thread only, but for {@link #ask}. */
record CutoverAdmission(
        Inbox inbox,
        Control control,
        Decider decider,
        Transitions transitions,
        Facts facts,
        List<Step> steps,
        CutoverActs acts,
        Workers workers,
        StatusBoard board) {

    private static final int MOST_NAMED = 10;

    /** What the caller waits for. */
    private interface Request {
        void run(CompletableFuture<CutoverResult> result) throws SQLException;
    }

    /** Asks the coordinator's thread for a plan or a cutover. May be called by any thread. */
    void ask(CompletableFuture<CutoverResult> result, boolean dryRun, Set<Force> forced) {
        later(result, dryRun ? one -> tryAndPlan(one, forced) : one -> begin(one, forced, false));
    }

    private void later(CompletableFuture<CutoverResult> result, Request request) {
        inbox.ask(() -> request.run(result), why -> refuse(result, why));
    }

    private static void refuse(CompletableFuture<CutoverResult> result, String why) {
        refuse(result, why, List.of());
    }

    private static void refuse(CompletableFuture<CutoverResult> result, String why, List<String> plan) {
        result.complete(new CutoverResult(Outcome.REFUSED, why, plan, 0, List.of()));
    }

    private void tryAndPlan(CompletableFuture<CutoverResult> result, Set<Force> forced) {
        if (control.state() != State.IN_SYNC
                || !workers.trial().startedFor(() -> later(result, one -> plan(one, forced)))) {
            plan(result, forced);
        }
    }

    private void plan(CompletableFuture<CutoverResult> result, Set<Force> forced) {
        State state = control.state();
        String reason = state == State.IN_SYNC
                ? ""
                : "not possible now, waiting for " + board.status().waitsFor();
        List<String> lines = new ArrayList<>();
        if (state == State.IN_SYNC) {
            workers.trial().obstacles().forEach(obstacle -> lines.add("OBSTACLE: " + obstacle));
            differences().forEach(difference -> lines.add("OBSTACLE: " + difference));
            if (!workers.follower().settled()) {
                workers.follower()
                        .pending()
                        .forEach(line -> lines.add("OBSTACLE: the schema changed on the source: " + line));
            }
        }
        Threads.named("wherry-cutover-plan")
                .newThread(() -> {
                    try {
                        lines.addAll(acts.plan(steps, forced));
                        result.complete(new CutoverResult(Outcome.PLANNED, reason, lines, 0, List.of()));
                    } catch (SQLException | RuntimeException e) {
                        result.completeExceptionally(e);
                    }
                })
                .start();
    }

    /** @param tried whether the statements of the switch were tried for this cutover */
    private void begin(CompletableFuture<CutoverResult> result, Set<Force> forced, boolean tried) throws SQLException {
        if (workers.watch().comparing()) {
            workers.watch().afterwards(() -> later(result, one -> begin(one, forced, tried)));
            return;
        }
        List<String> lines = new ArrayList<>();
        Fence.Plan fence;
        String refused;
        try {
            refused = refusal();
            if (refused.isEmpty()) {
                if (!tried && workers.trial().startedFor(() -> later(result, one -> begin(one, forced, true)))) {
                    return;
                }
                List<String> refusals = new ArrayList<>(workers.trial().obstacles());
                refusals.addAll(differences());
                refusals.addAll(acts.refusedSequences());
                List<String> foreseen = acts.verifyGate().obstacles();
                if (forced.contains(Force.VERIFY)) {
                    foreseen.forEach(line -> lines.add(Force.VERIFY.overrides(line)));
                } else {
                    refusals.addAll(foreseen);
                }
                refused = String.join("; ", refusals);
            }
            fence = acts.fence().plan();
        } catch (SQLException | WherryException e) {
            refuse(result, "source or target: " + e.getMessage());
            return;
        }
        if (!refused.isEmpty()) {
            refuse(result, refused);
            return;
        }
        if (!fence.obstacles().isEmpty()) {
            refuse(result, String.join("; ", fence.obstacles()), fence.steps());
            return;
        }
        lines.addAll(fence.steps());
        workers.run().begin(result, lines);
        // The list of roles to let in again must be on record before any role is kept out.
        Map<String, Object> detail = new TreeMap<>(Force.detail(forced));
        detail.put("fence", fence);
        transitions.advance(Event.CUTOVER, detail);
        transitions.enter();
    }

    /** Rows that differ now, and are not on their way: the window would find them, and the cutover would be aborted. */
    private List<String> differences() {
        List<String> lines = workers.prover().status().stream()
                .flatMap(status -> status.differences().stream())
                .map(Difference::explained)
                .toList();
        return lines.size() <= MOST_NAMED
                ? lines
                : Stream.concat(
                                lines.stream().limit(MOST_NAMED),
                                Stream.of("and " + (lines.size() - MOST_NAMED) + " more rows that differ"))
                        .toList();
    }

    /** Why a cutover may not start now, as far as that is known at once; empty = it may start. */
    private String refusal() throws SQLException {
        // A coordinator that has just started finds IN_SYNC in the journal, and has no facts of its own yet.
        decider.decide(MonotonicClock.millis());
        State state = control.state();
        if (state != State.IN_SYNC) {
            return "in state " + state + ", waiting for " + board.status().waitsFor();
        }
        decider.follow(acts.drift());
        if (!facts.drift().obstacles().isEmpty()) {
            return String.join("; ", facts.drift().obstacles());
        }
        return workers.follower().settled()
                ? ""
                : "the schema changed on the source: "
                        + String.join("; ", workers.follower().pending());
    }
}
