package io.wherry.coordinator.preflight;

import io.wherry.contract.config.Flow;
import io.wherry.contract.config.Migration.TargetSchemaMode;
import io.wherry.contract.error.Finding;
import io.wherry.contract.name.TableId;
import io.wherry.contract.postgres.Catalog;
import io.wherry.contract.postgres.CatalogTable;
import io.wherry.contract.postgres.PartitionRoots;
import io.wherry.contract.postgres.SelectedTables;
import io.wherry.coordinator.schema.Sequences;
import io.wherry.coordinator.sql.Queries;
import java.sql.Connection;
import java.sql.SQLException;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeMap;
import java.util.TreeSet;
import java.util.stream.Collectors;

/** Checks tables that are on the target before a migration has started there. */
public final class TargetTables {
    private static final String FOREIGN = PartitionRoots.WITH + """
            SELECT root.nspname, root.relname, n.nspname, c.relname FROM root
              JOIN pg_class c ON c.oid = root.partition AND c.relkind = 'f' JOIN pg_namespace n ON n.oid = c.relnamespace
             ORDER BY 3, 4
            """;

    private TargetTables() {}

    public static boolean exists(Connection target, String table) throws SQLException {
        return Queries.truth(target, "SELECT to_regclass(?) IS NOT NULL", table);
    }

    static List<Finding> check(Flow flow, Connection source, Connection target) throws SQLException {
        List<Finding> findings = new ArrayList<>();
        Map<TableId, CatalogTable> onTarget = new HashMap<>();
        Catalog.withPartitioned(target).forEach(table -> onTarget.put(table.id(), table));
        Map<TableId, TableId> foreign = new TreeMap<>();
        Queries.list(
                target,
                row -> foreign.put(
                        new TableId(row.getString(1), row.getString(2)),
                        new TableId(row.getString(3), row.getString(4))),
                FOREIGN);
        boolean existing = flow.migration().schema() == TargetSchemaMode.EXISTING;
        List<CatalogTable> selected = SelectedTables.read(source, flow.migration());
        // Tables that are not selected are created too.
        for (CatalogTable table : existing ? selected : Catalog.tables(source)) {
            CatalogTable twin = onTarget.get(table.id());
            String object = "table " + table.id();
            if (twin == null) {
                if (existing) {
                    findings.add(Finding.error(
                            object, "does not exist on the target", "Create the table, or use target.schema: create"));
                }
            } else if (foreign.containsKey(twin.root())) {
                findings.add(Finding.error(
                        "table " + foreign.get(twin.root()),
                        "is a foreign table on the target, and a partition of " + twin.root(),
                        "Detach it on the target: Wherry's transactions do not cover another server"));
            } else if (hasRows(target, twin)) {
                findings.add(Finding.error(
                        object,
                        "holds rows on the target",
                        existing
                                ? "TRUNCATE " + table.id().quoted() + " on the target, if they are not needed"
                                : "DROP TABLE " + table.id().quoted()
                                        + " on the target if they are not needed; or TRUNCATE "
                                        + table.id().quoted() + " and use target.schema: existing"));
            } else if (!existing) {
                findings.add(Finding.error(
                        object,
                        "exists on the target, but target.schema: create would create it",
                        "DROP TABLE " + table.id().quoted() + " on the target, or use target.schema: existing"));
            }
        }
        if (existing) {
            Set<TableId> common =
                    selected.stream().map(CatalogTable::id).collect(Collectors.toCollection(TreeSet::new));
            common.retainAll(onTarget.keySet());
            for (TableId table : common) {
                TableId root = onTarget.get(table).root();
                if (!root.equals(table) && common.contains(root)) {
                    findings.add(Finding.error(
                            "table " + table,
                            "is a partition of " + root + " on the target, and both are carried",
                            "Detach it on the target, or carry only one of the two"));
                }
            }
            findings.addAll(ExistingTables.check(source, target, common));
            findings.addAll(Sequences.read(flow, source, target).findings());
        }
        return findings;
    }

    private static boolean hasRows(Connection target, CatalogTable table) throws SQLException {
        return Queries.truth(target, "SELECT EXISTS (SELECT FROM " + table.rows() + ")");
    }
}
