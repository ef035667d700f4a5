package io.wherry.random;

import io.wherry.contract.name.Identifiers;
import io.wherry.random.RandomColumn.Values;
import java.util.List;
import java.util.Optional;
import java.util.random.RandomGenerator;

/**
 * Tables and columns that take the names of others, each change in one transaction: a name does not identify the table, or the
 * column, that its rows belong to.
 */
final class RandomRenames {
    private final RandomSchema schema;
    private final RandomGenerator random;
    private int renamed;

    RandomRenames(RandomSchema schema, RandomGenerator random) {
        this.schema = schema;
        this.random = random;
    }

    /** One transaction of DDL. Only when no transaction is open: the statements after it use the new names. */
    String next() {
        RandomTable first = schema.pair().get(0);
        RandomTable second = schema.pair().get(1);
        return switch (random.nextInt(5)) {
            case 0 -> swap(first, second);
            case 1 -> over(first, second);
            case 2 -> rename(first, second);
            case 3 -> createAgain(first, second);
            default -> dropAndAdd(first).orElseGet(() -> swap(first, second));
        };
    }

    private String swap(RandomTable first, RandomTable second) {
        String free = fresh(first);
        schema.pair(first.renamed(second.name()), second.renamed(first.name()));
        return transaction(alter(first.name(), free), alter(second.name(), first.name()), alter(free, second.name()));
    }

    /** The second table takes the name of the first, and the first gets a new one. */
    private String over(RandomTable first, RandomTable second) {
        String free = fresh(first);
        schema.pair(first.renamed(free), second.renamed(first.name()));
        return transaction(alter(first.name(), free), alter(second.name(), first.name()));
    }

    private String rename(RandomTable first, RandomTable second) {
        String free = fresh(first);
        schema.pair(first.renamed(free), second);
        return transaction(alter(first.name(), free));
    }

    private String createAgain(RandomTable first, RandomTable second) {
        RandomTable again = second.renamed(first.name());
        schema.pair(again, second);
        return transaction("DROP TABLE " + first.name(), CreatedTables.statement(again));
    }

    /** A column of the same name and type: its old values are gone. */
    private static Optional<String> dropAndAdd(RandomTable table) {
        return table.columns().stream()
                .filter(c -> c.nullable() && c.values() == Values.ANY)
                .findFirst()
                .map(column -> transaction(
                        "ALTER TABLE " + table.name() + " DROP COLUMN " + column.quoted(),
                        "ALTER TABLE " + table.name() + " ADD COLUMN " + column.definition()));
    }

    private static String alter(String from, String to) {
        return "ALTER TABLE " + from + " RENAME TO " + lastPart(to);
    }

    private static String lastPart(String name) {
        return name.substring(schemaLength(name) + 1);
    }

    private String fresh(RandomTable table) {
        return table.name().substring(0, schemaLength(table.name())) + "."
                + Identifiers.quote("renamed " + ++renamed + random.nextInt(100));
    }

    /** The schema is quoted and may contain dots and doubled quotes. */
    private static int schemaLength(String name) {
        int at = 1;
        while (name.charAt(at) != '"' || name.charAt(at + 1) == '"') {
            at += name.charAt(at) == '"' ? 2 : 1;
        }
        return at + 1;
    }

    private static String transaction(String... statements) {
        return "DO $wherry$ BEGIN " + String.join("; ", List.of(statements)) + "; END $wherry$";
    }
}
