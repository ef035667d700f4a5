package io.wherry.random;

import io.wherry.contract.name.Identifiers;
import java.util.ArrayList;
import java.util.List;
import java.util.random.RandomGenerator;

/** The tables that were made, and their DDL. */
final class CreatedTables {
    private final List<String> schemas;
    private final RandomNames names;
    private final RandomGenerator random;
    private final List<String> statements = new ArrayList<>();
    private final List<RandomTable> tables = new ArrayList<>();

    /** @param schemas quoted */
    CreatedTables(List<String> schemas, RandomNames names, RandomGenerator random) {
        this.schemas = schemas;
        this.names = names;
        this.random = random;
    }

    List<String> statements() {
        return statements;
    }

    List<RandomTable> tables() {
        return tables;
    }

    /** From now on the history writes to the table. */
    void add(RandomTable table) {
        tables.add(table);
    }

    /** From now on the history writes to the table. */
    void add(String name, List<RandomColumn> columns, List<RandomColumn> key) {
        add(new RandomTable(name, columns, key, List.of(), List.of()));
    }

    /** DDL after that of the tables so far. */
    void run(String statement) {
        statements.add(statement);
    }

    String create(List<RandomColumn> columns, List<String> constraints) {
        return create(columns, constraints, "");
    }

    /** @return the name of the new table */
    String create(List<RandomColumn> columns, List<String> constraints, String suffix) {
        String name = name();
        statements.add(statement(name, columns, constraints) + suffix);
        return name;
    }

    /** DDL that makes {@code table} once more, under its name. */
    static String statement(RandomTable table) {
        List<RandomColumn> key = table.key();
        return statement(
                table.name(), table.columns(), key.isEmpty() ? List.of() : List.of(RandomColumns.primaryKey(key)));
    }

    private static String statement(String name, List<RandomColumn> columns, List<String> constraints) {
        List<String> parts =
                new ArrayList<>(columns.stream().map(RandomColumn::definition).toList());
        parts.addAll(constraints);
        return "CREATE TABLE " + name + " (" + String.join(", ", parts) + ")";
    }

    /** Quoted name of a new table in any schema. */
    String name() {
        return nameIn(anySchema());
    }

    String anySchema() {
        return schemas.get(random.nextInt(schemas.size()));
    }

    String nameIn(String schema) {
        return schema + "." + Identifiers.quote(names.next());
    }
}
