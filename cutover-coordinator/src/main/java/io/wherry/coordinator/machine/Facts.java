package io.wherry.coordinator.machine;

import io.wherry.contract.name.Remedies;
import io.wherry.contract.name.TableId;
import io.wherry.contract.postgres.Lsn;
import io.wherry.contract.record.LoadPlan;
import io.wherry.contract.record.SourceStatus;
import io.wherry.contract.record.SourceStatus.Captured;
import io.wherry.coordinator.machine.Status.Counts;
import io.wherry.coordinator.machine.Status.TableStatus;
import io.wherry.coordinator.row.DataComparison;
import io.wherry.coordinator.schema.SchemaDrift;
import io.wherry.coordinator.watch.Lag;
import io.wherry.coordinator.watch.Latencies;
import io.wherry.coordinator.watch.Observation;
import io.wherry.coordinator.watch.Observation.HeartbeatArrived;
import io.wherry.coordinator.watch.Observation.HeartbeatEmitted;
import io.wherry.coordinator.watch.Observation.Positioned;
import io.wherry.coordinator.watch.Observation.Slot;
import io.wherry.coordinator.watch.Observation.TableProgress;
import io.wherry.coordinator.watch.Observation.TargetSeen;
import io.wherry.coordinator.watch.Observers;
import io.wherry.coordinator.watch.SlotForecast;
import io.wherry.coordinator.watch.SlotStatus;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Deque;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.TreeMap;
import java.util.stream.Collectors;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/** What the coordinator has been told so far. Used by its thread only. */
final class Facts {
    private static final Logger LOG = LoggerFactory.getLogger(Facts.class);
    private static final int HEARTBEATS_KEPT = 10_000;
    // Observations older than this say nothing about now.
    private static final long STALE_MILLIS = 10_000;

    private static final long FAILURE_MILLIS = 3_000;

    private final Latencies latencies;
    private final Deque<HeartbeatEmitted> onTheirWay = new ArrayDeque<>();
    private final Map<TableId, TableProgress> relations = new TreeMap<>();
    private final Map<TableId, Captured> captured = new HashMap<>();
    private final Map<String, String> buildProblems = new TreeMap<>();
    private final Map<TableId, Boolean> verified = new HashMap<>();
    private SchemaDrift drift = SchemaDrift.NONE;
    private final Map<TableId, String> failed = new TreeMap<>();
    private final Map<TableId, String> replaced = new TreeMap<>();
    private final SlotForecast forecast = new SlotForecast();
    private Map<TableId, Integer> epochs = Map.of();
    private String sourceProblem;
    private List<String> sourceWaits = List.of();
    private List<String> restoring = List.of();
    private Slot slot;
    private long slotSeenMillis;
    private Long behind;
    private String lost;
    private long targetSeenMillis;
    private Long inKafkaEmitted;
    private long inKafkaTook;
    private String failure;
    private long failureSeenMillis;
    private Lsn applied = Lsn.ZERO;
    private Observation.AppliedToOthers othersApplied = new Observation.AppliedToOthers(Lsn.ZERO, Set.of());
    private Long arrivedEmitted;
    private long arrivedTook;

    Facts(Latencies latencies) {
        this.latencies = latencies;
    }

    void see(HeartbeatEmitted heartbeat) {
        slot = heartbeat.slot();
        forecast.see(slot, heartbeat.emittedMillis());
        slotSeenMillis = heartbeat.emittedMillis();
        onTheirWay.add(heartbeat);
        if (onTheirWay.size() > HEARTBEATS_KEPT) {
            // Keep the oldest: how long it is overdue is the lag.
            onTheirWay.removeLast();
        }
    }

    void see(Positioned positioned) {
        while (!onTheirWay.isEmpty()
                && !onTheirWay.peek().lsn().isAfter(positioned.position().commitLsn())) {
            inKafkaEmitted = onTheirWay.remove().emittedMillis();
            inKafkaTook = positioned.seenMillis() - inKafkaEmitted;
        }
    }

    void see(HeartbeatArrived arrived) {
        applied = arrived.lsn();
        arrivedEmitted = arrived.emittedMillis();
        arrivedTook = arrived.tookMillis();
        latencies.add(arrived.tookMillis());
    }

    void see(TargetSeen seen, long nowMillis) {
        relations.clear();
        seen.relations().stream()
                .filter(relation -> !drift.gone().contains(relation.table()))
                .forEach(relation -> relations.put(relation.table(), relation));
        behind = seen.behind();
        lost = seen.lost();
        targetSeenMillis = nowMillis;
    }

    void see(SourceStatus status) {
        status.tables().forEach(table -> captured.put(table.table(), table));
        failed.clear();
        status.failed().forEach(load -> failed.put(load.table(), load.reason()));
        replaced.clear();
        status.replaced().forEach(load -> replaced.put(load.table(), load.reason()));
        sourceProblem = status.problem();
        sourceWaits = status.waitsFor();
    }

    void see(Observation.IdentitiesTaken taken) {
        restoring = taken.restoring();
    }

    /** The statements that give tables of the source their replica identity back. */
    List<String> restoring() {
        return restoring;
    }

    /** @param least the least epoch of a load that counts, for each table */
    void see(Map<TableId, Integer> least) {
        epochs = least;
    }

    void see(Observation.Built built) {
        String what =
                built.table() == null ? "partitioned tables" : built.table().toString();
        if (built.problem() == null) {
            buildProblems.remove(what);
        } else {
            buildProblems.put(what, built.problem());
        }
    }

    void see(SchemaDrift seen) {
        if (!seen.obstacles().equals(drift.obstacles())) {
            seen.obstacles().forEach(obstacle -> LOG.warn("{}", obstacle));
        }
        drift = seen;
        relations.keySet().removeAll(seen.gone());
    }

    void see(Observation.AppliedToOthers seen) {
        othersApplied = seen;
    }

    /** Everything up to here is on the target, but of tables that stand still. */
    Observation.AppliedToOthers appliedToOthers() {
        return othersApplied;
    }

    /** How the tables of both sides have come apart. */
    SchemaDrift drift() {
        return drift;
    }

    /** Everything up to here is on the target. */
    Lsn applied() {
        return applied;
    }

    void see(DataComparison comparison) {
        comparison.tables().forEach(table -> verified.put(table.table(), table.equal()));
    }

    void see(Observation.Failed failed, long nowMillis) {
        failure = failed.problem();
        failureSeenMillis = nowMillis;
    }

    /** Why the target cannot be in sync whatever the lag; empty = nothing is known. */
    Optional<String> obstacle(long nowMillis) {
        return halted().or(() -> drift.obstacles().stream().findFirst())
                .or(this::replaced)
                .or(() -> recentFailure(nowMillis));
    }

    /** What does not go on before somebody looks after it. */
    Optional<String> halted() {
        return Optional.ofNullable(sourceProblem)
                .or(this::slotProblem)
                .or(this::failedLoad)
                .or(this::stopped);
    }

    private Optional<String> replaced() {
        return replaced.entrySet().stream()
                .map(e -> "table " + e.getKey() + " to be loaded again: " + e.getValue())
                .findFirst();
    }

    private Optional<String> failedLoad() {
        return failed.entrySet().stream()
                .map(e -> "the load of " + e.getKey() + " failed: " + e.getValue())
                .findFirst();
    }

    /** What the source-connector waits for, and what the source refuses because of us; the worst first. */
    List<String> sourceWaits() {
        return sourceWaits;
    }

    /** What the operator can do about what is halted. */
    List<String> remedies() {
        List<String> remedies = new ArrayList<>();
        if (sourceProblem != null || slotProblem().isPresent()) {
            remedies.add("wherry reload --all");
        }
        Map<TableId, String> reasons = new TreeMap<>(failed);
        relations.values().stream()
                .filter(r -> r.stoppedBecause() != null)
                .forEach(r -> reasons.put(r.table(), r.stoppedBecause()));
        if (lost != null) {
            remedies.add("the target lost commits that it had confirmed (" + lost
                    + "), applied again from Kafka: see that a replica that may be promoted is a synchronous one");
        }
        reasons.forEach((table, reason) -> remedies.add(remedy(table, reason)));
        return remedies;
    }

    private static String remedy(TableId table, String reason) {
        return Remedies.onlyReload(reason)
                ? Remedies.reload(table)
                : "remove what stopped " + table + ", then " + Remedies.retry(table);
    }

    private Optional<String> recentFailure(long nowMillis) {
        return failure != null && nowMillis - failureSeenMillis < FAILURE_MILLIS
                ? Optional.of(failure)
                : Optional.empty();
    }

    List<TableProgress> relations() {
        return List.copyOf(relations.values());
    }

    Lag lag(long nowMillis) {
        return new Lag(
                slot == null || nowMillis - slotSeenMillis > STALE_MILLIS ? null : slot.retainedBytes(),
                Lag.ofHeartbeats(inKafkaEmitted, inKafkaTook, nowMillis, Observers.PERIOD_MILLIS),
                nowMillis - targetSeenMillis > STALE_MILLIS ? null : behind,
                Lag.ofHeartbeats(arrivedEmitted, arrivedTook, nowMillis, Observers.PERIOD_MILLIS));
    }

    /** Tables of the plan whose rows are not all there; all of them when the target has not heard of them. */
    List<TableId> notLoaded(Map<TableId, LoadPlan.Table> plan) {
        return plan.keySet().stream()
                .filter(t -> !loaded(relations.get(t)))
                .sorted()
                .toList();
    }

    private boolean loaded(TableProgress relation) {
        return relation != null && relation.loaded() && relation.epoch() >= epochs.getOrDefault(relation.table(), 0);
    }

    List<TableId> notReady(Map<TableId, LoadPlan.Table> plan) {
        return plan.keySet().stream()
                .filter(t -> !loaded(relations.get(t)) || !relations.get(t).ready())
                .sorted()
                .toList();
    }

    /** Tables of the plan whose load or index building does not go on before somebody looks after it. */
    Set<TableId> halted(Map<TableId, LoadPlan.Table> plan) {
        return notReady(plan).stream()
                .filter(table -> failed.containsKey(table)
                        || buildProblems.containsKey(table.toString())
                        || relations.containsKey(table) && relations.get(table).stoppedBecause() != null)
                .collect(Collectors.toSet());
    }

    /** Why a table's changes stand still, the first such. */
    private Optional<String> stopped() {
        return relations.values().stream()
                .filter(r -> r.stoppedBecause() != null)
                .map(r -> r.table() + ": " + r.stoppedBecause())
                .findFirst();
    }

    Optional<String> buildProblem() {
        return buildProblems.entrySet().stream()
                .map(e -> e.getKey() + ": " + e.getValue())
                .findFirst();
    }

    /** Why the slot can no longer serve; empty = it can. */
    private Optional<String> slotProblem() {
        // A load plan is made after the slot.
        if (slot == Slot.MISSING && !epochs.isEmpty()) {
            return Optional.of("the replication slot is not on the source any more");
        }
        return slot != null && "lost".equals(slot.walStatus())
                ? Optional.of("the replication slot is lost: "
                        + ("idle_timeout".equals(slot.invalidation())
                                ? "nobody read it for longer than the source allows (idle_replication_slot_timeout)"
                                : "the source removed write-ahead log that was still needed (max_slot_wal_keep_size)"))
                : Optional.empty();
    }

    SlotStatus slot(long nowMillis) {
        if (slot == null || nowMillis - slotSeenMillis > STALE_MILLIS) {
            return SlotStatus.UNKNOWN;
        }
        return new SlotStatus(
                slot.retainedBytes(), slot.walStatus(), slot.keepBytes(), slot.safeBytes(), forecast.lostIn(slot));
    }

    List<TableStatus> tables(Map<TableId, LoadPlan.Table> plan) {
        List<TableStatus> tables = new ArrayList<>();
        new TreeMap<>(plan).forEach((id, planned) -> tables.add(table(id, planned)));
        return tables;
    }

    private TableStatus table(TableId id, LoadPlan.Table planned) {
        TableProgress relation = relations.get(id);
        Captured counts = captured.get(id);
        String error = relation != null && relation.stoppedBecause() != null
                ? relation.stoppedBecause()
                : failed.getOrDefault(id, buildProblems.get(id.toString()));
        return new TableStatus(
                id.toString(),
                failed.containsKey(id) ? "FAILED" : state(relation),
                relation == null ? 0 : relation.rowsLoaded(),
                planned.rowsEstimated() < 0 ? null : Long.valueOf(planned.rowsEstimated()),
                counts == null ? new Counts(0, 0, 0) : new Counts(counts.insert(), counts.update(), counts.delete()),
                relation == null
                        ? new Counts(0, 0, 0)
                        : new Counts(relation.inserts(), relation.updates(), relation.deletes()),
                verified.get(id),
                error);
    }

    private String state(TableProgress relation) {
        if (relation == null) {
            return "WAITING";
        }
        if (relation.stoppedBecause() != null) {
            return "STOPPED";
        }
        return !loaded(relation) ? "LOADING" : relation.ready() ? "APPLYING" : "INDEXING";
    }
}
