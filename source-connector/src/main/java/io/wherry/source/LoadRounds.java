package io.wherry.source;

import io.wherry.contract.Catalog;
import io.wherry.contract.DataException;
import io.wherry.contract.LoadPlan;
import io.wherry.contract.Migration;
import io.wherry.contract.RetryableException;
import io.wherry.contract.TableId;
import io.wherry.source.ControlTopic.Loaded;
import io.wherry.source.ControlTopic.Memory;
import java.sql.SQLException;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Loads until every table is completely in Kafka. A round is one snapshot and one {@link LoadPlan} over the tables still
 * missing: at first all; after a restart those whose snapshot died with the process; then those altered meanwhile.
 */
final class LoadRounds {
    private static final Logger LOG = LoggerFactory.getLogger(LoadRounds.class);
    private static final int MOST_ROUNDS = 20;

    private final Migration migration;
    private final Set<TableId> tables;
    private final KafkaTopics.Layout layout;
    private final ControlTopic control;
    private final OpenSessions sessions;
    private final CaptureCounts counts;
    private final BlockBudget budget;
    private final Map<TableId, Long> files;
    private final Runnable planned;

    /**
     * @param files gets the number of the file that held each table's rows
     * @param planned run at the beginning of each round, when {@code files} knows its tables
     */
    LoadRounds(
            Migration migration,
            Set<TableId> tables,
            KafkaTopics.Layout layout,
            ControlTopic control,
            OpenSessions sessions,
            CaptureCounts counts,
            BlockBudget budget,
            Map<TableId, Long> files,
            Runnable planned) {
        this.migration = migration;
        this.tables = tables;
        this.layout = layout;
        this.control = control;
        this.sessions = sessions;
        this.counts = counts;
        this.budget = budget;
        this.files = files;
        this.planned = planned;
    }

    /** @param first snapshot of the slot just made, or null when the slot is older: closed by this method */
    void run(LoadSnapshot first) {
        LoadSnapshot snapshot = first;
        try {
            for (int round = 1; round <= MOST_ROUNDS; round++) {
                Memory memory = ControlTopic.read(migration);
                Set<TableId> missing = new HashSet<>(tables);
                missing.removeAll(memory.loaded().keySet());
                if (missing.isEmpty()) {
                    return;
                }
                if (snapshot == null) {
                    snapshot = LoadSnapshot.take(migration, sessions, false);
                }
                if (round(snapshot, missing, memory.lastEpoch() + 1)) {
                    return;
                }
                Quietly.close(snapshot);
                snapshot = null;
            }
        } catch (SQLException e) {
            throw new RetryableException("load", "from the source", e.getMessage(), "Look whether it is up", e);
        } finally {
            Quietly.close(snapshot);
        }
        throw new DataException(
                "load",
                "tables",
                "some were altered or truncated in each of " + MOST_ROUNDS + " rounds",
                "Hold back ALTER TABLE, TRUNCATE and VACUUM FULL until the load is done");
    }

    /** @return whether every missing table that still exists is loaded */
    private boolean round(LoadSnapshot snapshot, Set<TableId> missing, int epoch) throws SQLException {
        LoadPlanner planner = new LoadPlanner(snapshot.session(), layout.lanes());
        List<Chunk> chunks = new ArrayList<>();
        List<LoadPlan.Table> planned = new ArrayList<>();
        for (Catalog.Table table : snapshot.tables(missing)) {
            List<Chunk> parts = planner.chunks(table, migration.tables().whereClause(table.id()));
            chunks.addAll(parts);
            files.put(table.id(), snapshot.file(table));
            planned.add(new LoadPlan.Table(
                    table.id(),
                    migration.topics().changes(table.id()),
                    layout.partitions().get(table.id()),
                    parts.size(),
                    table.rowsEstimated(),
                    table.bytes()));
        }
        LoadPlan plan = new LoadPlan(epoch, snapshot.lsn(), planned);
        control.plan(plan);
        planned.run();
        try (FullLoad load = new FullLoad(migration, control, snapshot, plan, chunks, counts, budget)) {
            load.run(layout.lanes());
        }
        Set<TableId> loaded = ControlTopic.read(migration).loaded().keySet();
        if (planned.stream().allMatch(table -> loaded.contains(table.id()))) {
            control.loaded(new Loaded(epoch));
            LOG.info("load {}: complete in Kafka", epoch);
            return true;
        }
        return false;
    }
}
