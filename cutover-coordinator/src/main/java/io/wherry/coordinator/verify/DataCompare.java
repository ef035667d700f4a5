package io.wherry.coordinator.verify;

import io.wherry.contract.config.Flow;
import io.wherry.contract.error.ConfigurationException;
import io.wherry.contract.error.RetryableException;
import io.wherry.contract.name.TableId;
import io.wherry.contract.name.TableNames;
import io.wherry.contract.postgres.Catalog;
import io.wherry.contract.postgres.CatalogColumn;
import io.wherry.contract.postgres.CatalogTable;
import io.wherry.contract.postgres.SelectedTables;
import io.wherry.contract.postgres.ServerVersion;
import io.wherry.coordinator.carry.ExtensionRows;
import io.wherry.coordinator.carry.LargeObjects;
import io.wherry.coordinator.row.DataComparison;
import io.wherry.coordinator.row.DataComparison.TableResult;
import io.wherry.coordinator.row.RowHash;
import io.wherry.coordinator.row.RowTypes;
import io.wherry.coordinator.sql.BoundSessions;
import io.wherry.coordinator.sql.Opening;
import io.wherry.coordinator.sql.Queries;
import io.wherry.coordinator.thread.Beside;
import io.wherry.coordinator.thread.Threads;
import java.math.BigDecimal;
import java.sql.Connection;
import java.sql.SQLException;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Queue;
import java.util.Set;
import java.util.concurrent.ConcurrentLinkedQueue;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.function.Predicate;

/**
 * Compares every row of every carried table on both sides, by hashes that the databases compute; a filter limits the rows of the
 * source. While applications write, rows that are on their way count as different; inside the fenced window the answer is exact.
 *
 * <p>Finds a missing, doubled or altered row, whatever the column. Cannot find: rows of tables not selected, and two alterations
 * whose 64-bit hashes cancel out (one in 2^64, by accident).
 */
public final class DataCompare {
    private static final int TABLES_AT_ONCE = 2;

    private final Flow flow;

    public DataCompare(Flow flow) {
        this.flow = flow;
    }

    /**
     * Compares all tables, in sessions that end with the comparison.
     *
     * @throws SQLException when a side cannot be reached
     * @throws InterruptedException when the thread is interrupted; then the sessions are ended
     */
    public DataComparison run() throws SQLException, InterruptedException {
        try (BoundSessions sessions = new BoundSessions(flow)) {
            return run(sessions::open, Set.of());
        }
    }

    /**
     * Compares only these tables, without large objects and rows of extensions.
     *
     * @param named as {@code wherry tables} writes them
     * @throws ConfigurationException when a table is not among those that are compared
     *
     * @throws SQLException when a side cannot be reached
     * @throws InterruptedException when the thread is interrupted; then the sessions are ended
     */
    public DataComparison only(List<String> named) throws SQLException, InterruptedException {
        try (BoundSessions sessions = new BoundSessions(flow)) {
            Set<TableId> all;
            try (Connection source = sessions.open(flow.from(), "compare")) {
                all = SelectedTables.names(source, flow.migration());
            }
            all.removeIf(table -> !flow.migration().tables().follows(table));
            Set<TableId> only = TableNames.find(named, all, "compared");
            return run(sessions::open, only::contains, false);
        }
    }

    /**
     * Compares.
     *
     * @param sessions the caller ends them, also those in which a statement still runs after a failure
     * @param except tables that are left out; {@link LargeObjects#TABLE} leaves out the large objects
     * @throws SQLException when a side cannot be reached
     * @throws InterruptedException when the thread is interrupted
     */
    public DataComparison run(Opening sessions, Set<TableId> except) throws SQLException, InterruptedException {
        return run(sessions, table -> !except.contains(table), true);
    }

    /** @param others whether large objects and rows of extensions are compared too */
    private DataComparison run(Opening sessions, Predicate<TableId> wanted, boolean others)
            throws SQLException, InterruptedException {
        long began = System.nanoTime();
        Catalogs catalogs = catalogs(sessions, wanted);
        Queue<CatalogTable> queue = new ConcurrentLinkedQueue<>(catalogs.tables());
        ExecutorService pairs = Executors.newFixedThreadPool(TABLES_AT_ONCE + 1, Threads.named("wherry-compare"));
        try {
            List<Future<List<TableResult>>> futures = new ArrayList<>();
            if (others) {
                futures.add(pairs.submit(() -> beyondTables(sessions, wanted)));
            }
            // Sessions cost more than a small table, and in the window there may be nothing left to compare.
            for (int i = 0; i < Math.min(TABLES_AT_ONCE, catalogs.tables().size()); i++) {
                futures.add(pairs.submit(() -> compareAll(sessions, queue, catalogs)));
            }
            List<TableResult> results = new ArrayList<>();
            for (Future<List<TableResult>> future : futures) {
                results.addAll(result(future));
            }
            results.sort(Comparator.comparing(TableResult::table));
            return new DataComparison(results, (System.nanoTime() - began) / 1e9);
        } finally {
            pairs.shutdownNow();
        }
    }

    /** @param tables of the source that are compared */
    private record Catalogs(
            List<CatalogTable> tables, Map<TableId, CatalogTable> onTarget, RowTypes types, boolean extended) {}

    private Catalogs catalogs(Opening sessions, Predicate<TableId> wanted) throws SQLException {
        try (Connection source = sessions.open(flow.from(), "compare");
                Connection target = sessions.open(flow.to(), "compare");
                Beside beside = new Beside("wherry-compare-catalog")) {
            // In the window there may be nothing left to compare, and then nobody waits for the catalogs.
            if (SelectedTables.names(source, flow.migration()).stream().noneMatch(table -> compares(table, wanted))) {
                return new Catalogs(List.of(), Map.of(), new RowTypes(Map.of(), Map.of()), false);
            }
            Map<TableId, CatalogTable> onTarget = new HashMap<>();
            List<CatalogTable> tables = beside.both(
                    () -> wanted(source, wanted), () -> Catalog.withPartitioned(target), (ofSource, ofTarget) -> {
                        ofTarget.forEach(table -> onTarget.put(table.id(), table));
                        return ofSource;
                    });
            boolean extended = Math.min(ServerVersion.major(source), ServerVersion.major(target)) >= 11;
            return new Catalogs(tables, onTarget, RowTypes.read(source, target), extended);
        }
    }

    private boolean compares(TableId table, Predicate<TableId> wanted) {
        return flow.migration().tables().follows(table) && wanted.test(table);
    }

    /** The largest table first, so that it does not run alone at the end. */
    private List<CatalogTable> wanted(Connection source, Predicate<TableId> wanted) throws SQLException {
        return SelectedTables.read(source, flow.migration()).stream()
                .filter(table -> compares(table.id(), wanted))
                .sorted(Comparator.comparingLong(CatalogTable::bytes).reversed())
                .toList();
    }

    /** Large objects, and rows of extensions. */
    private List<TableResult> beyondTables(Opening sessions, Predicate<TableId> wanted) throws SQLException {
        List<TableResult> results = new ArrayList<>();
        if (wanted.test(LargeObjects.TABLE)) {
            new LargeObjects(flow, sessions).compare().ifPresent(results::add);
        }
        try (Connection source = sessions.open(flow.from(), "compare");
                Connection target = sessions.open(flow.to(), "compare")) {
            target.setAutoCommit(false);
            results.addAll(new ExtensionRows(flow).compare(source, target));
        }
        return results;
    }

    /** Compares tables of the queue, one after another in one session for each side: logging in costs as much as a small table. */
    private List<TableResult> compareAll(Opening sessions, Queue<CatalogTable> queue, Catalogs catalogs)
            throws SQLException, InterruptedException {
        List<TableResult> results = new ArrayList<>();
        try (Connection source = sessions.open(flow.from(), "compare");
                Connection target = sessions.open(flow.to(), "compare");
                Beside beside = new Beside("wherry-compare-source")) {
            for (CatalogTable table = queue.poll(); table != null; table = queue.poll()) {
                results.add(compare(
                        sessions,
                        table,
                        catalogs.onTarget().get(table.id()),
                        (ofSourceSql, ofTargetSql) -> {
                            return beside.both(
                                    () -> sums(source, ofSourceSql), () -> sums(target, ofTargetSql), Both::new);
                        },
                        catalogs.types(),
                        catalogs.extended()));
            }
        }
        return results;
    }

    private record Both(Sums source, Sums target) {}

    /** Runs a query on both sides at the same time. */
    private interface OnBoth {
        Both run(String ofSource, String ofTarget) throws SQLException, InterruptedException;
    }

    /** @param hash sum of the rows' hashes, null without rows */
    private record Sums(long rows, BigDecimal hash) {}

    private TableResult compare(
            Opening sessions,
            CatalogTable table,
            CatalogTable onTarget,
            OnBoth onBoth,
            RowTypes types,
            boolean extended)
            throws SQLException, InterruptedException {
        List<CatalogColumn> columns = table.columns().stream()
                .sorted(Comparator.comparing(CatalogColumn::name))
                .toList();
        if (onTarget == null) {
            return new TableResult(table.id(), 0, 0, 0, List.of(), "does not exist on the target");
        }
        List<String> names = columns.stream().map(CatalogColumn::name).toList();
        List<String> targetNames =
                onTarget.columns().stream().map(CatalogColumn::name).sorted().toList();
        if (!names.equals(targetNames)) {
            return new TableResult(
                    table.id(),
                    0,
                    0,
                    0,
                    List.of(),
                    "has columns " + names + " on the source, " + targetNames + " on the target");
        }
        String ofSource = table.rows() + flow.migration().tables().whereClause(table.id());
        Both sums = onBoth.run(
                RowHash.table(columns, types, extended, ofSource),
                RowHash.table(columns, types, extended, onTarget.rows()));
        if (sums.source().equals(sums.target())) {
            return new TableResult(
                    table.id(), sums.source().rows(), sums.target().rows(), 0, List.of(), "");
        }
        return new RowDifferences(flow, sessions)
                .find(
                        table,
                        RowHash.sortedRows(table, columns, types, ofSource),
                        RowHash.sortedRows(table, columns, types, onTarget.rows()),
                        sums.source().rows(),
                        sums.target().rows());
    }

    private static Sums sums(Connection connection, String sql) throws SQLException {
        return Queries.list(connection, row -> new Sums(row.getLong(1), row.getBigDecimal(2)), sql)
                .get(0);
    }

    private static <T> T result(Future<T> future) throws SQLException, InterruptedException {
        try {
            return future.get();
        } catch (ExecutionException e) {
            if (e.getCause() instanceof SQLException failed) {
                throw failed;
            }
            throw new RetryableException(
                    "compare", "", String.valueOf(e.getCause().getMessage()), "", e.getCause());
        }
    }
}
