package io.wherry.source.load;

import io.wherry.contract.config.Migration;
import io.wherry.contract.error.RetryableException;
import io.wherry.contract.name.TableId;
import io.wherry.contract.postgres.Catalog;
import io.wherry.contract.postgres.CatalogColumns;
import io.wherry.contract.postgres.CatalogTable;
import io.wherry.contract.postgres.Lsn;
import io.wherry.contract.postgres.SelectedTables;
import io.wherry.contract.record.LoadPlan;
import io.wherry.contract.record.LoadPlan.Resumed;
import io.wherry.contract.service.Effect;
import io.wherry.contract.service.Failpoints;
import io.wherry.contract.service.Quietly;
import io.wherry.source.control.CaptureCounts;
import io.wherry.source.control.ColumnNumbers;
import io.wherry.source.control.ControlTopic;
import io.wherry.source.control.ControlTopic.Loaded;
import io.wherry.source.control.Cut;
import io.wherry.source.control.Memory;
import io.wherry.source.control.Memory.Resumable;
import io.wherry.source.control.Routes;
import io.wherry.source.control.Routes.Identity;
import io.wherry.source.publish.KafkaTopics;
import io.wherry.source.server.OpenSessions;
import io.wherry.source.server.Partition;
import io.wherry.source.server.Publication;
import io.wherry.source.server.TableFiles;
import io.wherry.source.server.TableLocks;
import io.wherry.source.server.WholeTables;
import java.sql.Connection;
import java.sql.SQLException;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.function.Function;
import java.util.stream.Collectors;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Loads until every table is completely in Kafka. A round is one snapshot and one {@link LoadPlan} over the tables still
 * missing: at first all; after a restart those whose snapshot died with the process; then those altered meanwhile, or given
 * up until the operator said to try again. A table that can goes on with the chunks it lacks.
 */
public final class LoadRounds {
    private static final Logger LOG = LoggerFactory.getLogger(LoadRounds.class);

    private final Migration migration;
    private final Set<TableId> tables;
    private final KafkaTopics.Layout layout;
    private final ControlTopic control;
    private final OpenSessions sessions;
    private final FailedTables failed;
    private final Runnable requireLock;
    private final CaptureCounts counts;
    private final BlockBudget budget;
    private final TableFiles files;
    private final WholeTables whole;
    private final TableLocks locks;
    private final Runnable planned;
    private final Failpoints failpoints;
    private final Routes routes;

    /**
     * @param routes to which each table is bound before the snapshot of its load
     * @param requireLock fails when this source-connector is not the one that acts
     * @param files gets the file that each table is loaded from
     * @param whole gets the partitions of the tables that are carried whole
     * @param locks tells what is waited for
     * @param planned run at the beginning of each round, when {@code files} knows its tables
     */
    public LoadRounds(
            Migration migration,
            Routes routes,
            Set<TableId> tables,
            KafkaTopics.Layout layout,
            ControlTopic control,
            OpenSessions sessions,
            FailedTables failed,
            Runnable requireLock,
            CaptureCounts counts,
            BlockBudget budget,
            TableFiles files,
            WholeTables whole,
            TableLocks locks,
            Runnable planned,
            Failpoints failpoints) {
        this.migration = migration;
        this.routes = routes;
        this.tables = tables;
        this.layout = layout;
        this.control = control;
        this.sessions = sessions;
        this.failed = failed;
        this.requireLock = requireLock;
        this.counts = counts;
        this.budget = budget;
        this.files = files;
        this.whole = whole;
        this.locks = locks;
        this.planned = planned;
        this.failpoints = failpoints;
    }

    /**
     * Ends when all is loaded but what was given up: new tables need not wait for that, which begins again by the operator's order.
     *
     * @param first snapshot of the slot just made, or null when the slot is older: closed by this method
     */
    public void run(LoadSnapshot first) {
        List<LaneProducer> lanes = new ArrayList<>();
        LoadSnapshot snapshot = first;
        try {
            Memory before = ControlTopic.read(migration);
            if (before.plans().isEmpty() && tables.isEmpty()) {
                // A database without tables has large objects, sequences and functions; that it has begun must be
                // known.
                Lsn begin = first == null ? Lsn.ZERO : first.lsn();
                control.plan(new LoadPlan(before.lastEpoch() + 1, begin, List.of()));
            }
            if (before.loaded().keySet().containsAll(tables)) {
                return;
            }
            // Before reading what is in Kafka: an earlier process that still runs could add to it, but for being
            // fenced. And a switch that is not in Kafka yet will fence these.
            for (int lane = 0; lane < layout.lanes(); lane++) {
                lanes.add(new LaneProducer(migration, lane, layout.transactionTimeout(), requireLock));
            }
            LeftOver leftOver = new LeftOver();
            while (!sessions.closed()) {
                Memory memory = ControlTopic.read(migration).requireNoSwitch();
                Set<TableId> missing = missing(memory);
                if (snapshot == null && !missing.isEmpty()) {
                    if (bind(missing)) {
                        // What others lost their tables to these is missing too.
                        memory = ControlTopic.read(migration);
                        missing = missing(memory);
                        bind(missing);
                    }
                    settlePublication(missing);
                    snapshot = LoadSnapshot.take(migration, sessions, locks, false);
                }
                Map<TableId, LeftOver.Reason> left =
                        missing.isEmpty() ? Map.of() : round(snapshot, missing, memory, lanes);
                Quietly.close(snapshot);
                snapshot = null;
                if (left.isEmpty()) {
                    if (tables.stream().noneMatch(failed::contains)) {
                        control.loaded(new Loaded(memory.lastEpoch()));
                        LOG.info("load: complete in Kafka");
                    }
                    return;
                } else {
                    // One of them must not end the load of all others.
                    left.forEach(
                            (table, reason) -> leftOver.after(table, reason).ifPresent(why -> failed.add(table, why)));
                }
            }
        } catch (SQLException e) {
            throw new RetryableException("load", "from the source", e.getMessage(), "Look whether it is up", e);
        } finally {
            Quietly.close(snapshot);
            lanes.forEach(LaneProducer::close);
        }
    }

    private Set<TableId> missing(Memory memory) {
        Set<TableId> missing = new HashSet<>(tables);
        missing.removeAll(memory.loaded().keySet());
        missing.removeIf(failed::contains);
        return missing;
    }

    /**
     * Binds the names to the tables that have them now.
     *
     * @return whether other names have lost their tables, and with that their load
     */
    private boolean bind(Set<TableId> names) throws SQLException {
        Connection session = sessions.open("tables");
        try {
            Set<TableId> losers = routes.bind(identities(session, migration, names));
            losers.forEach(control::unloaded);
            return !losers.isEmpty();
        } finally {
            sessions.release(session);
        }
    }

    /** The tables that have the names, as the session's snapshot sees them. */
    public static Map<TableId, Identity> identities(Connection session, Migration migration, Set<TableId> names)
            throws SQLException {
        Map<TableId, Long> oids = SelectedTables.oids(session, migration);
        oids.keySet().retainAll(names);
        Map<Long, ColumnNumbers> columns = ColumnNumbers.read(session, oids.values());
        Map<TableId, Identity> identities = new HashMap<>();
        oids.forEach(
                (name, oid) -> identities.put(name, new Identity(oid, columns.getOrDefault(oid, ColumnNumbers.NONE))));
        return identities;
    }

    /** Its slot is older than the publication's last table may be. */
    private void settlePublication(Set<TableId> missing) throws SQLException {
        Connection session = sessions.open("publication");
        try {
            Publication.settle(session, migration, missing, locks, sessions::closed);
        } finally {
            sessions.release(session);
        }
    }

    /** @return tables that are neither loaded nor given up, though they still exist */
    private Map<TableId, LeftOver.Reason> round(
            LoadSnapshot snapshot, Set<TableId> missing, Memory memory, List<LaneProducer> lanes) throws SQLException {
        int epoch = memory.lastEpoch() + 1;
        LoadPlanner planner = new LoadPlanner(snapshot.session(), migration.load());
        List<Chunk> chunks = new ArrayList<>();
        List<LoadPlan.Table> planned = new ArrayList<>();
        List<Cut> cuts = new ArrayList<>();
        List<Partition> partitions = Partition.read(snapshot.session(), migration);
        Map<Long, CatalogTable> leaves = partitions.isEmpty()
                ? Map.of()
                : Catalog.tables(snapshot.session()).stream()
                        .collect(Collectors.toMap(CatalogTable::oid, Function.identity()));
        List<TableId> moved = new ArrayList<>();
        Map<TableId, Identity> identities = identities(snapshot.session(), migration, missing);
        for (CatalogTable table : snapshot.tables(missing)) {
            Identity identity = identities.get(table.id());
            if (!routes.hold(table.id(), identity)) {
                // Its name or columns went to others between binding and snapshot: changes from after the snapshot may
                // have been left out.
                moved.add(table.id());
                continue;
            }
            ColumnNumbers numbers = identity.columns();
            String filter = migration.tables().whereClause(table.id());
            long file = snapshot.file(table.oid());
            files.loaded(table.id(), file);
            // Changes tell which rows of finished chunks are stale, so they must be followed.
            Optional<Resumable> resumable = migration.tables().follows(table.id())
                    ? memory.resumable(table, numbers, file, filter, planner.endTransaction())
                    : Optional.empty();
            List<Chunk> parts;
            if (resumable.isPresent()) {
                parts = chunksLeft(table, numbers, filter, resumable.get(), planner.endTransaction());
            } else if (table.partitioned()) {
                Cut cut = planner.cutWhole(table, numbers, epoch, of(table, partitions), leaves, snapshot);
                cuts.add(cut);
                whole.know(table.id(), cut.parts());
                parts = LoadPlanner.chunks(table, cut);
            } else {
                Cut cut = planner.cut(table, numbers, epoch, file, filter);
                cuts.add(cut);
                parts = new ArrayList<>();
                for (int i = 0; i < cut.size(); i++) {
                    parts.add(new Chunk(table, numbers, i, cut.condition(i), filter, List.of()));
                }
            }
            chunks.addAll(parts);
            planned.add(new LoadPlan.Table(
                    table.id(),
                    migration.topics().changes(table.id()),
                    layout.partitions().get(table.id()),
                    resumable.map(r -> r.cut().size() + 1).orElse(parts.size()),
                    table.rowsEstimated(),
                    table.bytes(),
                    resumable
                            .map(r -> new Resumed(
                                    r.epoch(), List.copyOf(r.chunks()), r.cut().key()))
                            .orElse(null),
                    table.oid(),
                    CatalogColumns.shape(table.columns())));
        }
        control.cut(cuts);
        LoadPlan plan = new LoadPlan(epoch, snapshot.lsn(), planned, layout.lanes(), snapshot.timeline());
        failpoints.before(Effect.PLAN);
        control.plan(plan);
        failpoints.after(Effect.PLAN);
        routes.planned(planned.stream().map(LoadPlan.Table::id).toList());
        this.planned.run();
        FullLoad load = new FullLoad(migration, snapshot, plan, chunks, lanes, failed, counts, budget, failpoints);
        load.run();
        Set<TableId> loaded = ControlTopic.read(migration).loaded().keySet();
        Map<TableId, LeftOver.Reason> left = new HashMap<>();
        moved.forEach(table -> left.put(
                table,
                LeftOver.Reason.altered("another table has its name, or other columns have the names of its own")));
        planned.forEach(table -> left.put(table.id(), load.leftOver(table.id())));
        left.keySet().removeIf(table -> loaded.contains(table) || failed.contains(table));
        return left;
    }

    private static List<Partition> of(CatalogTable whole, List<Partition> partitions) {
        return partitions.stream()
                .filter(partition -> partition.root().equals(whole.id()))
                .toList();
    }

    /** Those not in Kafka, and one more with what was written since to the rows of the others. */
    private static List<Chunk> chunksLeft(
            CatalogTable table, ColumnNumbers numbers, String filter, Resumable resumable, long endTransaction) {
        Cut cut = resumable.cut();
        LOG.info(
                "{}: {} of {} chunks are in Kafka, going on",
                table.id(),
                resumable.chunks().size(),
                cut.size());
        List<Chunk> left = new ArrayList<>();
        for (int i = 0; i < cut.size(); i++) {
            if (!resumable.chunks().contains(i)) {
                left.add(new Chunk(table, numbers, i, cut.condition(i), filter, List.of()));
            }
        }
        String changed = cut.changed(resumable.chunks(), endTransaction);
        left.add(new Chunk(table, numbers, cut.size(), changed, filter, cut.key()));
        return left;
    }
}
