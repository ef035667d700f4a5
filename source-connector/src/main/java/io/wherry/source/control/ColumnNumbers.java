package io.wherry.source.control;

import java.sql.Array;
import java.sql.Connection;
import java.sql.PreparedStatement;
import java.sql.ResultSet;
import java.sql.SQLException;
import java.util.Collection;
import java.util.HashMap;
import java.util.Map;
import java.util.Optional;
import java.util.TreeMap;

/**
 * The attribute numbers of a table's columns. A name may move to another column; a number is never used twice.
 *
 * @param last number of the last attribute, dropped attributes included
 * @param lastDropped number of the last dropped attribute; 0 = none
 * @param numbers of the columns that exist, by name
 */
public record ColumnNumbers(int last, int lastDropped, Map<String, Integer> numbers) {
    public static final ColumnNumbers NONE = new ColumnNumbers(0, 0, Map.of());

    private static final String READ = """
            SELECT attrelid::bigint, max(attnum), coalesce(max(attnum) FILTER (WHERE attisdropped), 0),
                   array_agg(attname::text) FILTER (WHERE NOT attisdropped),
                   array_agg(attnum::int) FILTER (WHERE NOT attisdropped)
              FROM pg_catalog.pg_attribute WHERE attrelid = ANY (CAST(? AS oid[])) AND attnum > 0 GROUP BY attrelid
            """;

    public ColumnNumbers {
        numbers = new TreeMap<>(numbers);
    }

    /** Reads the columns of tables, by oid, as the session's snapshot sees them. */
    public static Map<Long, ColumnNumbers> read(Connection session, Collection<Long> oids) throws SQLException {
        Map<Long, ColumnNumbers> all = new HashMap<>();
        try (PreparedStatement statement = session.prepareStatement(READ)) {
            statement.setArray(1, session.createArrayOf("int8", oids.toArray()));
            try (ResultSet row = statement.executeQuery()) {
                while (row.next()) {
                    all.put(
                            row.getLong(1),
                            new ColumnNumbers(row.getInt(2), row.getInt(3), numbers(row.getArray(4), row.getArray(5))));
                }
            }
        }
        return all;
    }

    private static Map<String, Integer> numbers(Array names, Array numbers) throws SQLException {
        Map<String, Integer> columns = new HashMap<>();
        if (names != null) {
            String[] each = (String[]) names.getArray();
            Integer[] number = (Integer[]) numbers.getArray();
            for (int i = 0; i < each.length; i++) {
                columns.put(each[i], number[i]);
            }
        }
        return columns;
    }

    /**
     * Why the names of these columns now mean other columns than when the rows were read; empty = they mean the same. The stream
     * brings a column that was added since, unless a column that was added since was also dropped. Counterexample: {@code ADD c}, a
     * row is written, {@code DROP c; ADD c}. The stream says {@code c} for both columns, and nothing distinguishes them.
     */
    public Optional<String> contradiction(ColumnNumbers now) {
        if (last == 0) {
            // An older source-connector did not record the numbers.
            return Optional.empty();
        }
        for (Map.Entry<String, Integer> column : now.numbers.entrySet()) {
            Integer before = numbers.get(column.getKey());
            if (before == null && now.lastDropped > last) {
                return Optional.of("columns were added and dropped on the source, so column " + column.getKey()
                        + " may be one of several columns of that name");
            }
            if (before != null && !before.equals(column.getValue())) {
                return Optional.of("column " + column.getKey()
                        + " differs on the source now: it was dropped and added again, or renamed");
            }
        }
        return Optional.empty();
    }
}
