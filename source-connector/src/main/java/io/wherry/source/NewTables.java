package io.wherry.source;

import io.wherry.contract.Catalog;
import io.wherry.contract.Finding;
import io.wherry.contract.LoadPlan;
import io.wherry.contract.Migration;
import io.wherry.contract.TableId;
import java.sql.Connection;
import java.sql.SQLException;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.stream.Collectors;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Takes in tables that come to the source while the migration runs: tables made or renamed, partitions made or
 * attached, and tables that were dropped and made anew under the same name.
 *
 * <p>Rows that come before a table has its route are left out of the stream, and lost to nobody: the snapshot that loads
 * the table is taken after the route was made, so it holds them. Not safe for use by several threads.
 */
final class NewTables {
    private static final Logger LOG = LoggerFactory.getLogger(NewTables.class);
    private static final long LOOK_AGAIN_NANOS = 10_000_000_000L;

    private final Migration migration;
    private final ControlTopic control;
    private final Map<TableId, Route> routes;
    private final Set<TableId> refused = new HashSet<>();
    private long refusedNanos;

    /** @param routes of all known tables; gets those of new ones */
    NewTables(Migration migration, ControlTopic control, Map<TableId, Route> routes) {
        this.migration = migration;
        this.control = control;
        this.routes = routes;
    }

    /**
     * The selected tables at a start, but for those that came since the migration began and cannot be replicated: they are told of
     * again and again, and hold up no other.
     */
    static List<Catalog.Table> withoutUnfit(Connection session, Migration migration, Memory memory)
            throws SQLException {
        List<Catalog.Table> tables = new ArrayList<>(Catalog.selected(session, migration));
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
        Set<TableId> names = Catalog.selectedNames(session, migration);
        Set<TableId> published = Publication.published(session, migration);
        names.removeIf(table -> !isNew(table, published));
        names.removeAll(refused);
        return !names.isEmpty();
    }

    /**
     * Makes topics and routes for them and publishes them, but for those that cannot be replicated.
     *
     * @return all tables that are to be loaded; empty when nothing was taken in
     */
    Set<TableId> takeIn(Connection session) throws SQLException {
        Set<TableId> published = Publication.published(session, migration);
        List<Catalog.Table> fresh = Catalog.selected(session, migration).stream()
                .filter(table -> isNew(table.id(), published) && !refused(session, table))
                .toList();
        Set<TableId> names = new HashSet<>();
        fresh.forEach(table -> names.add(table.id()));
        KafkaTopics.Layout layout = KafkaTopics.ensure(
                migration, names, ControlTopic.read(migration).plannedPartitions());
        for (TableId table : names) {
            LOG.info("{} is new on the source; it is published and loaded", table);
            // Before it is published: whoever starts after a crash in between must not take the earlier load for its
            // own.
            control.unloaded(table);
            String topic = migration.topics().changes(table);
            routes.put(table, new Route(table, topic, layout.partitions().get(table)));
        }
        Publication.ensure(session, migration, fresh);
        if (!names.isEmpty()) {
            names.addAll(routes.keySet());
            names.retainAll(Catalog.selectedNames(session, migration));
        }
        return names;
    }

    private boolean isNew(TableId table, Set<TableId> published) {
        // A renamed table is still published, and has no route; one made anew under its name has a route.
        return !routes.containsKey(table) || migration.tables().follows(table) && !published.contains(table);
    }

    private boolean refused(Connection session, Catalog.Table table) {
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

    private static List<Finding> errors(Connection session, Migration migration, Catalog.Table table) {
        try {
            List<Finding> all = new ArrayList<>(TableChecks.check(session, migration, List.of(table)));
            if (table.partitioned()) {
                all.addAll(WholeChecks.check(session, migration, List.of(table)));
            }
            return all.stream()
                    .filter(finding -> finding.severity() == Finding.Severity.ERROR)
                    .toList();
        } catch (SQLException e) {
            return List.of(Finding.error(table.id().toString(), e.getMessage(), "Look whether the source is up"));
        }
    }
}
