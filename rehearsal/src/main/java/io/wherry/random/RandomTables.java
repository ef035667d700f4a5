package io.wherry.random;

import static io.wherry.random.RandomColumns.list;
import static io.wherry.random.RandomColumns.primaryKey;

import io.wherry.contract.name.Identifiers;
import io.wherry.random.RandomColumn.Values;
import java.util.ArrayList;
import java.util.List;
import java.util.random.RandomGenerator;

/** Tables of every shape. */
final class RandomTables {
    private final int version;
    private final RandomNames names;
    private final RandomTypes types;
    private final RandomGenerator random;
    private final RandomColumns any;
    private final CreatedTables created;
    private final RandomFamilies families;
    private final List<Runnable> shapes;

    RandomTables(int version, List<String> schemas, RandomNames names, RandomTypes types, RandomGenerator random) {
        this.version = version;
        this.names = names;
        this.types = types;
        this.random = random;
        any = new RandomColumns(names, types, random);
        created = new CreatedTables(schemas, names, random);
        families = new RandomFamilies(version, created, any, random);
        shapes = List.of(
                this::keyed,
                this::keyed,
                this::keyless,
                this::byIndex,
                families::partitioned,
                families::inherited,
                this::computed,
                this::empty,
                this::constrained,
                this::constrained,
                this::toasted,
                this::toasted,
                families::referring);
    }

    List<String> statements() {
        return created.statements();
    }

    List<RandomTable> tables() {
        return created.tables();
    }

    /** For each foreign key: leaves a row that refers to nothing, as a session does that deletes with triggers off. */
    List<String> orphaning() {
        return families.orphaning();
    }

    /** Makes tables of {@code count} shapes, some shapes more than once. */
    void create(int count) {
        for (int i = 0; i < count; i++) {
            shapes.get(random.nextInt(shapes.size())).run();
        }
    }

    /** Two tables of one schema, of the same columns or others, for renames: nothing else refers to them. */
    List<RandomTable> pair() {
        String schema = created.anySchema();
        RandomTable first = alone(schema, aloneColumns());
        RandomTable second = alone(schema, random.nextBoolean() ? first.columns() : aloneColumns());
        return List.of(first, second);
    }

    private List<RandomColumn> aloneColumns() {
        List<RandomColumn> columns = any.data(0, 3);
        columns.add(any.column(types.any(random), Values.ANY, 0, true, ""));
        columns.add(any.pooled(types.ordered(random), 40, false));
        return columns;
    }

    /** @param columns the last is the key, if there is one */
    private RandomTable alone(String schema, List<RandomColumn> columns) {
        List<RandomColumn> key = random.nextInt(4) == 0 ? List.of() : List.of(columns.get(columns.size() - 1));
        RandomTable table = new RandomTable(created.nameIn(schema), columns, key, List.of(), List.of());
        created.run(CreatedTables.statement(table));
        created.add(table);
        return table;
    }

    private void keyed() {
        List<RandomColumn> key = new ArrayList<>();
        for (int i = random.nextInt(3) == 0 ? random.nextInt(2, 4) : 1; i > 0; i--) {
            key.add(any.pooled(types.ordered(random), 40, false));
        }
        List<RandomColumn> columns = any.data(0, 6);
        key.forEach(column -> columns.add(random.nextInt(columns.size() + 1), column));
        boolean deferrable = random.nextInt(8) == 0;
        String name = created.create(
                columns, List.of(primaryKey(key) + (deferrable ? " DEFERRABLE INITIALLY DEFERRED" : "")));
        if (random.nextInt(6) == 0) {
            created.run("ALTER TABLE " + name + " REPLICA IDENTITY FULL");
        }
        created.add(name, columns, deferrable ? List.of() : key);
    }

    private void keyless() {
        List<RandomColumn> columns = any.data(1, 4);
        if (random.nextBoolean()) {
            columns.add(any.pooled(RandomTypes.INTEGER, 3, true));
        }
        String name = created.create(columns, List.of());
        if (random.nextBoolean()) {
            created.run("ALTER TABLE " + name + " REPLICA IDENTITY FULL");
        }
        created.add(name, columns, List.of());
    }

    private void byIndex() {
        List<RandomColumn> columns = any.data(0, 4);
        List<RandomColumn> identity = new ArrayList<>(List.of(any.pooled(types.ordered(random), 40, false)));
        if (random.nextInt(3) == 0) {
            identity.add(any.pooled(types.ordered(random), 10, false));
        }
        columns.addAll(identity);
        List<RandomColumn> key =
                random.nextBoolean() ? List.of(any.pooled(RandomTypes.INTEGER, 200, false)) : List.of();
        columns.addAll(0, key);
        String name = created.create(columns, key.isEmpty() ? List.of() : List.of(primaryKey(key)));
        String index = Identifiers.quote(names.next());
        created.run("CREATE UNIQUE INDEX " + index + " ON " + name + " (" + list(identity) + ")");
        created.run("ALTER TABLE " + name + " REPLICA IDENTITY USING INDEX " + index);
        created.add(name, columns, key.isEmpty() ? identity : key);
    }

    private void computed() {
        RandomColumn number = any.column(RandomTypes.INTEGER, Values.ANY, 0, true, "");
        List<RandomColumn> columns = any.data(0, 3);
        columns.add(number);
        boolean keyed = random.nextBoolean();
        // A virtual column under FULL is refused by the preflight: the source could not publish updates of that table.
        boolean virtual = version >= 18 && keyed && random.nextBoolean();
        if (version >= 12) {
            String kind = virtual ? "VIRTUAL" : "STORED";
            String expression = " GENERATED ALWAYS AS (" + number.quoted() + "::bigint * 2) " + kind;
            RandomColumn generated =
                    any.column(RandomType.plain(12, "bigint", "0"), Values.GENERATED, 0, true, expression);
            columns.add(random.nextInt(columns.size() + 1), generated);
        }
        boolean always = random.nextBoolean();
        RandomColumn id = any.column(
                RandomTypes.INTEGER,
                always ? Values.ALWAYS_IDENTITY : Values.DEFAULT_IDENTITY,
                0,
                false,
                " GENERATED " + (always ? "ALWAYS" : "BY DEFAULT") + " AS IDENTITY");
        columns.add(random.nextInt(columns.size() + 1), id);
        String name = created.create(columns, keyed ? List.of(primaryKey(List.of(id))) : List.of());
        if (!virtual && random.nextBoolean()) {
            created.run("ALTER TABLE " + name + " REPLICA IDENTITY FULL");
        }
        created.add(name, columns, List.of());
    }

    private void empty() {
        created.add(created.create(List.of(), List.of()), List.of(), List.of());
    }

    private void constrained() {
        RandomColumn key = any.pooled(types.ordered(random), 30, false);
        RandomColumn flag = any.column(RandomType.plain(10, "boolean", "t", "f"), Values.ANY, 0, true, "");
        List<RandomColumn> columns = any.data(0, 2);
        columns.addAll(List.of(key, flag));
        List<RandomColumn> unique = new ArrayList<>();
        List<String> constraints = new ArrayList<>(List.of(primaryKey(List.of(key))));
        List<String> indexes = new ArrayList<>();
        for (int i = random.nextInt(1, 4); i > 0; i--) {
            RandomColumn column = any.pooled(types.ordered(random), 15, random.nextBoolean());
            String deferrable =
                    switch (random.nextInt(4)) {
                        case 0 -> " DEFERRABLE INITIALLY DEFERRED";
                        case 1 -> " DEFERRABLE";
                        default -> "";
                    };
            String where = random.nextInt(3) == 0 ? " WHERE (" + flag.quoted() + ")" : "";
            switch (random.nextInt(6)) {
                case 0 -> {
                    column = any.pooled(RandomTypes.RANGE, 15, true);
                    constraints.add("EXCLUDE USING gist (" + column.quoted() + " WITH &&)" + where + deferrable);
                }
                case 1 -> {
                    column = any.pooled(RandomTypes.TEXT, 15, true);
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
        String name = created.create(columns, constraints);
        indexes.forEach(index -> created.run("CREATE UNIQUE INDEX ON " + name + " " + index));
        if (random.nextInt(6) == 0) {
            created.run("ALTER TABLE " + name + " REPLICA IDENTITY FULL");
        }
        created.add(new RandomTable(name, columns, List.of(key), unique, List.of()));
    }

    private void toasted() {
        RandomColumn key = any.pooled(types.ordered(random), 10, false);
        List<RandomColumn> columns = any.data(1, 2);
        columns.add(key);
        for (int i = random.nextInt(1, 4); i > 0; i--) {
            columns.add(any.column(RandomTypes.big(random), Values.BIG, 0, true, ""));
        }
        boolean keyed = random.nextInt(5) != 0;
        String name = created.create(columns, keyed ? List.of(primaryKey(List.of(key))) : List.of());
        if (random.nextBoolean()) {
            String last = columns.get(columns.size() - 1).quoted();
            created.run("ALTER TABLE " + name + " ALTER COLUMN " + last + " SET STORAGE EXTERNAL");
        }
        created.add(name, columns, keyed ? List.of(key) : List.of());
    }
}
