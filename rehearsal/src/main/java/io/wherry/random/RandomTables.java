package io.wherry.random;

import io.wherry.contract.name.Identifiers;
import io.wherry.random.RandomColumn.Values;
import java.util.ArrayList;
import java.util.List;
import java.util.random.RandomGenerator;
import java.util.stream.Collectors;

/** Tables of every shape. */
final class RandomTables {
    private final int version;
    private final List<String> schemas;
    private final RandomNames names;
    private final RandomTypes types;
    private final RandomGenerator random;
    private final List<String> statements = new ArrayList<>();
    private final List<RandomTable> tables = new ArrayList<>();
    private final List<String> orphaning = new ArrayList<>();
    private final List<Runnable> shapes = List.of(
            this::keyed,
            this::keyed,
            this::keyless,
            this::byIndex,
            this::partitioned,
            this::inherited,
            this::computed,
            this::empty,
            this::constrained,
            this::constrained,
            this::toasted,
            this::toasted,
            this::referring);

    RandomTables(int version, List<String> schemas, RandomNames names, RandomTypes types, RandomGenerator random) {
        this.version = version;
        this.schemas = schemas;
        this.names = names;
        this.types = types;
        this.random = random;
    }

    List<String> statements() {
        return statements;
    }

    List<RandomTable> tables() {
        return tables;
    }

    /** For each foreign key: leaves a row that refers to nothing, as whoever deletes with triggers off does. */
    List<String> orphaning() {
        return orphaning;
    }

    /** Makes tables of {@code count} shapes, some shapes more than once. */
    void create(int count) {
        for (int i = 0; i < count; i++) {
            shapes.get(random.nextInt(shapes.size())).run();
        }
    }

    /** Two tables of one schema, of the same columns or others, for renames: nothing else refers to them. */
    List<RandomTable> pair() {
        String schema = schemas.get(random.nextInt(schemas.size()));
        RandomTable first = alone(schema, aloneColumns());
        RandomTable second = alone(schema, random.nextBoolean() ? first.columns() : aloneColumns());
        return List.of(first, second);
    }

    private List<RandomColumn> aloneColumns() {
        List<RandomColumn> columns = data(0, 3);
        columns.add(column(types.any(random), Values.ANY, 0, true, ""));
        columns.add(pooled(types.ordered(random), 40, false));
        return columns;
    }

    /** @param columns the last is the key, if there is one */
    private RandomTable alone(String schema, List<RandomColumn> columns) {
        List<RandomColumn> key = random.nextInt(4) == 0 ? List.of() : List.of(columns.get(columns.size() - 1));
        String name = schema + "." + Identifiers.quote(names.next());
        statements.add(createStatement(name, columns, key));
        RandomTable table = new RandomTable(name, columns, key, List.of(), List.of());
        tables.add(table);
        return table;
    }

    /** DDL that makes {@code table} once more, under its name. */
    static String createStatement(RandomTable table) {
        return createStatement(table.name(), table.columns(), table.key());
    }

    private static String createStatement(String name, List<RandomColumn> columns, List<RandomColumn> key) {
        List<String> parts =
                new ArrayList<>(columns.stream().map(RandomColumn::definition).toList());
        if (!key.isEmpty()) {
            parts.add(primaryKey(key));
        }
        return "CREATE TABLE " + name + " (" + String.join(", ", parts) + ")";
    }

    private void keyed() {
        List<RandomColumn> key = new ArrayList<>();
        for (int i = random.nextInt(3) == 0 ? random.nextInt(2, 4) : 1; i > 0; i--) {
            key.add(pooled(types.ordered(random), 40, false));
        }
        List<RandomColumn> columns = data(0, 6);
        key.forEach(column -> columns.add(random.nextInt(columns.size() + 1), column));
        boolean deferrable = random.nextInt(8) == 0;
        String name = create(columns, List.of(primaryKey(key) + (deferrable ? " DEFERRABLE INITIALLY DEFERRED" : "")));
        if (random.nextInt(6) == 0) {
            statements.add("ALTER TABLE " + name + " REPLICA IDENTITY FULL");
        }
        tables.add(new RandomTable(name, columns, deferrable ? List.of() : key, List.of(), List.of()));
    }

    private void keyless() {
        List<RandomColumn> columns = data(1, 4);
        if (random.nextBoolean()) {
            columns.add(pooled(RandomTypes.INTEGER, 3, true));
        }
        String name = create(columns, List.of());
        if (random.nextBoolean()) {
            statements.add("ALTER TABLE " + name + " REPLICA IDENTITY FULL");
        }
        tables.add(new RandomTable(name, columns, List.of(), List.of(), List.of()));
    }

    private void byIndex() {
        List<RandomColumn> columns = data(0, 4);
        List<RandomColumn> identity = new ArrayList<>(List.of(pooled(types.ordered(random), 40, false)));
        if (random.nextInt(3) == 0) {
            identity.add(pooled(types.ordered(random), 10, false));
        }
        columns.addAll(identity);
        List<RandomColumn> key = random.nextBoolean() ? List.of(pooled(RandomTypes.INTEGER, 200, false)) : List.of();
        columns.addAll(0, key);
        String name = create(columns, key.isEmpty() ? List.of() : List.of(primaryKey(key)));
        String index = Identifiers.quote(names.next());
        statements.add("CREATE UNIQUE INDEX " + index + " ON " + name + " (" + list(identity) + ")");
        statements.add("ALTER TABLE " + name + " REPLICA IDENTITY USING INDEX " + index);
        tables.add(new RandomTable(name, columns, key.isEmpty() ? identity : key, List.of(), List.of()));
    }

    private void partitioned() {
        RandomColumn at = pooled(RandomTypes.DATE, 30, false);
        RandomColumn kind = pooled(RandomTypes.TEXT, 6, false);
        RandomColumn id = pooled(RandomTypes.INTEGER, 40, false);
        List<RandomColumn> columns = data(1, 3);
        columns.addAll(List.of(at, kind, id));
        // Before 11 a partitioned table has no key and no default partition.
        boolean keyed = version >= 11 && random.nextInt(3) != 0;
        List<RandomColumn> key = keyed ? List.of(id, kind, at) : List.of();
        String by =
                switch (random.nextInt(version >= 11 ? 3 : 2)) {
                    case 0 -> "RANGE (" + at.quoted();
                    case 1 -> "LIST (" + kind.quoted();
                    default -> "HASH (" + id.quoted();
                };
        String name = create(columns, keyed ? List.of(primaryKey(key)) : List.of(), " PARTITION BY " + by + ")");
        List<String> parts = new ArrayList<>();
        if (by.startsWith("RANGE")) {
            parts.add(partition(name, "FOR VALUES FROM ('2000-01-01') TO ('2001-01-01')"));
            String nested = partition(
                    name, "FOR VALUES FROM ('2001-01-01') TO ('2002-01-01') PARTITION BY LIST (" + kind.quoted() + ")");
            parts.add(partition(nested, "FOR VALUES IN ('k0', 'k1', 'k2')"));
            parts.add(partition(nested, version >= 11 ? "DEFAULT" : "FOR VALUES IN ('k3', 'k4')"));
        } else if (by.startsWith("LIST")) {
            parts.add(partition(name, "FOR VALUES IN ('k0', 'k1')"));
            parts.add(partition(name, "FOR VALUES IN ('k2', 'k3', '')"));
        } else {
            parts.add(partition(name, "FOR VALUES WITH (MODULUS 3, REMAINDER 0)"));
            parts.add(partition(name, "FOR VALUES WITH (MODULUS 3, REMAINDER 1)"));
            parts.add(partition(name, "FOR VALUES WITH (MODULUS 3, REMAINDER 2)"));
        }
        if (version >= 11 && !by.startsWith("HASH")) {
            parts.add(partition(name, "DEFAULT"));
        }
        tables.add(new RandomTable(name, columns, key, List.of(), parts));
    }

    private String partition(String parent, String bounds) {
        String name = name();
        statements.add("CREATE TABLE " + name + " PARTITION OF " + parent + " " + bounds);
        return name;
    }

    private void inherited() {
        RandomColumn id = pooled(RandomTypes.INTEGER, 30, false);
        List<RandomColumn> columns = data(0, 2);
        columns.add(id);
        String parent = create(columns, List.of(primaryKey(List.of(id))));
        tables.add(new RandomTable(parent, columns, List.of(id), List.of(), List.of()));
        for (int generation = random.nextInt(1, 3); generation > 0; generation--) {
            boolean keyed = random.nextBoolean();
            List<RandomColumn> own = data(0, 2);
            String child =
                    create(own, keyed ? List.of(primaryKey(List.of(id))) : List.of(), " INHERITS (" + parent + ")");
            columns = new ArrayList<>(columns);
            columns.addAll(own);
            tables.add(new RandomTable(child, columns, keyed ? List.of(id) : List.of(), List.of(), List.of()));
            parent = child;
        }
    }

    private void computed() {
        RandomColumn number = column(RandomTypes.INTEGER, Values.ANY, 0, true, "");
        List<RandomColumn> columns = data(0, 3);
        columns.add(number);
        boolean keyed = random.nextBoolean();
        // A virtual column under FULL is refused by the preflight: the source could not publish updates of that table.
        boolean virtual = version >= 18 && keyed && random.nextBoolean();
        if (version >= 12) {
            String kind = virtual ? "VIRTUAL" : "STORED";
            String expression = " GENERATED ALWAYS AS (" + number.quoted() + "::bigint * 2) " + kind;
            RandomColumn generated = column(RandomType.plain(12, "bigint", "0"), Values.GENERATED, 0, true, expression);
            columns.add(random.nextInt(columns.size() + 1), generated);
        }
        boolean always = random.nextBoolean();
        RandomColumn id = column(
                RandomTypes.INTEGER,
                always ? Values.ALWAYS_IDENTITY : Values.DEFAULT_IDENTITY,
                0,
                false,
                " GENERATED " + (always ? "ALWAYS" : "BY DEFAULT") + " AS IDENTITY");
        columns.add(random.nextInt(columns.size() + 1), id);
        String name = create(columns, keyed ? List.of(primaryKey(List.of(id))) : List.of());
        if (!virtual && random.nextBoolean()) {
            statements.add("ALTER TABLE " + name + " REPLICA IDENTITY FULL");
        }
        tables.add(new RandomTable(name, columns, List.of(), List.of(), List.of()));
    }

    private void empty() {
        tables.add(new RandomTable(create(List.of(), List.of()), List.of(), List.of(), List.of(), List.of()));
    }

    private void constrained() {
        RandomColumn key = pooled(types.ordered(random), 30, false);
        RandomColumn flag = column(RandomType.plain(10, "boolean", "t", "f"), Values.ANY, 0, true, "");
        List<RandomColumn> columns = data(0, 2);
        columns.addAll(List.of(key, flag));
        List<RandomColumn> unique = new ArrayList<>();
        List<String> constraints = new ArrayList<>(List.of(primaryKey(List.of(key))));
        List<String> indexes = new ArrayList<>();
        for (int i = random.nextInt(1, 4); i > 0; i--) {
            RandomColumn column = pooled(types.ordered(random), 15, random.nextBoolean());
            String deferrable =
                    switch (random.nextInt(4)) {
                        case 0 -> " DEFERRABLE INITIALLY DEFERRED";
                        case 1 -> " DEFERRABLE";
                        default -> "";
                    };
            String where = random.nextInt(3) == 0 ? " WHERE (" + flag.quoted() + ")" : "";
            switch (random.nextInt(6)) {
                case 0 -> {
                    column = pooled(RandomTypes.RANGE, 15, true);
                    constraints.add("EXCLUDE USING gist (" + column.quoted() + " WITH &&)" + where + deferrable);
                }
                case 1 -> {
                    column = pooled(RandomTypes.TEXT, 15, true);
                    indexes.add("(pg_catalog.lower(" + column.quoted() + "))" + where);
                }
                case 2 -> indexes.add("(" + column.quoted() + ") WHERE " + flag.quoted());
                case 3 ->
                    indexes.add("(" + column.quoted() + ", " + flag.quoted() + ")"
                            + (version >= 15 ? " NULLS NOT DISTINCT" : ""));
                default ->
                    constraints.add("UNIQUE" + (version >= 15 && random.nextBoolean() ? " NULLS NOT DISTINCT" : "")
                            + " (" + column.quoted() + ")" + deferrable);
            }
            unique.add(column);
        }
        columns.addAll(unique);
        String name = create(columns, constraints);
        indexes.forEach(index -> statements.add("CREATE UNIQUE INDEX ON " + name + " " + index));
        if (random.nextInt(6) == 0) {
            statements.add("ALTER TABLE " + name + " REPLICA IDENTITY FULL");
        }
        tables.add(new RandomTable(name, columns, List.of(key), unique, List.of()));
    }

    private void toasted() {
        RandomColumn key = pooled(types.ordered(random), 10, false);
        List<RandomColumn> columns = data(1, 2);
        columns.add(key);
        for (int i = random.nextInt(1, 4); i > 0; i--) {
            columns.add(column(RandomTypes.big(random), Values.BIG, 0, true, ""));
        }
        boolean keyed = random.nextInt(5) != 0;
        String name = create(columns, keyed ? List.of(primaryKey(List.of(key))) : List.of());
        if (random.nextBoolean()) {
            String last = columns.get(columns.size() - 1).quoted();
            statements.add("ALTER TABLE " + name + " ALTER COLUMN " + last + " SET STORAGE EXTERNAL");
        }
        tables.add(new RandomTable(name, columns, keyed ? List.of(key) : List.of(), List.of(), List.of()));
    }

    private void referring() {
        RandomColumn id = pooled(RandomTypes.INTEGER, 25, false);
        List<RandomColumn> columns = data(0, 2);
        columns.add(id);
        String name = create(columns, List.of(primaryKey(List.of(id))));
        tables.add(new RandomTable(name, columns, List.of(id), List.of(), List.of()));
        RandomColumn own = pooled(RandomTypes.INTEGER, 40, false);
        RandomColumn to = pooled(RandomTypes.INTEGER, 25, true);
        List<RandomColumn> referring = data(0, 2);
        referring.addAll(List.of(own, to));
        String child = create(referring, List.of(primaryKey(List.of(own))));
        String action =
                switch (random.nextInt(4)) {
                    case 0 -> " ON DELETE CASCADE";
                    case 1 -> " ON DELETE SET NULL ON UPDATE CASCADE";
                    case 2 -> " DEFERRABLE INITIALLY DEFERRED";
                    default -> "";
                };
        statements.add("ALTER TABLE " + child + " ADD FOREIGN KEY (" + to.quoted() + ") REFERENCES " + name + action);
        tables.add(new RandomTable(child, referring, List.of(own), List.of(), List.of()));
        orphaning.add(
                "DO $wherry$ BEGIN PERFORM set_config('session_replication_role', 'replica', true); DELETE FROM " + name
                        + " WHERE " + id.quoted() + " = (SELECT min(" + to.quoted() + ") FROM " + child
                        + "); PERFORM set_config('session_replication_role', 'origin', true); END $wherry$");
    }

    private String create(List<RandomColumn> columns, List<String> constraints) {
        return create(columns, constraints, "");
    }

    private String create(List<RandomColumn> columns, List<String> constraints, String suffix) {
        String name = name();
        List<String> parts =
                new ArrayList<>(columns.stream().map(RandomColumn::definition).toList());
        parts.addAll(constraints);
        statements.add("CREATE TABLE " + name + " (" + String.join(", ", parts) + ")" + suffix);
        return name;
    }

    private String name() {
        return schemas.get(random.nextInt(schemas.size())) + "." + Identifiers.quote(names.next());
    }

    private List<RandomColumn> data(int least, int most) {
        List<RandomColumn> columns = new ArrayList<>();
        for (int i = random.nextInt(least, most + 1); i > 0; i--) {
            boolean nullable = random.nextInt(4) != 0;
            columns.add(column(types.any(random), Values.ANY, 0, nullable, ""));
        }
        return columns;
    }

    private RandomColumn pooled(RandomType type, int pool, boolean nullable) {
        return column(type, Values.POOL, pool, nullable, "");
    }

    private RandomColumn column(RandomType type, Values values, int pool, boolean nullable, String constraints) {
        return new RandomColumn(
                names.next(), type, values, pool, nullable, (nullable ? "" : " NOT NULL") + constraints);
    }

    private static String primaryKey(List<RandomColumn> columns) {
        return "PRIMARY KEY (" + list(columns) + ")";
    }

    private static String list(List<RandomColumn> columns) {
        return columns.stream().map(RandomColumn::quoted).collect(Collectors.joining(", "));
    }
}
