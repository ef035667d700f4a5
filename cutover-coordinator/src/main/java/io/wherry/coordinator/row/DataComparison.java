package io.wherry.coordinator.row;

import io.wherry.contract.name.TableId;
import java.util.List;
import java.util.stream.Collectors;

/** What a comparison of all rows found. */
public record DataComparison(List<TableResult> tables, double seconds) {
    public DataComparison {
        tables = List.copyOf(tables);
    }

    /**
     * @param differing rows that differ between the sides, counted by key; 0 = equal
     * @param keys up to ten keys of such rows, as PostgreSQL writes a row: {@code (42)}
     * @param problem why the table could not be compared; empty otherwise
     */
    public record TableResult(
            TableId table, long sourceRows, long targetRows, long differing, List<String> keys, String problem) {
        public TableResult {
            keys = List.copyOf(keys);
        }

        public boolean equal() {
            return differing == 0 && problem.isEmpty() && sourceRows == targetRows;
        }

        /** One line for people. */
        public String explained() {
            if (!problem.isEmpty()) {
                return table + ": " + problem;
            }
            return equal()
                    ? table + ": " + sourceRows + " rows equal"
                    : table + ": " + differing + " rows differ (source " + sourceRows + ", target " + targetRows
                            + " rows), keys " + String.join(" ", keys);
        }
    }

    public boolean equal() {
        return tables.stream().allMatch(TableResult::equal);
    }

    public long rowsCompared() {
        return tables.stream().mapToLong(TableResult::sourceRows).sum();
    }

    public long rowsDifferent() {
        return tables.stream().mapToLong(TableResult::differing).sum();
    }

    /** The tables that differ, one line each. */
    public String differences() {
        return tables.stream()
                .filter(t -> !t.equal())
                .map(TableResult::explained)
                .collect(Collectors.joining("\n"));
    }
}
