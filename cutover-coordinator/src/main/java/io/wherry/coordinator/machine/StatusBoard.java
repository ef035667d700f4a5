package io.wherry.coordinator.machine;

import io.wherry.contract.config.Flow;
import io.wherry.contract.config.Migration.Switch;
import io.wherry.contract.name.TableId;
import io.wherry.contract.record.LoadPlan;
import io.wherry.coordinator.cutover.Attempt;
import io.wherry.coordinator.journal.Journal;
import io.wherry.coordinator.journal.Journal.Row;
import io.wherry.coordinator.journal.State;
import io.wherry.coordinator.machine.Status.ProofView;
import io.wherry.coordinator.machine.Status.TableStatus;
import io.wherry.coordinator.watch.Lag;
import io.wherry.coordinator.watch.Observation.TableProgress;
import io.wherry.coordinator.watch.SlotStatus;
import java.time.Duration;
import java.time.Instant;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.stream.Collectors;

/** The published status of the coordinator: written by its thread, read by any thread. */
final class StatusBoard {
    private static final int MOST_NAMED = 3;
    private static final long PROOF_MILLIS = 500;

    private final Flow flow;
    private final Facts facts;
    private final Gate gate;
    private final Workers workers;
    private volatile Status status;
    private volatile List<StateTime> states = List.of();
    private volatile Totals totals = Totals.NONE;
    private double indexSeconds;
    private ProofView proof = ProofView.NONE;
    private long proofSeenMillis = Long.MIN_VALUE / 2;

    StatusBoard(Flow flow, Facts facts, Gate gate, Workers workers) {
        this.flow = flow;
        this.facts = facts;
        this.gate = gate;
        this.workers = workers;
        this.status = new Status(
                flow.migration().name(),
                State.LOADING,
                "source",
                "the schema",
                Lag.UNKNOWN,
                SlotStatus.UNKNOWN,
                List.of(),
                null,
                ProofView.NONE,
                List.of());
    }

    Status status() {
        return status;
    }

    List<StateTime> states() {
        return states;
    }

    Totals totals() {
        return totals;
    }

    void indexed(double seconds) {
        indexSeconds += seconds;
    }

    /** Shows why no present status is known. */
    void waiting(String what) {
        Status last = status;
        status = new Status(
                last.name(),
                last.state(),
                last.servedBy(),
                what,
                Lag.UNKNOWN,
                SlotStatus.UNKNOWN,
                last.tables().stream().map(TableStatus::withUnknownLag).toList(),
                last.lastAbort(),
                ProofView.NONE,
                last.nextSteps());
    }

    void publish(Journal journal, Map<TableId, LoadPlan.Table> plan, long nowMillis) {
        State state = journal.state();
        status = new Status(
                flow.migration().name(),
                state,
                state.servedBy(),
                waitsFor(state, plan),
                facts.lags().lag(nowMillis),
                facts.lags().slot(nowMillis),
                facts.tables().statuses(plan, table -> facts.lags().of(table, nowMillis)),
                journal.lastAbort().orElse(null),
                proof(nowMillis),
                nextSteps(state, journal));
        states = times(journal.rows());
        totals = new Totals(
                states.stream()
                        .filter(s -> s.state() == State.LOADING)
                        .mapToDouble(StateTime::seconds)
                        .sum(),
                indexSeconds,
                facts.tables().relations().stream()
                        .mapToLong(TableProgress::rowsLoaded)
                        .sum(),
                facts.tables().relations().stream()
                        .mapToLong(TableProgress::bytesLoaded)
                        .sum());
    }

    /** Read once in a while: thousands of tables take milliseconds. */
    private ProofView proof(long nowMillis) {
        if (nowMillis - proofSeenMillis >= PROOF_MILLIS) {
            proofSeenMillis = nowMillis;
            proof = workers.prover()
                    .status()
                    .map(found ->
                            ProofView.of(found, workers.prover().requests().stopped()))
                    .orElseGet(() -> ProofView.none(workers.prover().problem()));
        }
        return proof;
    }

    private String waitsFor(State state, Map<TableId, LoadPlan.Table> plan) {
        return switch (state) {
            case LOADING ->
                plan.isEmpty()
                        ? facts.sourceWaits().stream()
                                .findFirst()
                                .map(line -> "the source-connector: " + line)
                                .orElse("the source-connector's load plan")
                        : missing(facts.tables().notLoaded(plan), plan, "loaded")
                                + facts.halted().map(halted -> "; " + halted).orElse("");
            case INDEXING ->
                facts.tables().buildProblem().orElse(missing(facts.tables().notReady(plan), plan, "indexed"));
            case CATCHING_UP -> gate.obstacle();
            case IN_SYNC, COMPLETED -> "";
            case FENCING, DRAINING, VERIFYING, PREPARING_TARGET, SWITCHING, ABORTING ->
                workers.run().waitsFor();
        };
    }

    /** Names the tables if they are few: a refused cutover may wait for a table that was just created on the source. */
    private static String missing(List<TableId> tables, Map<TableId, LoadPlan.Table> plan, String what) {
        String some = tables.isEmpty() || tables.size() > MOST_NAMED
                ? ""
                : ": " + tables.stream().map(TableId::toString).collect(Collectors.joining(", "));
        return tables.size() + " of " + plan.size() + " tables to be " + what + some;
    }

    private List<String> nextSteps(State state, Journal journal) {
        return switch (state) {
            case LOADING, INDEXING, CATCHING_UP -> withDrift(List.of("wait until the state is IN_SYNC"));
            case IN_SYNC -> withDrift(List.of("wherry cutover --dry-run", "wherry cutover"));
            case FENCING, DRAINING, VERIFYING, PREPARING_TARGET -> List.of("wherry abort");
            case ABORTING -> List.of("wait until the source is open again");
            case SWITCHING -> List.of("check that the traffic switch can succeed; Wherry tries the switch again");
            case COMPLETED -> completedSteps(journal);
        };
    }

    private List<String> withDrift(List<String> steps) {
        List<String> all = new ArrayList<>(facts.sourceWaits());
        all.addAll(facts.remedies());
        all.addAll(facts.drift().obstacles());
        all.addAll(workers.follower().pending());
        all.addAll(workers.trial().refused());
        all.addAll(proof.differences());
        if (proof.stopped()) {
            all.add("wherry verify resume; the proof is stopped, so a cutover would compare more in its window");
        }
        all.addAll(workers.watch().pending());
        all.addAll(steps);
        return all;
    }

    private List<String> completedSteps(Journal journal) {
        List<String> steps = new ArrayList<>(workers.watch().pending());
        Attempt.fencePlan(journal)
                .subscriptions()
                .forEach(name -> steps.add("subscription " + name
                        + " wrote into the source and is disabled there; CREATE SUBSCRIPTION on the target if it is still"
                        + " needed"));
        steps.addAll(workers.afterwards().lines());
        if (flow.migration().cutover().traffic() instanceof Switch.None) {
            steps.add("point the applications at " + flow.to());
        }
        steps.add("keep the source, closed as it is, until you trust the target");
        if (!workers.afterwards().done()) {
            return steps;
        }
        String drops = flow.groups().stream()
                .map(group -> "SELECT pg_drop_replication_slot('" + group.slot() + "'); DROP PUBLICATION "
                        + group.publication())
                .collect(Collectors.joining("; "));
        steps.add("on the source: " + drops + restoring() + "; on the target: DROP SCHEMA wherry CASCADE");
        return steps;
    }

    /** What the source-connector restores after the switch, unless it does not run then. */
    private String restoring() {
        return facts.restoring().stream().map(statement -> "; " + statement).collect(Collectors.joining());
    }

    private static List<StateTime> times(List<Row> rows) {
        List<StateTime> times = new ArrayList<>();
        for (int i = 0; i < rows.size(); i++) {
            Instant end = i + 1 < rows.size() ? rows.get(i + 1).at() : Instant.now();
            double seconds = Duration.between(rows.get(i).at(), end).toNanos() / 1e9;
            times.add(new StateTime(rows.get(i).state(), Math.max(0, seconds)));
        }
        return times;
    }
}
