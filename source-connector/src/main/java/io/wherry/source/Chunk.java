package io.wherry.source;

import io.wherry.contract.Catalog;
import io.wherry.contract.Catalog.CatalogColumn;
import io.wherry.contract.Identifiers;
import java.util.List;
import java.util.stream.Collectors;

/**
 * A part of a table that is read by one COPY.
 *
 * @param number within the table, from 0
 * @param condition SQL that selects its rows; empty = all
 */
record Chunk(Catalog.Table table, int number, String condition) {
    /** The COPY statement that reads it. Rows of child tables come under the children's own names. */
    String copy() {
        String columns = table.writable().stream()
                .map(column -> Identifiers.quote(column.name()))
                .collect(Collectors.joining(", "));
        return "COPY (SELECT " + columns + " FROM ONLY " + table.id().quoted()
                + (condition.isEmpty() ? "" : " WHERE " + condition) + ") TO STDOUT (FORMAT "
                + (binary() ? "binary" : "text") + ")";
    }

    List<String> columns() {
        return table.writable().stream().map(CatalogColumn::name).toList();
    }

    boolean binary() {
        return table.writable().stream().allMatch(BinaryTypes::stable);
    }
}
