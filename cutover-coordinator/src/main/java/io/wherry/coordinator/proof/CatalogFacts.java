package io.wherry.coordinator.proof;

import io.wherry.contract.config.Flow;
import io.wherry.contract.name.TableId;
import io.wherry.contract.postgres.Catalog;
import io.wherry.contract.postgres.CatalogColumn;
import io.wherry.contract.postgres.CatalogTable;
import io.wherry.contract.postgres.SelectedTables;
import io.wherry.contract.postgres.ServerVersion;
import io.wherry.coordinator.row.RowHash;
import io.wherry.coordinator.row.RowTypes;
import io.wherry.coordinator.sql.Queries;
import java.sql.Connection;
import java.sql.SQLException;
import java.util.Comparator;
import java.util.List;
import java.util.Map;
import java.util.function.Function;
import java.util.stream.Collectors;

/**
 * What the catalogs of both sides say about the tables to be compared.
 *
 * @param tables those that the migration carries and follows, the smallest first
 * @param extended whether both servers have {@code hashtextextended}
 * @param bytesOnSource whether the source's database orders texts by their bytes
 */
record CatalogFacts(
        List<CatalogTable> tables,
        Map<TableId, CatalogTable> onTarget,
        RowTypes types,
        boolean extended,
        boolean bytesOnSource,
        boolean bytesOnTarget) {
    private static final int EXTENDED_SINCE = 11;
    private static final int PROVIDERS_SINCE = 15;

    static CatalogFacts read(Flow flow, Connection source, Connection target) throws SQLException {
        boolean sameEncoding = encoding(source).equals(encoding(target));
        return new CatalogFacts(
                SelectedTables.read(source, flow.migration()).stream()
                        .filter(table -> flow.migration().tables().follows(table.id()))
                        .sorted(Comparator.comparingLong(CatalogTable::bytes))
                        .toList(),
                Catalog.withPartitioned(target).stream()
                        .collect(Collectors.toMap(CatalogTable::id, Function.identity())),
                RowTypes.read(source, target),
                Math.min(ServerVersion.major(source), ServerVersion.major(target)) >= EXTENDED_SINCE,
                sameEncoding && ordersByBytes(source),
                sameEncoding && ordersByBytes(target));
    }

    private static String encoding(Connection side) throws SQLException {
        return Queries.string(side, "SHOW server_encoding").orElseThrow();
    }

    private static boolean ordersByBytes(Connection side) throws SQLException {
        return Queries.truth(
                side,
                "SELECT datcollate IN ('C', 'POSIX')"
                        + (ServerVersion.major(side) >= PROVIDERS_SINCE ? " AND datlocprovider = 'c'" : "")
                        + " FROM pg_catalog.pg_database WHERE datname = current_database()");
    }

    static List<CatalogColumn> byName(List<CatalogColumn> columns) {
        return columns.stream()
                .sorted(Comparator.comparing(CatalogColumn::name))
                .toList();
    }

    /** Why the table's rows cannot be compared; empty when they can. */
    String problem(CatalogTable table) {
        CatalogTable other = onTarget.get(table.id());
        if (other == null) {
            return "does not exist on the target";
        }
        List<String> names =
                byName(table.columns()).stream().map(CatalogColumn::name).toList();
        List<String> others =
                byName(other.columns()).stream().map(CatalogColumn::name).toList();
        return names.equals(others) ? "" : "has columns " + names + " on the source, " + others + " on the target";
    }

    /**
     * The columns of the key by which rows are found on both sides. Empty when there is none, or when a column's text is not the same
     * under every version, so that a row of the target could not be named as the witness names it.
     */
    List<KeyColumn> key(CatalogTable table) {
        Map<String, CatalogColumn> here = columns(table);
        Map<String, CatalogColumn> there = columns(onTarget.get(table.id()));
        return table.identity().stream().anyMatch(name -> RowHash.changesItsText(here.get(name), types))
                ? List.of()
                : table.identity().stream()
                        .map(name -> KeyColumn.of(here.get(name), there.get(name), bytesOnSource, bytesOnTarget))
                        .toList();
    }

    private static Map<String, CatalogColumn> columns(CatalogTable table) {
        return table.columns().stream().collect(Collectors.toMap(CatalogColumn::name, Function.identity()));
    }
}
