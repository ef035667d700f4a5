package io.wherry.coordinator.proof;

import io.wherry.contract.name.Remedies;
import io.wherry.contract.name.TableId;
import io.wherry.coordinator.recheck.Difference;
import io.wherry.coordinator.recheck.Difference.Kind;
import io.wherry.coordinator.recheck.Differences;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeMap;
import java.util.TreeSet;

/**
 * What a repair will do, as {@code /api/verify/repair} answers; its JSON names are public and stable.
 *
 * @param dryRun whether nothing was ordered
 * @param rows that are repaired, over all tables
 * @param tables in which a difference stands, by name
 */
public record RepairOrder(boolean dryRun, int rows, List<Table> tables) {
    public RepairOrder {
        tables = List.copyOf(tables);
    }

    /**
     * One table.
     *
     * @param rows that are repaired
     * @param refused why the table is not repaired, and the remedy; empty when it is
     */
    public record Table(String table, int rows, String refused) {}

    /** The differences that are repaired. */
    static List<Difference> repairable(List<Difference> standing) {
        Set<String> refused = new TreeSet<>();
        of(standing, true).tables().stream()
                .filter(table -> !table.refused().isEmpty())
                .forEach(table -> refused.add(table.table()));
        return standing.stream()
                .filter(difference -> !refused.contains(difference.table().toString()))
                .toList();
    }

    static RepairOrder of(List<Difference> standing, boolean dryRun) {
        Map<TableId, List<Difference>> by = new TreeMap<>();
        standing.forEach(difference ->
                by.computeIfAbsent(difference.table(), id -> new ArrayList<>()).add(difference));
        List<Table> tables = new ArrayList<>();
        by.forEach((id, rows) -> {
            String refused = refused(id, rows);
            tables.add(new Table(id.toString(), refused.isEmpty() ? rows.size() : 0, refused));
        });
        return new RepairOrder(dryRun, tables.stream().mapToInt(Table::rows).sum(), tables);
    }

    private static String refused(TableId id, List<Difference> rows) {
        if (rows.stream().anyMatch(row -> row.kind() == Kind.CONTENT_DIFFERS)) {
            return "its rows are not compared by key; " + Remedies.reload(id);
        }
        return rows.size() >= Differences.MOST_OF_A_TABLE
                ? "it differs in more rows than are named; " + Remedies.reload(id)
                : "";
    }
}
