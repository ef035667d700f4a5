package io.wherry.soak;

import io.wherry.contract.config.Endpoint;
import io.wherry.contract.config.Migration;
import io.wherry.contract.name.Identifiers;
import io.wherry.contract.name.TableId;
import io.wherry.contract.postgres.CatalogColumn;
import io.wherry.contract.postgres.CatalogTable;
import io.wherry.contract.postgres.SelectedTables;
import io.wherry.contract.postgres.ServerVersion;
import io.wherry.contract.postgres.Sessions;
import io.wherry.rehearsal.CopyText;
import java.io.IOException;
import java.sql.Connection;
import java.sql.SQLException;
import java.util.Comparator;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import java.util.stream.Collectors;
import java.util.stream.Stream;

/** Compares every table by its COPY text, sorted. Of the product's code it uses only the list of tables. */
final class TableComparison {
    private final Migration migration;
    private final Endpoint source;
    private final Endpoint target;

    TableComparison(Migration migration, Endpoint source, Endpoint target) {
        this.migration = migration;
        this.source = source;
        this.target = target;
    }

    Map<TableId, TableDifference> run() throws SQLException, IOException {
        Map<TableId, TableDifference> found = new TreeMap<>(Comparator.comparing(TableId::toString));
        try (Connection left = Sessions.open(migration, source, "soak");
                Connection right = Sessions.open(migration, target, "soak")) {
            boolean sameVersion = ServerVersion.major(left) == ServerVersion.major(right);
            for (CatalogTable table : SelectedTables.read(left, migration)) {
                List<String> key = table.identity();
                String columns = Stream.concat(
                                key.stream(),
                                table.columns().stream()
                                        .map(CatalogColumn::name)
                                        .filter(column -> !key.contains(column)))
                        .map(Identifiers::quote)
                        .collect(Collectors.joining(", "));
                String rows = "ONLY " + table.id().quoted();
                List<String> onTarget = CopyText.lines(right, columns, rows);
                TableDifference difference =
                        TableDifference.of(CopyText.lines(left, columns, rows), onTarget, key.size());
                if (!difference.isEmpty() && !sameVersion) {
                    List<String> expected = CopyText.linesAsWrittenBy(right, table.id(), left, columns, rows);
                    difference = TableDifference.of(expected, onTarget, key.size());
                }
                found.put(table.id(), difference);
            }
        }
        return found;
    }
}
