package io.wherry.contract.name;

import io.wherry.contract.error.ConfigurationException;
import io.wherry.contract.error.Finding;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collection;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeSet;
import java.util.stream.Collectors;

/** Finds the tables that an operator names (pure). */
public final class TableNames {
    private TableNames() {}

    /**
     * The tables of these names. A text may hold several names with commas between them, and a name may hold a comma itself. A
     * name that no table has is a pattern ({@link Patterns}).
     *
     * @param named as {@code wherry tables} writes them; none = all tables that are known
     * @param what is done with the tables that are known: {@code compared}
     * @throws ConfigurationException with every name that no known table has
     */
    public static Set<TableId> find(List<String> named, Collection<TableId> known, String what) {
        if (named.isEmpty()) {
            return new TreeSet<>(known);
        }
        // Two tables may be written alike, because a schema's name may hold a dot.
        Map<String, List<TableId>> byName = known.stream().collect(Collectors.groupingBy(TableId::toString));
        Set<TableId> found = new TreeSet<>();
        List<Finding> unknown = new ArrayList<>();
        for (String text : named) {
            List<String> parts = Arrays.asList(text.split(",", -1));
            int from = 0;
            while (from < parts.size()) {
                int to = end(parts, from, byName.keySet());
                String name = String.join(",", parts.subList(from, to));
                List<TableId> meant = byName.getOrDefault(
                        name,
                        known.stream()
                                .filter(table -> Patterns.matches(name, table.toString()))
                                .toList());
                found.addAll(meant);
                if (meant.isEmpty()) {
                    unknown.add(Finding.error(
                            "table " + name,
                            "is not among the tables that are " + what,
                            "Give the name as wherry tables writes it, schema.table, or a pattern such as public.order*."
                                    + " tables.include, tables.exclude and tables.load-only say which tables are "
                                    + what));
                }
                from = to;
            }
        }
        if (!unknown.isEmpty()) {
            throw new ConfigurationException(unknown);
        }
        return found;
    }

    /** Behind the longest name that begins at this part; behind the part itself when no name does. */
    private static int end(List<String> parts, int from, Set<String> names) {
        for (int to = parts.size(); to > from + 1; to--) {
            if (names.contains(String.join(",", parts.subList(from, to)))) {
                return to;
            }
        }
        return from + 1;
    }
}
