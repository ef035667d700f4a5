package io.wherry.random;

import io.wherry.contract.name.Identifiers;
import java.util.ArrayList;
import java.util.HexFormat;
import java.util.List;
import java.util.random.RandomGenerator;

/** DDL that Wherry follows while the migration runs, and changes beside the tables' rows: of sequences and large objects. */
final class RandomDdl {
    private final RandomSchema schema;
    private final RandomGenerator random;
    private int objects;

    RandomDdl(RandomSchema schema, RandomGenerator random) {
        this.schema = schema;
        this.random = random;
    }

    /**
     * Adds a column if the table has rows, and updates all rows, so that the stream shows the new column. Not for a parent table:
     * every child would need a row.
     */
    String widen(String column) {
        RandomType type = schema.types().any(random);
        List<RandomTable> wide = schema.tables().stream()
                .filter(t -> t.parts().isEmpty() && t.columns().stream().anyMatch(RandomColumn::assignable))
                .toList();
        if (wide.isEmpty()) {
            return "SELECT";
        }
        RandomTable table = wide.get(random.nextInt(wide.size()));
        String same = table.columns().stream()
                .filter(RandomColumn::assignable)
                .findFirst()
                .orElseThrow()
                .quoted();
        String value = type.literal(random.nextInt(3) == 0 ? null : type.any(random));
        return "DO $wherry$ BEGIN IF EXISTS (SELECT FROM " + table.name()
                + ") AND NOT EXISTS (SELECT FROM pg_inherits WHERE inhparent = "
                + Identifiers.literal(table.name()) + "::regclass) THEN ALTER TABLE " + table.name() + " ADD COLUMN "
                + Identifiers.quote(column) + " " + type.sql() + " DEFAULT " + value + "; UPDATE " + table.name()
                + " SET "
                + same + " = " + same + "; END IF; END $wherry$";
    }

    /** Adds rows that contradict a foreign key; nothing if the schema has none, and nothing half of the times. */
    List<String> orphans() {
        List<String> known = schema.orphaning();
        return known.isEmpty() || random.nextBoolean() ? List.of() : List.of(known.get(random.nextInt(known.size())));
    }

    /**
     * Changes rows that users own in tables of an extension, if the schema has such an extension. A server without the extension
     * refuses the statements.
     */
    List<String> ofExtension() {
        int code = random.nextInt(20, 60);
        return List.of(
                "INSERT INTO public.system VALUES (" + code + ", 'system " + random.nextInt(1_000) + "')",
                random.nextBoolean()
                        ? "INSERT INTO public.tenant (system, weight) VALUES (1, " + random.nextInt(1_000) + ")"
                        : "UPDATE public.tenant SET weight = weight + 1 WHERE id % 2 = " + random.nextInt(2),
                random.nextInt(4) == 0
                        ? "DELETE FROM public.note WHERE tenant < " + random.nextInt(100)
                        : "INSERT INTO public.note VALUES (" + random.nextInt(100) + ", 'it''s')");
    }

    /**
     * Changes an index, a constraint, a default or a partition of a table; the server may refuse it because of the table's rows.
     */
    List<String> beside() {
        List<String> statements = new ArrayList<>();
        RandomTable table = schema.tables().get(random.nextInt(schema.tables().size()));
        if (!table.parts().isEmpty() && random.nextBoolean()) {
            partition(table, statements);
        } else if (!table.writable().isEmpty()) {
            RandomColumn column =
                    table.writable().get(random.nextInt(table.writable().size()));
            statements.add(beside(table.name(), column));
        }
        return statements;
    }

    private String beside(String table, RandomColumn column) {
        String alter = "ALTER TABLE " + table + " ";
        String name = Identifiers.quote("made live " + ++objects);
        String value = column.type().literal(column.value(random));
        boolean seldomMeets = column.values() == RandomColumn.Values.POOL;
        return switch (random.nextInt(8)) {
            case 0 -> "CREATE INDEX ON " + table + " (" + column.quoted() + ")";
            case 1 ->
                "CREATE INDEX " + name + " ON " + table + " ((" + column.quoted() + " IS NULL)) WHERE "
                        + column.quoted() + " IS NOT NULL";
            case 2 -> alter + "ALTER COLUMN " + column.quoted() + " SET DEFAULT " + value;
            case 3 -> alter + "ALTER COLUMN " + column.quoted() + " DROP DEFAULT";
            case 4 -> alter + "ALTER COLUMN " + column.quoted() + " SET NOT NULL";
            case 5 -> alter + "ADD CONSTRAINT " + name + " CHECK (length(" + column.quoted() + "::text) < 100000000)";
            case 6 ->
                seldomMeets
                        ? alter + "ADD CONSTRAINT " + name + " UNIQUE (" + column.quoted() + ")"
                        : alter + "ALTER COLUMN " + column.quoted() + " DROP NOT NULL";
            default -> alter + "ADD CONSTRAINT " + name + " CHECK (" + column.quoted() + "::text <> '%') NOT VALID";
        };
    }

    private void partition(RandomTable table, List<String> statements) {
        switch (random.nextInt(3)) {
            case 0 -> {
                String part = table.parts().get(random.nextInt(table.parts().size()));
                statements.add("ALTER TABLE " + table.name() + " DETACH PARTITION " + part);
            }
            case 1 ->
                statements.add("CREATE TABLE " + table.name().replaceFirst("\"$", " p" + ++objects + "\"")
                        + " PARTITION OF " + table.name() + " FOR VALUES FROM ('2003-01-01') TO ('2004-01-01')");
            default ->
                statements.add("CREATE TABLE " + table.name().replaceFirst("\"$", " p" + ++objects + "\"")
                        + " PARTITION OF " + table.name() + " FOR VALUES IN ('k5', NULL)");
        }
    }

    /** Advances sequences, and creates, changes and removes large objects: none of it is in the stream. */
    List<String> outsideTheStream() {
        String sequence = schema.anySchema(random) + "." + Identifiers.quote("sequence " + ++objects);
        String bytes = "'\\x" + HexFormat.of().toHexDigits(random.nextLong()).repeat(random.nextInt(1, 900)) + "'";
        String one = "(SELECT oid FROM pg_largeobject_metadata ORDER BY oid LIMIT 1 OFFSET " + random.nextInt(4) + ")";
        return List.of(
                "SELECT lo_from_bytea(0, " + bytes + ")",
                switch (random.nextInt(3)) {
                    case 0 -> "SELECT lo_put(" + one + ", " + random.nextInt(5_000) + ", " + bytes + ")";
                    case 1 -> "SELECT lo_unlink(" + one + ")";
                    default -> "SELECT lo_from_bytea(0, " + bytes + ")";
                },
                "CREATE SEQUENCE " + sequence + " INCREMENT " + random.nextInt(1, 50),
                "SELECT nextval(" + Identifiers.literal(sequence) + ") FROM generate_series(1, " + random.nextInt(3)
                        + ")",
                "SELECT nextval(oid::regclass) FROM pg_class WHERE relkind = 'S' ORDER BY relname COLLATE \"C\" LIMIT "
                        + random.nextInt(1, 4));
    }
}
