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
 * The attribute numbers of a table's columns. A name may go to another column; a number is never given twice.
 *
 * @param last number of the last attribute, dropped ones too
 * @param lastDropped number of the last one that was dropped; 0 = none
 * @param numbers of the columns that are there, by name
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

    /** Of tables by oid, as the session's snapshot sees them. */
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
     * Why rows that were read by these columns' names are not those that the names mean now; empty = they are. A column that came
     * since is followed by the stream, but not when one that came since was also dropped. Counterexample: {@code ADD c}, a row is
     * written, {@code DROP c; ADD c}; the stream says {@code c} each time, and nothing tells the second from the first.
     */
    public Optional<String> contradiction(ColumnNumbers now) {
        if (last == 0) {
            // A source-connector of before did not write them down.
            return Optional.empty();
        }
        for (Map.Entry<String, Integer> column : now.numbers.entrySet()) {
            Integer before = numbers.get(column.getKey());
            if (before == null && now.lastDropped > last) {
                return Optional.of("columns were added and dropped on the source, and column " + column.getKey()
                        + " may be one of several of that name");
            }
            if (before != null && !before.equals(column.getValue())) {
                return Optional.of("column " + column.getKey()
                        + " is another one on the source now: it was dropped and added again, or renamed");
            }
        }
        return Optional.empty();
    }
}
