package io.wherry.coordinator.repair;

import io.wherry.contract.name.Identifiers;
import io.wherry.contract.name.TableId;
import io.wherry.contract.record.Repair;
import java.util.List;
import java.util.stream.Collectors;
import java.util.stream.IntStream;

/**
 * The SQL by which rows of a table on the source are locked and read for a repair (pure). Each condition for a key has one parameter
 * for each of its columns.
 *
 * @param rows the table, as after FROM
 * @param replicaIdentity its code in the catalog
 * @param identity names of the key's columns
 * @param equal condition that a row has a key
 * @param filter condition of {@code tables.where}; empty = all rows are wanted
 */
public record RepairedTable(
        long oid, TableId id, String rows, char replicaIdentity, List<String> identity, String equal, String filter) {
    /** Keeps the table's columns as they are until the transaction ends, and waits for nothing but a change of them. */
    String hold() {
        return "LOCK TABLE " + rows + " IN ACCESS SHARE MODE";
    }

    /**
     * Locks the rows of these keys: number of the key from 1, whether the filter wants the row, about how many bytes the row takes in
     * a message. The filter is no condition, so that a row cannot enter it meanwhile. A stored size above the limit is not computed
     * further: the value may be one of a gigabyte.
     *
     * @param columns that the stream carries
     */
    String lock(int keys, List<String> columns) {
        String stored = sum(columns, "pg_column_size(%s)");
        String sent = sum(columns, "octet_length(format('%%s', %s))");
        return "SELECT " + number(keys) + ", " + (filter.isEmpty() ? "true" : "((" + filter + ") IS TRUE)")
                + ", CASE WHEN " + stored + " > " + Repair.MOST_ROW_BYTES + " THEN " + stored + " ELSE " + sent
                + " END FROM "
                + rows + " WHERE " + any(keys) + " FOR SHARE";
    }

    /** Number of the key from 1, then the text of each column as the server's output function writes it, for each row of these keys. */
    String read(int keys, List<String> columns) {
        return "SELECT " + number(keys)
                + columns.stream()
                        .map(Identifiers::quote)
                        // Not IS NULL: that also holds for a composite value of which every field is NULL.
                        .map(c -> ", CASE WHEN " + c + " IS DISTINCT FROM NULL THEN format('%s', " + c + ") END")
                        .collect(Collectors.joining())
                + " FROM " + rows + " WHERE " + any(keys);
    }

    /** Numbers of the keys that have a row, whether the filter wants the row or not. */
    String exist(int keys) {
        return "SELECT " + number(keys) + " FROM " + rows + " WHERE " + any(keys);
    }

    private static String sum(List<String> columns, String each) {
        return columns.stream()
                .map(c -> "coalesce(" + each.formatted(Identifiers.quote(c)) + ", 0)")
                .collect(Collectors.joining(" + ", "(0::bigint + ", ")"));
    }

    private String number(int keys) {
        return IntStream.rangeClosed(1, keys)
                .mapToObj(number -> " WHEN " + equal + " THEN " + number)
                .collect(Collectors.joining("", "CASE", " END"));
    }

    private String any(int keys) {
        return IntStream.range(0, keys).mapToObj(key -> "(" + equal + ")").collect(Collectors.joining(" OR "));
    }
}
