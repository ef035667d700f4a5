package io.wherry.contract.postgres;

import io.wherry.contract.config.Migration;
import io.wherry.contract.name.TableId;
import java.sql.Connection;
import java.sql.PreparedStatement;
import java.sql.ResultSet;
import java.sql.SQLException;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeMap;
import java.util.TreeSet;

/** Which tables of a database a migration carries, and under which name: the table's own name, or its root's. */
public final class SelectedTables {
    private static final String NAMES = PartitionRoots.WITH + """
            SELECT n.nspname, c.relname, c.relkind = 'p' AS partitioned, root.nspname AS root_schema,
                   root.relname AS root_name, c.oid
              FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace LEFT JOIN root ON root.partition = c.oid
            """ + Catalog.OURS;

    private SelectedTables() {}

    /** The tables that the migration selects: each leaf partition by itself, except where its root is carried whole. */
    public static List<CatalogTable> read(Connection connection, Migration migration) throws SQLException {
        Map<TableId, CatalogTable> wholes = new LinkedHashMap<>();
        List<CatalogTable> all = Catalog.withPartitioned(connection);
        all.stream()
                .filter(table -> isWhole(migration, table.id(), table.root(), table.partitioned()))
                .forEach(table -> wholes.put(
                        table.id(),
                        table.over(all.stream()
                                .filter(part ->
                                        !part.partitioned() && part.root().equals(table.id()))
                                .toList())));
        return all.stream()
                .filter(table -> wholes.containsKey(table.id())
                        || !table.partitioned()
                                && !wholes.containsKey(table.root())
                                && migration.tables().selects(table.id()))
                .map(table -> wholes.getOrDefault(table.id(), table))
                .toList();
    }

    /** Names of the tables that the migration selects. Cheap, so that it can be called again and again. */
    public static Set<TableId> names(Connection connection, Migration migration) throws SQLException {
        return new TreeSet<>(oids(connection, migration).keySet());
    }

    /** As {@link #names}, each with its oid: the oid of the table that has the name now. */
    public static Map<TableId, Long> oids(Connection connection, Migration migration) throws SQLException {
        Map<TableId, Long> oids = new TreeMap<>();
        try (PreparedStatement statement = connection.prepareStatement(NAMES);
                ResultSet row = statement.executeQuery()) {
            while (row.next()) {
                TableId table = new TableId(row.getString(1), row.getString(2));
                TableId root = PartitionRoots.of(row, table);
                boolean partitioned = row.getBoolean("partitioned");
                if (isWhole(migration, table, root, partitioned)
                        || !partitioned
                                && (table.equals(root) || !migration.tables().isWhole(root))
                                && migration.tables().selects(table)) {
                    oids.put(table, row.getLong("oid"));
                }
            }
        }
        return oids;
    }

    /** Names of all tables that the migration may select, partitioned tables included. */
    public static Set<TableId> namesWithPartitioned(Connection connection, Migration migration) throws SQLException {
        Set<TableId> names = new TreeSet<>();
        try (PreparedStatement statement = connection.prepareStatement(NAMES);
                ResultSet row = statement.executeQuery()) {
            while (row.next()) {
                TableId table = new TableId(row.getString(1), row.getString(2));
                if (migration.tables().selects(table)) {
                    names.add(table);
                }
            }
        }
        return names;
    }

    private static boolean isWhole(Migration migration, TableId table, TableId root, boolean partitioned) {
        return partitioned && table.equals(root) && migration.tables().isWhole(table);
    }
}
