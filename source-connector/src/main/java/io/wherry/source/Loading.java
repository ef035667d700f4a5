package io.wherry.source;

import io.wherry.contract.config.CaptureGroup;
import io.wherry.contract.error.DataException;
import io.wherry.contract.kafka.Positions;
import io.wherry.contract.name.TableId;
import io.wherry.source.control.ControlTopic;
import io.wherry.source.load.LoadRounds;
import io.wherry.source.load.LoadSnapshot;
import io.wherry.source.publish.KafkaTopics;
import io.wherry.source.server.SlotGuard;
import java.util.Set;

/** The loads of one term, one at a time, each in its own thread. */
final class Loading {
    /** Prepares the load of tables. */
    interface Planning {
        LoadRounds plan(Set<TableId> tables, KafkaTopics.Layout layout);
    }

    private final CaptureGroup group;
    private final Planning planning;
    private final TermThreads threads;
    private final OperatorProblem problem;
    /** No load is running: all tables are loaded, except failed tables. */
    private volatile boolean loaded;

    Loading(CaptureGroup group, Planning planning, TermThreads threads, OperatorProblem problem) {
        this.group = group;
        this.planning = planning;
        this.threads = threads;
        this.problem = problem;
    }

    /** Whether no load is running: all tables are loaded, except failed tables. */
    boolean loaded() {
        return loaded;
    }

    /** Says, before the first load of the term, whether earlier terms have loaded everything. */
    void loadedBefore(boolean everything) {
        loaded = everything;
    }

    /**
     * Starts the first load of the term.
     *
     * @param first snapshot of the new slot, or null when the slot is older
     */
    void start(Set<TableId> tables, KafkaTopics.Layout layout, LoadSnapshot first) {
        threads.start("load", () -> load(tables, layout, first));
    }

    /** Starts another load, once the load before has ended. @param tables that must be loaded, unless they are loaded */
    void startAnother(Set<TableId> tables) {
        loaded = false;
        KafkaTopics.Layout layout = KafkaTopics.ensure(
                group.flow(),
                tables,
                ControlTopic.read(group.migration()).requireNoSwitch().plannedPartitions());
        start(tables, layout, null);
    }

    private void load(Set<TableId> tables, KafkaTopics.Layout layout, LoadSnapshot first) {
        if (first == null && !historyServes()) {
            return;
        }
        planning.plan(tables, layout).run(first);
        loaded = true;
    }

    /** Whether the source holds everything of the source that is in Kafka: otherwise the load would mix two histories. */
    private boolean historyServes() {
        try {
            SlotGuard.checkHistory(group, ControlTopic.read(group.migration()), Positions.last(group));
            return true;
        } catch (DataException e) {
            problem.declare(e);
            return false;
        }
    }
}
