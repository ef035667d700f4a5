package io.wherry.coordinator.machine;

import io.wherry.contract.name.Remedies;
import io.wherry.contract.name.TableId;
import io.wherry.contract.record.LoadPlan;
import io.wherry.contract.record.SourceStatus;
import io.wherry.contract.record.SourceStatus.Captured;
import io.wherry.coordinator.machine.Status.Counts;
import io.wherry.coordinator.machine.Status.TableStatus;
import io.wherry.coordinator.row.DataComparison;
import io.wherry.coordinator.watch.Observation.Built;
import io.wherry.coordinator.watch.Observation.TableProgress;
import io.wherry.coordinator.watch.TableLag;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.TreeMap;
import java.util.function.Function;
import java.util.stream.Collectors;

/** What is known of each table: its load, its indexes and its changes. Used by the coordinator's thread only. */
final class TableFacts {
    private final Map<TableId, TableProgress> relations = new TreeMap<>();
    private final Map<TableId, Captured> captured = new HashMap<>();
    private final Map<String, String> buildProblems = new TreeMap<>();
    private final Map<TableId, Boolean> verified = new HashMap<>();
    private final Map<TableId, String> failed = new TreeMap<>();
    private final Map<TableId, String> replaced = new TreeMap<>();
    private Map<TableId, Integer> epochs = Map.of();

    /** @param gone tables that are not on the source any more */
    void see(List<TableProgress> seen, Set<TableId> gone) {
        relations.clear();
        seen.stream()
                .filter(relation -> !gone.contains(relation.table()))
                .forEach(relation -> relations.put(relation.table(), relation));
    }

    /** These tables are not on the source any more. */
    void gone(Set<TableId> dropped) {
        relations.keySet().removeAll(dropped);
    }

    void see(SourceStatus status) {
        status.tables().forEach(table -> captured.put(table.table(), table));
        failed.clear();
        status.failed().forEach(load -> failed.put(load.table(), load.reason()));
        replaced.clear();
        status.replaced().forEach(load -> replaced.put(load.table(), load.reason()));
    }

    /** @param least the least epoch of a load that counts, for each table */
    void see(Map<TableId, Integer> least) {
        epochs = least;
    }

    void see(Built built) {
        String what =
                built.table() == null ? "partitioned tables" : built.table().toString();
        if (built.problem() == null) {
            buildProblems.remove(what);
        } else {
            buildProblems.put(what, built.problem());
        }
    }

    void see(DataComparison comparison) {
        comparison.tables().forEach(table -> verified.put(table.table(), table.equal()));
    }

    /** Whether a load plan names any table. */
    boolean planned() {
        return !epochs.isEmpty();
    }

    List<TableProgress> relations() {
        return List.copyOf(relations.values());
    }

    /** Tables of the plan that the target does not hold completely. A table that is unknown to the target counts too. */
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

    /** Tables of the plan whose load or index building has stopped until the operator acts. */
    Set<TableId> halted(Map<TableId, LoadPlan.Table> plan) {
        return notReady(plan).stream()
                .filter(table -> failed.containsKey(table)
                        || buildProblems.containsKey(table.toString())
                        || relations.containsKey(table) && relations.get(table).stoppedBecause() != null)
                .collect(Collectors.toSet());
    }

    /** The first table whose load failed, or else whose changes have stopped, and why. */
    Optional<String> halted() {
        return failed.entrySet().stream()
                .map(e -> "the load of " + e.getKey() + " failed: " + e.getValue())
                .findFirst()
                .or(() -> stopped().stream()
                        .map(r -> r.table() + ": " + r.stoppedBecause())
                        .findFirst());
    }

    /** Tables whose changes have stopped. */
    private List<TableProgress> stopped() {
        return relations.values().stream()
                .filter(r -> r.stoppedBecause() != null)
                .toList();
    }

    /** The first table that must be re-loaded because the source has another table under its name, and why. */
    Optional<String> replaced() {
        return replaced.entrySet().stream()
                .map(e -> "table " + e.getKey() + " to be re-loaded: " + e.getValue())
                .findFirst();
    }

    Optional<String> buildProblem() {
        return buildProblems.entrySet().stream()
                .map(e -> e.getKey() + ": " + e.getValue())
                .findFirst();
    }

    /** What the operator can do about tables that have failed or stopped, one line each. */
    List<String> remedies() {
        Map<TableId, String> reasons = new TreeMap<>(failed);
        stopped().forEach(r -> reasons.put(r.table(), r.stoppedBecause()));
        List<String> remedies = new ArrayList<>();
        reasons.forEach((table, reason) -> remedies.add(
                Remedies.onlyReload(reason)
                        ? Remedies.reload(table)
                        : "fix what stopped " + table + ", then " + Remedies.retry(table)));
        return remedies;
    }

    List<TableStatus> statuses(Map<TableId, LoadPlan.Table> plan, Function<TableId, TableLag> lags) {
        List<TableStatus> tables = new ArrayList<>();
        new TreeMap<>(plan).forEach((id, planned) -> tables.add(status(id, planned, lags.apply(id))));
        return tables;
    }

    private TableStatus status(TableId id, LoadPlan.Table planned, TableLag lag) {
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
                lag,
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
