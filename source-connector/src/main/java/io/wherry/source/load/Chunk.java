package io.wherry.source.load;

import io.wherry.contract.name.Identifiers;
import io.wherry.contract.name.TableId;
import io.wherry.contract.postgres.CatalogColumn;
import io.wherry.contract.postgres.CatalogTable;
import io.wherry.source.control.ColumnNumbers;
import java.util.List;
import java.util.stream.Collectors;

/**
 * A part of a table that one COPY reads.
 *
 * @param reads the table itself, or the partition that holds the rows
 * @param oid of {@code reads}
 * @param numbers of the table's columns
 * @param number within the table, from 0
 * @param condition SQL that selects the rows of the chunk; empty = all rows
 * @param filter WHERE clause with the condition on the wanted rows, after a blank; empty = all rows
 * @param replaces key columns: the rows of the chunk replace rows with the same key; empty = they replace none
 */
record Chunk(
        CatalogTable table,
        TableId reads,
        long oid,
        ColumnNumbers numbers,
        int number,
        String condition,
        String filter,
        List<String> replaces) {
    Chunk(
            CatalogTable table,
            ColumnNumbers numbers,
            int number,
            String condition,
            String filter,
            List<String> replaces) {
        this(table, table.id(), table.oid(), numbers, number, condition, filter, replaces);
    }

    /** The COPY statement that reads the chunk. Rows of child tables are read under the names of the child tables. */
    String copy() {
        String columns = table.writable().stream()
                .map(column -> Identifiers.quote(column.name()))
                .collect(Collectors.joining(", "));
        return "COPY (SELECT " + columns + " FROM ONLY " + reads.quoted()
                + where() + ") TO STDOUT (FORMAT "
                + (binary() ? "binary" : "text") + ")";
    }

    private String where() {
        if (condition.isEmpty()) {
            return filter;
        }
        return (filter.isEmpty() ? " WHERE " : filter + " AND ") + condition;
    }

    List<String> columns() {
        return table.writable().stream().map(CatalogColumn::name).toList();
    }

    List<String> types() {
        return table.writable().stream().map(CatalogColumn::definition).toList();
    }

    boolean binary() {
        return table.writable().stream().allMatch(BinaryTypes::stable);
    }
}
