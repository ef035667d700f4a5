package io.wherry.source.load;

import io.wherry.contract.config.CaptureGroup;
import io.wherry.contract.error.RetryableException;
import io.wherry.contract.name.TableId;
import io.wherry.contract.postgres.Lsn;
import io.wherry.contract.record.LoadPlan;
import io.wherry.contract.service.Effect;
import io.wherry.contract.service.Failpoints;
import io.wherry.contract.service.Resources;
import io.wherry.source.control.ControlLog;
import io.wherry.source.control.ControlTopic;
import io.wherry.source.control.ControlTopic.Loaded;
import io.wherry.source.control.Routes;
import io.wherry.source.control.TableIdentities;
import io.wherry.source.server.KnownTables;
import io.wherry.source.server.OpenSessions;
import io.wherry.source.server.PublicationRefresh;
import io.wherry.source.server.SourceAccess;
import java.sql.Connection;
import java.sql.SQLException;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Loads until every table is completely in Kafka. A round is one snapshot and one {@link LoadPlan} of the missing tables: first all
 * tables; after a restart the tables whose snapshot ended with the process; then the tables that were altered meanwhile, and failed
 * tables that the operator retries.
 */
public final class LoadRounds {
    private static final Logger LOG = LoggerFactory.getLogger(LoadRounds.class);

    private final SourceAccess source;
    private final CaptureGroup group;
    private final OpenSessions sessions;
    private final Routes routes;
    private final LoadTopics topics;
    private final ControlTopic control;
    private final LoadLedger ledger;
    private final Set<TableId> tables;
    private final Runnable planned;
    private final Failpoints failpoints;
    private final RoundPlanner planner;

    /**
     * @param source reports what the load waits for
     * @param known binds each table to its route before the snapshot of its load; gets the file from which each table is loaded
     * @param tables that must be loaded, unless they are loaded
     * @param planned runs at the start of each round, when {@code known} has the files of its tables
     */
    public LoadRounds(
            SourceAccess source,
            KnownTables known,
            LoadTopics topics,
            LoadLedger ledger,
            Set<TableId> tables,
            Runnable planned,
            Failpoints failpoints) {
        this.source = source;
        this.group = source.group();
        this.sessions = source.sessions();
        this.routes = known.routes();
        this.topics = topics;
        this.control = topics.control();
        this.ledger = ledger;
        this.tables = tables;
        this.planned = planned;
        this.failpoints = failpoints;
        this.planner = new RoundPlanner(group, known, topics.layout());
    }

    /**
     * Ends when all tables are loaded or failed. New tables need not wait for failed tables, which are retried by the operator's
     * order.
     *
     * @param first snapshot of the new slot, or null when the slot is older; closed by this method
     */
    public void run(LoadSnapshot first) {
        List<LaneProducer> lanes = new ArrayList<>();
        LoadSnapshot snapshot = first;
        try {
            ControlLog before = ControlTopic.read(group.migration());
            if (before.plans().isEmpty() && tables.isEmpty()) {
                // A database without tables may have large objects, sequences and functions. The plan says that the
                // migration has started.
                Lsn begin = first == null ? Lsn.ZERO : first.lsn();
                control.plan(new LoadPlan(before.lastEpoch() + 1, begin, List.of()));
            }
            if (before.loaded().keySet().containsAll(tables)) {
                return;
            }
            // Before reading what is in Kafka: an earlier process that still runs could add to that, if it were not
            // fenced. And a switch that is not in Kafka yet will fence these lanes.
            for (int lane = 0; lane < topics.layout().lanes(); lane++) {
                lanes.add(topics.open(group.migration(), lane));
            }
            UnreadTables leftOver = new UnreadTables();
            while (!sessions.closed()) {
                ControlLog memory = ControlTopic.read(group.migration()).requireNoSwitch();
                Set<TableId> missing = missing(memory);
                if (snapshot == null && !missing.isEmpty()) {
                    if (bind(missing)) {
                        // Names whose table is now bound to one of these names are missing too.
                        memory = ControlTopic.read(group.migration());
                        missing = missing(memory);
                        bind(missing);
                    }
                    settlePublication(missing);
                    snapshot = LoadSnapshot.take(source, false);
                }
                Map<TableId, UnreadTables.Reason> left =
                        missing.isEmpty() ? Map.of() : round(snapshot, missing, memory, lanes);
                Resources.closeQuietly(snapshot);
                snapshot = null;
                if (left.isEmpty()) {
                    if (tables.stream().noneMatch(ledger.failed()::contains)) {
                        control.loaded(new Loaded(memory.lastEpoch()));
                        LOG.info("load: complete in Kafka");
                    }
                    return;
                } else {
                    // One table must not end the load of all other tables.
                    left.forEach((table, reason) -> leftOver.after(table, reason)
                            .ifPresent(why -> ledger.failed().add(table, why)));
                }
            }
        } catch (SQLException e) {
            throw new RetryableException(
                    "load", "from the source", e.getMessage(), "Check that the source is reachable", e);
        } finally {
            Resources.closeQuietly(snapshot);
            lanes.forEach(LaneProducer::close);
        }
    }

    private Set<TableId> missing(ControlLog memory) {
        Set<TableId> missing = new HashSet<>(tables);
        missing.removeAll(memory.loaded().keySet());
        missing.removeIf(ledger.failed()::contains);
        return missing;
    }

    /**
     * Binds the names to the tables that have them now.
     *
     * @return whether tables of other names were bound, so that the loads of those names are void
     */
    private boolean bind(Set<TableId> names) throws SQLException {
        Connection session = sessions.open("tables");
        try {
            Set<TableId> losers = routes.bind(TableIdentities.read(session, group.migration(), names));
            losers.forEach(control::unloaded);
            return !losers.isEmpty();
        } finally {
            sessions.release(session);
        }
    }

    /** For a snapshot without a new slot: the slot of the stream may be older than the last table in the publication. */
    private void settlePublication(Set<TableId> missing) throws SQLException {
        Connection session = sessions.open("publication");
        try {
            PublicationRefresh.settle(session, group, missing, source.locks(), sessions::closed);
        } finally {
            sessions.release(session);
        }
    }

    /** @return existing tables that are neither loaded nor failed */
    private Map<TableId, UnreadTables.Reason> round(
            LoadSnapshot snapshot, Set<TableId> missing, ControlLog memory, List<LaneProducer> lanes)
            throws SQLException {
        RoundPlan round = planner.plan(snapshot, missing, memory);
        LoadPlan plan = round.plan();
        control.cut(round.cuts());
        failpoints.before(Effect.PLAN);
        control.plan(plan);
        failpoints.after(Effect.PLAN);
        routes.planned(plan.tables().stream().map(LoadPlan.Table::id).toList());
        planned.run();
        FullLoad load = new FullLoad(group, snapshot, plan, round.chunks(), lanes, ledger, failpoints);
        load.run();
        Set<TableId> loaded = ControlTopic.read(group.migration()).loaded().keySet();
        Map<TableId, UnreadTables.Reason> left = new HashMap<>();
        round.moved()
                .forEach(table -> left.put(
                        table, UnreadTables.Reason.altered("the table was renamed or swapped, or its columns were")));
        plan.tables().forEach(table -> left.put(table.id(), load.leftOver(table.id())));
        left.keySet()
                .removeIf(table -> loaded.contains(table) || ledger.failed().contains(table));
        return left;
    }
}
