package io.wherry.source;

import io.wherry.contract.config.CaptureGroup;
import io.wherry.contract.error.Finding;
import io.wherry.contract.name.TableId;
import io.wherry.contract.postgres.CatalogTable;
import io.wherry.contract.postgres.SelectedTables;
import io.wherry.contract.record.LoadPlan;
import io.wherry.source.check.FilterChecks;
import io.wherry.source.check.TableChecks;
import io.wherry.source.check.WholeChecks;
import io.wherry.source.control.ColumnNumbers;
import io.wherry.source.control.ControlLog;
import io.wherry.source.control.ControlTopic;
import io.wherry.source.control.Route;
import io.wherry.source.control.Routes;
import io.wherry.source.control.Routes.Identity;
import io.wherry.source.control.TableIdentities;
import io.wherry.source.load.FailedTables;
import io.wherry.source.publish.KafkaTopics;
import io.wherry.source.server.Publication;
import io.wherry.source.server.RowFilters;
import io.wherry.source.server.TableLocks;
import io.wherry.source.server.TablePublishing;
import java.sql.Connection;
import java.sql.SQLException;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.stream.Collectors;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Accepts tables that are new on the source while the migration runs: tables that were created or renamed, partitions that were
 * created or attached, and tables that are no longer what was loaded under their name, because they were dropped and created again,
 * swapped by renaming, or have columns that swapped names ({@link Routes}, {@link ColumnNumbers}).
 *
 * <p>Rows that come before a table has its route are left out of the stream, but they are not lost: the snapshot that loads the table
 * is taken after the route was created, so the snapshot holds these rows. Not safe for use by several threads.
 */
final class NewTables {
    private static final Logger LOG = LoggerFactory.getLogger(NewTables.class);
    private static final long LOOK_AGAIN_NANOS = 10_000_000_000L;
    private static final String ANOTHER =
            "the name belongs to another table on the source now: the loaded table was renamed, or dropped and created"
                    + " again";

    private final CaptureGroup group;
    private final ControlTopic control;
    private final Routes routes;
    private final TableLocks locks;
    private final FailedTables failed;
    /** Tables that have topic and route, and wait for their locks. */
    private final Set<TableId> waiting = new HashSet<>();

    private final Set<TableId> refused = new HashSet<>();
    private long refusedNanos;
    private long columnsNanos = System.nanoTime();

    /**
     * @param routes of all known tables; gets the routes of new tables
     * @param failed tables that are ignored, whatever happens to them, until the operator retries them
     */
    NewTables(CaptureGroup group, ControlTopic control, Routes routes, TableLocks locks, FailedTables failed) {
        this.group = group;
        this.control = control;
        this.routes = routes;
        this.locks = locks;
        this.failed = failed;
    }

    /**
     * The selected tables at a start, except new tables since the start of the migration that cannot be replicated. Those are reported
     * again and again, and do not block other tables.
     */
    static List<CatalogTable> withoutUnfit(Connection session, CaptureGroup group, ControlLog memory)
            throws SQLException {
        List<CatalogTable> tables = new ArrayList<>(SelectedTables.read(session, group.migration()));
        if (!memory.plans().isEmpty()) {
            Set<TableId> planned = memory.plans().stream()
                    .flatMap(plan -> plan.tables().stream())
                    .map(LoadPlan.Table::id)
                    .collect(Collectors.toSet());
            tables.removeIf(table -> !planned.contains(table.id())
                    && !errors(session, group, table).isEmpty());
        }
        return tables;
    }

    /** Whether there are new tables. */
    boolean found(Connection session) throws SQLException {
        if (!refused.isEmpty() && System.nanoTime() - refusedNanos > LOOK_AGAIN_NANOS) {
            refused.clear();
        }
        lookAtColumns(session);
        Map<TableId, Long> names = SelectedTables.oids(session, group.migration());
        Set<TableId> published = Publication.published(session, group);
        names.entrySet().removeIf(table -> !isNew(table.getKey(), table.getValue(), published));
        names.keySet().removeAll(refused);
        names.keySet().removeIf(locks::rests);
        return !names.isEmpty();
    }

    /** The next change of a table shows that a name belongs to another column now. This check is for tables without changes. */
    private void lookAtColumns(Connection session) throws SQLException {
        if (System.nanoTime() - columnsNanos < LOOK_AGAIN_NANOS) {
            return;
        }
        Map<TableId, Identity> known = routes.identities();
        Map<Long, ColumnNumbers> now = ColumnNumbers.read(
                session, known.values().stream().map(Identity::oid).toList());
        known.forEach((table, identity) -> identity.columns()
                .contradiction(now.getOrDefault(identity.oid(), ColumnNumbers.NONE))
                .ifPresent(why -> {
                    LOG.warn("{}: {}", table, why);
                    routes.unbind((int) identity.oid(), why);
                }));
        columnsNanos = System.nanoTime();
    }

    /**
     * Tables that are no longer what is loaded under their name.
     *
     * @return for each table, why
     */
    static Map<TableId, String> replaced(Connection session, CaptureGroup group, ControlLog memory)
            throws SQLException {
        Map<TableId, Identity> loaded = memory.identities();
        loaded.keySet().retainAll(memory.loaded().keySet());
        loaded.keySet().removeIf(table -> !group.migration().tables().follows(table));
        Map<TableId, Identity> now = TableIdentities.read(session, group.migration(), loaded.keySet());
        Set<TableId> published = Publication.published(session, group);
        Map<TableId, String> replaced = new HashMap<>();
        now.forEach((table, identity) -> {
            if (!published.contains(table)
                    || identity.oid() != loaded.get(table).oid()) {
                replaced.put(table, ANOTHER);
            } else {
                loaded.get(table)
                        .columns()
                        .contradiction(identity.columns())
                        .ifPresent(why -> replaced.put(table, why));
            }
        });
        return replaced;
    }

    /**
     * Creates topics and routes for the new tables, and publishes the tables. Tables that cannot be replicated, or that other sessions
     * keep locked, come later and do not block other tables.
     *
     * @return all tables that must be loaded; empty = no table was accepted
     */
    Set<TableId> takeIn(Connection session) throws SQLException {
        Set<TableId> published = Publication.published(session, group);
        List<CatalogTable> fresh = SelectedTables.read(session, group.migration()).stream()
                .filter(table -> isNew(table.id(), table.oid(), published)
                        && !locks.rests(table.id())
                        && !refused(session, table))
                .toList();
        Set<TableId> names = new HashSet<>();
        fresh.forEach(table -> names.add(table.id()));
        KafkaTopics.Layout layout = KafkaTopics.ensure(
                group.flow(),
                names,
                ControlTopic.read(group.migration()).requireNoSwitch().plannedPartitions());
        for (TableId table : names) {
            if (!waiting.add(table)) {
                continue;
            }
            boolean known = routes.knows(table);
            LOG.info("{} is {} on the source; publishing and loading it", table, known ? "another table" : "new");
            if (known) {
                routes.replaced(table, ANOTHER);
            }
            // Before the table is published: after a crash in between, the next term must not use the earlier load for
            // this table.
            control.unloaded(table);
            String topic = group.migration().topics().changes(table);
            routes.put(new Route(table, topic, layout.partitions().get(table)));
        }
        RowFilters.takeOutChanged(session, group, names, locks);
        if (!TablePublishing.publish(session, group, fresh, locks)) {
            Set<TableId> now = Publication.published(session, group);
            names.removeIf(table -> group.migration().tables().follows(table) && !now.contains(table));
        }
        waiting.removeAll(names);
        return names.isEmpty() ? names : known(session);
    }

    /** All tables that are selected and published. */
    Set<TableId> known(Connection session) throws SQLException {
        Set<TableId> known = new HashSet<>(routes.tables());
        known.removeAll(waiting);
        known.retainAll(SelectedTables.names(session, group.migration()));
        return known;
    }

    private boolean isNew(TableId table, long oid, Set<TableId> published) {
        if (failed.contains(table)) {
            return false;
        }
        if (!routes.knows(table)) {
            return true;
        }
        Identity bound = routes.identity(table);
        return group.migration().tables().follows(table)
                && (!published.contains(table) || bound == null || bound.oid() != oid);
    }

    private boolean refused(Connection session, CatalogTable table) {
        List<Finding> errors = errors(session, group, table);
        for (Finding error : errors) {
            LOG.warn("{} is new on the source, and cannot be replicated: {}", table.id(), error.explained());
        }
        if (!errors.isEmpty()) {
            refused.add(table.id());
            refusedNanos = System.nanoTime();
        }
        return !errors.isEmpty();
    }

    private static List<Finding> errors(Connection session, CaptureGroup group, CatalogTable table) {
        try {
            List<Finding> all = new ArrayList<>(TableChecks.check(session, group, List.of(table)));
            FilterChecks.check(session, group.migration(), List.of(table)).stream()
                    .filter(finding -> finding.object().equals(table.id().toString()))
                    .forEach(all::add);
            if (table.partitioned()) {
                all.addAll(WholeChecks.check(session, group, List.of(table)));
            }
            return all.stream()
                    .filter(finding -> finding.severity() == Finding.Severity.ERROR)
                    .toList();
        } catch (SQLException e) {
            return List.of(Finding.error(table.id().toString(), e.getMessage(), "Check that the source is reachable"));
        }
    }
}
