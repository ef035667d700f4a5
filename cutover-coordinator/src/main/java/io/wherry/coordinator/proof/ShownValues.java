package io.wherry.coordinator.proof;

import io.wherry.contract.config.Flow;
import io.wherry.contract.name.Identifiers;
import io.wherry.contract.postgres.CatalogColumn;
import io.wherry.contract.postgres.Sessions;
import io.wherry.coordinator.recheck.Difference;
import io.wherry.coordinator.sql.Queries;
import java.sql.Connection;
import java.sql.SQLException;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.function.Function;
import java.util.stream.Collectors;

/** The values of rows that differ, read when an operator with the token asks for them. They are never logged. */
final class ShownValues {
    /** More differences than this are shown without values. */
    private static final int MOST_ROWS = 100;

    private static final int MOST_CHARACTERS = 200;
    private static final int MOST_BYTES = 1 << 20;
    private static final String LIMITS = "SET statement_timeout = 5000; SET lock_timeout = 1000";

    private ShownValues() {}

    /** @param source value on the source, cut; null = NULL, or no such row */
    record Value(String column, String source, String target) {}

    /**
     * Reads the columns that differ, or all columns of a row that is on one side only.
     *
     * @param tables how a table is compared; empty = it is not any more
     * @return by difference; one without values is left out
     */
    static Map<Difference, List<Value>> read(
            Flow flow, List<Difference> differences, Function<Difference, Optional<ComparedTable>> tables)
            throws SQLException {
        Map<Difference, List<Value>> values = new HashMap<>();
        try (Connection source = Sessions.open(flow.migration(), flow.from(), "values");
                Connection target = Sessions.open(flow.migration(), flow.to(), "values")) {
            Queries.execute(source, LIMITS);
            Queries.execute(target, LIMITS);
            for (Difference difference : differences) {
                Optional<ComparedTable> table = tables.apply(difference);
                if (values.size() < MOST_ROWS
                        && table.isPresent()
                        && !difference.key().isEmpty()) {
                    values.put(difference, of(difference, table.get(), source, target));
                }
            }
        }
        return values;
    }

    private static List<Value> of(Difference difference, ComparedTable table, Connection source, Connection target)
            throws SQLException {
        List<String> columns = difference.columns().isEmpty()
                ? table.columns().stream().map(CatalogColumn::name).toList()
                : difference.columns();
        String texts = columns.stream().map(ShownValues::text).collect(Collectors.joining(", ", "ARRAY[", "]"));
        String[] here = row(source, table.row(true, texts), difference.key(), columns.size());
        String[] there = row(target, table.row(false, texts), difference.key(), columns.size());
        List<Value> values = new ArrayList<>();
        for (int i = 0; i < columns.size(); i++) {
            values.add(new Value(columns.get(i), here[i], there[i]));
        }
        return values;
    }

    private static String text(String column) {
        String name = Identifiers.quote(column);
        return "CASE WHEN pg_column_size(" + name + ") > " + MOST_BYTES + " THEN '(large value)' WHEN " + name
                + " IS DISTINCT FROM NULL THEN left(format('%s', " + name + "), " + MOST_CHARACTERS + ") END";
    }

    private static String[] row(Connection side, String sql, List<String> key, int columns) throws SQLException {
        return Queries.list(side, row -> (String[]) row.getArray(1).getArray(), sql, key.toArray()).stream()
                .findFirst()
                .orElse(new String[columns]);
    }
}
