package io.wherry.source;

import io.wherry.contract.config.Migration;
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
 * Takes in tables that come to the source while the migration runs: tables made or renamed, partitions made or
 * attached, and tables that are no longer what was loaded under their name: dropped and made again, swapped by renaming, or with
 * columns that changed places ({@link Routes}, {@link ColumnNumbers}).
 *
 * <p>Rows that come before a table has its route are left out of the stream, and lost to nobody: the snapshot that loads
 * the table is taken after the route was made, so it holds them. Not safe for use by several threads.
 */
final class NewTables {
    private static final Logger LOG = LoggerFactory.getLogger(NewTables.class);
    private static final long LOOK_AGAIN_NANOS = 10_000_000_000L;
    private static final String ANOTHER =
            "another table has this name on the source than the one that was loaded: it was renamed, or dropped and made"
                    + " again";

    private final Migration migration;
    private final ControlTopic control;
    private final Routes routes;
    private final TableLocks locks;
    private final FailedTables failed;
    /** Have topic and route, and wait for their locks. */
    private final Set<TableId> begun = new HashSet<>();

    private final Set<TableId> refused = new HashSet<>();
    private long refusedNanos;
    private long columnsNanos = System.nanoTime();

    /**
     * @param routes of all known tables; gets those of new ones
     * @param failed tables that are let alone, whatever becomes of them, until the operator orders them to be tried again
     */
    NewTables(Migration migration, ControlTopic control, Routes routes, TableLocks locks, FailedTables failed) {
        this.migration = migration;
        this.control = control;
        this.routes = routes;
        this.locks = locks;
        this.failed = failed;
    }

    /**
     * The selected tables at a start, but for those that came since the migration began and cannot be replicated: they are told of
     * again and again, and hold up no other.
     */
    static List<CatalogTable> withoutUnfit(Connection session, Migration migration, ControlLog memory)
            throws SQLException {
        List<CatalogTable> tables = new ArrayList<>(SelectedTables.read(session, migration));
        if (!memory.plans().isEmpty()) {
            Set<TableId> planned = memory.plans().stream()
                    .flatMap(plan -> plan.tables().stream())
                    .map(LoadPlan.Table::id)
                    .collect(Collectors.toSet());
            tables.removeIf(table -> !planned.contains(table.id())
                    && !errors(session, migration, table).isEmpty());
        }
        return tables;
    }

    /** Whether there are any. */
    boolean found(Connection session) throws SQLException {
        if (!refused.isEmpty() && System.nanoTime() - refusedNanos > LOOK_AGAIN_NANOS) {
            refused.clear();
        }
        lookAtColumns(session);
        Map<TableId, Long> names = SelectedTables.oids(session, migration);
        Set<TableId> published = Publication.published(session, migration);
        names.entrySet().removeIf(table -> !isNew(table.getKey(), table.getValue(), published));
        names.keySet().removeAll(refused);
        names.keySet().removeIf(locks::rests);
        return !names.isEmpty();
    }

    /** A column that is another one now is seen by the next change of its table; this is for tables without changes. */
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
     * @return why, for each
     */
    static Map<TableId, String> replaced(Connection session, Migration migration, ControlLog memory)
            throws SQLException {
        Map<TableId, Identity> loaded = memory.identities();
        loaded.keySet().retainAll(memory.loaded().keySet());
        loaded.keySet().removeIf(table -> !migration.tables().follows(table));
        Map<TableId, Identity> now = TableIdentities.read(session, migration, loaded.keySet());
        Set<TableId> published = Publication.published(session, migration);
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
     * Makes topics and routes for them and publishes them, but for those that cannot be replicated, or whose locks others have:
     * these come later, and hold up no other.
     *
     * @return all tables that are to be loaded; empty when nothing was taken in
     */
    Set<TableId> takeIn(Connection session) throws SQLException {
        Set<TableId> published = Publication.published(session, migration);
        List<CatalogTable> fresh = SelectedTables.read(session, migration).stream()
                .filter(table -> isNew(table.id(), table.oid(), published)
                        && !locks.rests(table.id())
                        && !refused(session, table))
                .toList();
        Set<TableId> names = new HashSet<>();
        fresh.forEach(table -> names.add(table.id()));
        KafkaTopics.Layout layout = KafkaTopics.ensure(
                migration, names, ControlTopic.read(migration).requireNoSwitch().plannedPartitions());
        for (TableId table : names) {
            if (!begun.add(table)) {
                continue;
            }
            boolean known = routes.knows(table);
            LOG.info("{} is {} on the source; it is published and loaded", table, known ? "another table" : "new");
            if (known) {
                routes.replaced(table, ANOTHER);
            }
            // Before it is published: whoever starts after a crash in between must not take the earlier load for its
            // own.
            control.unloaded(table);
            String topic = migration.topics().changes(table);
            routes.put(new Route(table, topic, layout.partitions().get(table)));
        }
        RowFilters.takeOutChanged(session, migration, names, locks);
        if (!TablePublishing.publish(session, migration, fresh, locks)) {
            Set<TableId> now = Publication.published(session, migration);
            names.removeIf(table -> migration.tables().follows(table) && !now.contains(table));
        }
        begun.removeAll(names);
        return names.isEmpty() ? names : known(session);
    }

    /** All tables that are selected and published, to be loaded unless they are. */
    Set<TableId> known(Connection session) throws SQLException {
        Set<TableId> known = new HashSet<>(routes.tables());
        known.removeAll(begun);
        known.retainAll(SelectedTables.names(session, migration));
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
        return migration.tables().follows(table) && (!published.contains(table) || bound == null || bound.oid() != oid);
    }

    private boolean refused(Connection session, CatalogTable table) {
        List<Finding> errors = errors(session, migration, table);
        for (Finding error : errors) {
            LOG.warn("{} is new on the source and cannot be replicated: {}", table.id(), error);
        }
        if (!errors.isEmpty()) {
            refused.add(table.id());
            refusedNanos = System.nanoTime();
        }
        return !errors.isEmpty();
    }

    private static List<Finding> errors(Connection session, Migration migration, CatalogTable table) {
        try {
            List<Finding> all = new ArrayList<>(TableChecks.check(session, migration, List.of(table)));
            FilterChecks.check(session, migration, List.of(table)).stream()
                    .filter(finding -> finding.object().equals(table.id().toString()))
                    .forEach(all::add);
            if (table.partitioned()) {
                all.addAll(WholeChecks.check(session, migration, List.of(table)));
            }
            return all.stream()
                    .filter(finding -> finding.severity() == Finding.Severity.ERROR)
                    .toList();
        } catch (SQLException e) {
            return List.of(Finding.error(table.id().toString(), e.getMessage(), "Check that the source is reachable"));
        }
    }
}
