package io.wherry.coordinator.machine;

import io.wherry.contract.name.TableId;
import io.wherry.contract.record.LoadPlan;
import io.wherry.coordinator.watch.Progress;
import java.util.Map;
import java.util.Set;

/**
 * How far the load plan is done on the target. Only the coordinator's thread writes; any thread may read {@code halted} and {@code
 * applying}.
 */
final class Readiness {
    private final Progress progress;
    private final TableFacts tables;
    private boolean loaded;
    private boolean ready;
    private Map<TableId, Integer> epochs = Map.of();
    private volatile Set<TableId> halted = Set.of();
    private volatile boolean applying;

    Readiness(Progress progress, TableFacts tables) {
        this.progress = progress;
        this.tables = tables;
    }

    /** Looks at what is known now. */
    void look(Map<TableId, LoadPlan.Table> plan) {
        epochs = progress.epochs();
        tables.see(epochs);
        loaded = progress.hasLoadPlan() && tables.notLoaded(plan).isEmpty();
        ready = loaded && tables.notReady(plan).isEmpty();
        // The other tables must not wait for a table whose load has stopped.
        Set<TableId> stopped = tables.halted(plan);
        halted = stopped;
        applying = progress.hasLoadPlan() && stopped.containsAll(tables.notReady(plan));
    }

    /** Whether the target holds all rows of all tables. */
    boolean loaded() {
        return loaded;
    }

    /** The least epoch of each table's load that counted at the last look. */
    Map<TableId, Integer> epochs() {
        return epochs;
    }

    /** Whether all tables are loaded, and have their keys and indexes. */
    boolean ready() {
        return ready;
    }

    /** Tables whose load or index building waits for the operator. */
    Set<TableId> halted() {
        return halted;
    }

    /** Whether changes are applied to every table except halted ones. */
    boolean applying() {
        return applying;
    }
}
