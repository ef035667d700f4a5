package io.wherry.random;

import io.wherry.contract.name.Identifiers;
import io.wherry.random.RandomColumn.Values;
import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import java.util.random.RandomGenerator;
import java.util.stream.Collectors;
import java.util.stream.IntStream;

/**
 * Statements that write to tables. Rows are found by the order of their text, so that the same statements on the same rows have
 * the same effect. A statement may fail: because a unique value is taken, or another session has locked a row.
 */
final class RandomWrites {
    /** @param data as in {@link HistoryStep} */
    record Write(String sql, String data) {
        Write(String sql) {
            this(sql, "");
        }
    }

    private final RandomGenerator random;
    private final List<RandomTable> tables;

    RandomWrites(List<RandomTable> tables, RandomGenerator random) {
        this.tables = tables;
        this.random = random;
    }

    /** Statements that belong together, in order: usually one. */
    List<Write> next() {
        RandomTable table = tables.get(random.nextInt(tables.size()));
        if (table.writable().isEmpty()) {
            return List.of(withoutColumns(table));
        }
        int kind = random.nextInt(100);
        if (kind < 14) {
            return List.of(insert(table, 1));
        } else if (kind < 22) {
            return List.of(insert(table, random.nextInt(2, 20)));
        } else if (kind < 28) {
            return List.of(copy(table, random.nextInt(1, 12)));
        } else if (kind < 34) {
            return List.of(table.key().isEmpty() ? many(table) : upsert(table));
        } else if (kind < 58) {
            return List.of(new Write("UPDATE " + table.name() + " SET " + assignments(table) + one(table)));
        } else if (kind < 62) {
            return List.of(new Write("UPDATE " + table.name() + " AS pick SET " + assignments(table) + some()));
        } else if (kind < 74) {
            return movesValues(table);
        } else if (kind < 80) {
            return takes(table);
        } else if (kind < 88) {
            return List.of(new Write("DELETE FROM " + table.name() + one(table)));
        } else if (kind < 94) {
            return List.of(again(table));
        } else if (kind < 96) {
            return List.of(new Write("DELETE FROM " + table.name() + " AS pick" + some()));
        } else if (kind < 99) {
            return List.of(many(table));
        }
        return List.of(truncate(table));
    }

    private Write withoutColumns(RandomTable table) {
        return new Write(
                switch (random.nextInt(3)) {
                    case 0 -> "INSERT INTO " + table.name() + " DEFAULT VALUES";
                    case 1 -> "INSERT INTO " + table.name() + " SELECT FROM generate_series(1, 5)";
                    default -> "DELETE FROM " + table.name() + one(table);
                });
    }

    /** First rows of a table. */
    Write fill(RandomTable table) {
        return table.writable().isEmpty() ? withoutColumns(table) : copy(table, random.nextInt(40));
    }

    private Write insert(RandomTable table, int rows) {
        List<RandomColumn> columns = given(table);
        if (columns.isEmpty()) {
            return new Write("INSERT INTO " + table.name() + " DEFAULT VALUES");
        }
        String values = IntStream.range(0, rows)
                .mapToObj(i -> columns.stream()
                        .map(c -> c.type().literal(rows > 1 ? c.fresh(random) : c.value(random)))
                        .collect(Collectors.joining(", ", "(", ")")))
                .collect(Collectors.joining(", "));
        return new Write(
                "INSERT INTO " + table.name() + " (" + list(columns) + ")" + overriding(columns) + " VALUES " + values);
    }

    /** The columns that an insert names: sometimes the server sets the identity columns. */
    private List<RandomColumn> given(RandomTable table) {
        return table.writable().stream()
                .filter(c -> c.values() != Values.ALWAYS_IDENTITY && c.values() != Values.DEFAULT_IDENTITY
                        || random.nextInt(3) == 0)
                .toList();
    }

    private static String overriding(List<RandomColumn> columns) {
        boolean always = columns.stream().anyMatch(c -> c.values() == Values.ALWAYS_IDENTITY);
        return always ? " OVERRIDING SYSTEM VALUE" : "";
    }

    private Write copy(RandomTable table, int rows) {
        List<RandomColumn> columns = table.writable();
        StringBuilder data = new StringBuilder();
        for (int i = 0; i < rows; i++) {
            data.append(columns.stream().map(c -> copied(c.fresh(random))).collect(Collectors.joining("\t")))
                    .append('\n');
        }
        return new Write("COPY " + table.name() + " (" + list(columns) + ") FROM STDIN", data.toString());
    }

    private static String copied(String value) {
        return value == null
                ? "\\N"
                : value.replace("\\", "\\\\")
                        .replace("\n", "\\n")
                        .replace("\r", "\\r")
                        .replace("\t", "\\t");
    }

    private Write upsert(RandomTable table) {
        List<RandomColumn> set =
                table.writable().stream().filter(c -> !table.key().contains(c)).toList();
        String then = set.isEmpty()
                ? "NOTHING"
                : "UPDATE SET "
                        + set.stream()
                                .map(c -> c.quoted() + " = EXCLUDED." + c.quoted())
                                .collect(Collectors.joining(", "));
        return new Write(insert(table, 1).sql() + " ON CONFLICT (" + list(table.key()) + ") DO " + then);
    }

    /** New values for one to three columns, or the old ones. */
    private String assignments(RandomTable table) {
        List<RandomColumn> columns = new ArrayList<>(table.writable());
        Collections.shuffle(columns, new java.util.Random(random.nextLong()));
        return columns.subList(0, Math.min(columns.size(), random.nextInt(1, 4))).stream()
                .map(this::assignment)
                .collect(Collectors.joining(", "));
    }

    private String assignment(RandomColumn column) {
        if (column.values() == Values.ALWAYS_IDENTITY) {
            return column.quoted() + " = DEFAULT";
        }
        return column.quoted() + " = "
                + (random.nextInt(12) == 0 ? column.quoted() : column.type().literal(column.value(random)));
    }

    /** Finds one row; whether the table is empty or not. */
    private String one(RandomTable table) {
        return " WHERE (tableoid, ctid) = (SELECT pick.tableoid, pick.ctid FROM " + table.name() + " AS pick"
                + " ORDER BY pick::text COLLATE \"C\", pick.tableoid::regclass::text COLLATE \"C\" LIMIT 1 OFFSET "
                + random.nextInt(1_000) + " % (SELECT greatest(count(*), 1) FROM " + table.name() + "))";
    }

    /** Finds an eighth of the rows, seldom all. */
    private String some() {
        return random.nextInt(5) == 0 ? "" : " WHERE md5(pick::text) COLLATE \"C\" < '" + random.nextInt(1, 4) + "'";
    }

    /** One statement that deletes a row and inserts it again, with some new values. */
    private Write again(RandomTable table) {
        List<RandomColumn> columns = table.writable();
        String values = columns.stream()
                .map(c -> random.nextInt(6) == 0 ? c.type().literal(c.value(random)) : c.quoted())
                .collect(Collectors.joining(", "));
        return new Write("WITH gone AS (DELETE FROM " + table.name() + one(table) + " RETURNING " + list(columns)
                + ") INSERT INTO " + table.name() + " (" + list(columns) + ")" + overriding(columns) + " SELECT "
                + values + " FROM gone");
    }

    /** Two to five rows give their unique values to the next row, in a circle; or all rows at once. */
    private List<Write> movesValues(RandomTable table) {
        if (table.singleKey().isEmpty()) {
            return List.of(again(table));
        }
        RandomColumn key = table.singleKey().get();
        List<RandomColumn> candidates = new ArrayList<>(table.unique());
        candidates.add(key);
        RandomColumn moved = candidates.get(random.nextInt(candidates.size()));
        if (moved.type().equals(RandomTypes.INTEGER) && random.nextInt(4) == 0) {
            String turned = moved.pool() + " - 1 - " + moved.quoted();
            return List.of(new Write("UPDATE " + table.name() + " SET " + moved.quoted() + " = " + turned));
        }
        return List.of(circle(table, key, moved, random.nextInt(2, 6)));
    }

    private Write circle(RandomTable table, RandomColumn key, RandomColumn moved, int rows) {
        String parked = Identifiers.literal(moved.numbered(moved.pool() + 7));
        StringBuilder body = new StringBuilder(move(table, key, moved, parked, "k[1]"));
        for (int i = 2; i <= rows; i++) {
            body.append(move(table, key, moved, "v[" + (i - 1) + "]", "k[" + i + "]"));
        }
        // If the key itself moves, the parked row has another key by now.
        String first = moved == key ? "CAST(" + parked + " AS " + key.type().sql() + ")::text" : "k[1]";
        body.append(move(table, key, moved, "v[" + rows + "]", first));
        String found = "SELECT array_agg(s.k), array_agg(s.v) INTO k, v FROM (SELECT " + key.quoted() + "::text AS k, "
                + moved.quoted() + "::text AS v FROM " + table.name() + " AS pick ORDER BY md5(pick::text || "
                + random.nextInt(1_000) + ") COLLATE \"C\" LIMIT " + rows + ") AS s; ";
        return new Write("DO $wherry$ DECLARE k text[]; v text[]; BEGIN " + found + "IF array_length(k, 1) = " + rows
                + " THEN " + body + "END IF; END $wherry$");
    }

    private static String move(RandomTable table, RandomColumn key, RandomColumn moved, String value, String whose) {
        return "UPDATE " + table.name() + " SET " + moved.quoted() + " = CAST(" + value + " AS "
                + moved.type().sql() + ") WHERE " + key.quoted() + "::text = " + whose + "; ";
    }

    /** One statement frees a unique value and the next one takes it, within one transaction or in two. */
    private List<Write> takes(RandomTable table) {
        List<RandomColumn> unique = new ArrayList<>(table.unique());
        unique.addAll(table.key());
        if (unique.isEmpty()) {
            return List.of(insert(table, 1), new Write("DELETE FROM " + table.name() + one(table)));
        }
        RandomColumn column = unique.get(random.nextInt(unique.size()));
        String value = column.type().literal(column.numbered(random.nextInt(column.pool())));
        String where = " WHERE " + column.quoted() + " = " + value;
        String free = column.type().literal(column.numbered(column.pool() + random.nextInt(5)));
        String set = "UPDATE " + table.name() + " SET " + column.quoted() + " = ";
        return List.of(
                new Write(random.nextBoolean() ? "DELETE FROM " + table.name() + where : set + free + where),
                new Write(set + value + one(table)));
    }

    private Write many(RandomTable table) {
        if (!table.key().isEmpty() || table.columns().stream().anyMatch(c -> c.values() == Values.BIG)) {
            return insert(table, 30);
        }
        List<RandomColumn> columns = given(table);
        String values =
                columns.stream().map(c -> c.type().literal(c.value(random))).collect(Collectors.joining(", "));
        return columns.isEmpty()
                ? insert(table, 1)
                : new Write("INSERT INTO " + table.name() + " (" + list(columns) + ")" + overriding(columns)
                        + " SELECT " + values + " FROM generate_series(1, " + random.nextInt(10, 300) + ")");
    }

    private Write truncate(RandomTable table) {
        RandomTable other = tables.get(random.nextInt(tables.size()));
        return new Write(
                switch (random.nextInt(5)) {
                    case 0 -> "TRUNCATE " + table.name();
                    case 1 -> "TRUNCATE " + table.name() + ", " + other.name() + " CASCADE";
                    case 2 -> "TRUNCATE " + table.name() + " RESTART IDENTITY CASCADE";
                    case 3 -> "TRUNCATE ONLY " + table.name();
                    default ->
                        "TRUNCATE "
                                + (table.parts().isEmpty()
                                        ? table.name()
                                        : table.parts()
                                                .get(random.nextInt(
                                                        table.parts().size())));
                });
    }

    private static String list(List<RandomColumn> columns) {
        return columns.stream().map(RandomColumn::quoted).collect(Collectors.joining(", "));
    }
}
