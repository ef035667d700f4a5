package io.wherry.source.load;

import io.wherry.contract.config.Migration;
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
 * Loads until every table is completely in Kafka. A round is one snapshot and one {@link LoadPlan} over the tables still
 * missing: first all tables; after a restart the tables whose snapshot died with the process; then the tables that were
 * altered meanwhile, or given up until the operator ordered a retry.
 */
public final class LoadRounds {
    private static final Logger LOG = LoggerFactory.getLogger(LoadRounds.class);

    private final SourceAccess source;
    private final Migration migration;
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
     * @param source reports what is waited for
     * @param known binds each table to its route before the snapshot of its load; gets the file that each table is loaded from
     * @param tables all that are to be loaded unless they are
     * @param planned run at the beginning of each round, when {@code known} has the files of its tables
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
        this.migration = source.migration();
        this.sessions = source.sessions();
        this.routes = known.routes();
        this.topics = topics;
        this.control = topics.control();
        this.ledger = ledger;
        this.tables = tables;
        this.planned = planned;
        this.failpoints = failpoints;
        this.planner = new RoundPlanner(migration, known, topics.layout());
    }

    /**
     * Ends when all is loaded except what was given up: new tables need not wait for that, which is loaded again by the
     * operator's order.
     *
     * @param first snapshot of the slot just made, or null when the slot is older: closed by this method
     */
    public void run(LoadSnapshot first) {
        List<LaneProducer> lanes = new ArrayList<>();
        LoadSnapshot snapshot = first;
        try {
            ControlLog before = ControlTopic.read(migration);
            if (before.plans().isEmpty() && tables.isEmpty()) {
                // A database without tables has large objects, sequences and functions; all must know that its
                // migration has begun.
                Lsn begin = first == null ? Lsn.ZERO : first.lsn();
                control.plan(new LoadPlan(before.lastEpoch() + 1, begin, List.of()));
            }
            if (before.loaded().keySet().containsAll(tables)) {
                return;
            }
            // Before reading what is in Kafka: an earlier process that still runs could add to that, if it were not
            // fenced. And a switch that is not in Kafka yet will fence these lanes.
            for (int lane = 0; lane < topics.layout().lanes(); lane++) {
                lanes.add(topics.open(migration, lane));
            }
            UnreadTables leftOver = new UnreadTables();
            while (!sessions.closed()) {
                ControlLog memory = ControlTopic.read(migration).requireNoSwitch();
                Set<TableId> missing = missing(memory);
                if (snapshot == null && !missing.isEmpty()) {
                    if (bind(missing)) {
                        // Names that have lost their tables to these are missing too.
                        memory = ControlTopic.read(migration);
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
                    // One table must not end the load of all others.
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
     * @return whether other names have lost their tables, and with that their load
     */
    private boolean bind(Set<TableId> names) throws SQLException {
        Connection session = sessions.open("tables");
        try {
            Set<TableId> losers = routes.bind(TableIdentities.read(session, migration, names));
            losers.forEach(control::unloaded);
            return !losers.isEmpty();
        } finally {
            sessions.release(session);
        }
    }

    /** For a snapshot without a slot of its own: the stream's slot may be older than the publication's last table. */
    private void settlePublication(Set<TableId> missing) throws SQLException {
        Connection session = sessions.open("publication");
        try {
            PublicationRefresh.settle(session, migration, missing, source.locks(), sessions::closed);
        } finally {
            sessions.release(session);
        }
    }

    /** @return tables that are neither loaded nor given up, though they still exist */
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
        FullLoad load = new FullLoad(migration, snapshot, plan, round.chunks(), lanes, ledger, failpoints);
        load.run();
        Set<TableId> loaded = ControlTopic.read(migration).loaded().keySet();
        Map<TableId, UnreadTables.Reason> left = new HashMap<>();
        round.moved()
                .forEach(table -> left.put(
                        table,
                        UnreadTables.Reason.altered(
                                "another table has its name, or other columns have the names of its own")));
        plan.tables().forEach(table -> left.put(table.id(), load.leftOver(table.id())));
        left.keySet()
                .removeIf(table -> loaded.contains(table) || ledger.failed().contains(table));
        return left;
    }
}
