package io.wherry.sink.merge;

import io.wherry.sink.table.BoundTable;
import io.wherry.sink.table.BoundTable.BoundColumn;
import io.wherry.sink.table.TargetColumn;
import io.wherry.sink.table.TargetColumn.Equality;
import java.util.ArrayList;
import java.util.List;
import java.util.function.Function;
import java.util.stream.Collectors;

/**
 * SQL over a set of rows, {@code unnest(...) AS u(c0, c1, …)}.
 *
 * <p>Each parameter is an array of the column's own type: a cast from {@code text} may be another function than the type's input
 * and read another value (measured: regclass {@code 12345}, "char" escapes). {@code unnest} must stay unqualified, as only then
 * it takes several arrays. Each statement uses ONLY, except on partitioned tables: each row of an inheritance tree is an event of
 * its own table.
 */
public final class StatementText {
    private final BoundTable table;
    private final String name;
    /** What follows UPDATE, DELETE FROM and FROM. */
    private final String rows;

    public StatementText(BoundTable table) {
        this.table = table;
        this.name = table.id().quoted();
        this.rows = table.partitioned() ? name : "ONLY " + name;
    }

    /** Inserts; where the key exists already and {@code ON CONFLICT} is possible, updates. */
    public String insert() {
        List<BoundColumn> columns = table.columns();
        String sql = "INSERT INTO " + name + " AS t (" + join(columns, BoundColumn::quoted) + ")"
                // Needed for GENERATED ALWAYS. Other tables must not get the clause: servers before 10 do not know it.
                + (columns.stream().anyMatch(c -> c.target().alwaysIdentity()) ? " OVERRIDING SYSTEM VALUE" : "")
                + " SELECT " + values(columns, 0) + " FROM " + unnest(columns);
        if (!table.upsert()) {
            return sql;
        }
        List<BoundColumn> set = columns.stream()
                .filter(c -> c.settable() && !c.target().alwaysIdentity())
                .toList();
        return sql + " ON CONFLICT (" + join(table.key(), BoundColumn::quoted) + ") DO "
                + (set.isEmpty()
                        ? "NOTHING"
                        : "UPDATE SET " + join(set, c -> c.quoted() + " = EXCLUDED." + c.quoted()));
    }

    /** Inserts rows that come as the text of a COPY, in the order of the table's columns; fails where a key exists already. */
    String copy() {
        return "COPY " + name + " (" + join(table.columns(), BoundColumn::quoted) + ") FROM STDIN";
    }

    /** Updates {@code set} of the rows with the key; parameters: the set columns, then the key. */
    String update(List<BoundColumn> set) {
        List<BoundColumn> parameters = new ArrayList<>(set);
        parameters.addAll(table.key());
        return "UPDATE " + rows + " AS t SET " + assignments(set) + " FROM " + unnest(parameters) + " WHERE "
                + keyEquals(set.size());
    }

    /** Deletes the rows with the key; parameters: the key. */
    String delete() {
        return "DELETE FROM " + rows + " AS t USING " + unnest(table.key()) + " WHERE " + keyEquals(0);
    }

    /**
     * Deletes the rows with the key and inserts them again with {@code set} replaced. Needed where an identity column that is
     * GENERATED ALWAYS changes, as {@link #update} cannot set such a column. Same parameters as {@link #update}.
     */
    String replace(List<BoundColumn> set) {
        List<BoundColumn> parameters = new ArrayList<>(set);
        parameters.addAll(table.key());
        return replace(set, " USING " + unnest(parameters) + " WHERE " + keyEquals(set.size()));
    }

    /** As {@link #replace}, but of one row found by all its columns; same parameters as {@link #updateOne}. */
    String replaceOne(List<BoundColumn> set, String[] old) {
        return replace(set, " USING " + unnest(set) + found(", ", old));
    }

    // Only the deleted row has the columns that the event left out, so this must be one statement.
    private String replace(List<BoundColumn> set, String found) {
        List<String> values = new ArrayList<>();
        List<String> names = new ArrayList<>();
        for (BoundColumn column : table.columns()) {
            int parameter = set.indexOf(column);
            values.add(parameter < 0 ? "t." + column.quoted() : value(column, parameter));
            names.add("n" + names.size());
        }
        String renamed = String.join(", ", names);
        return "WITH old(" + renamed + ") AS (DELETE FROM " + rows + " AS t" + found + " RETURNING "
                + String.join(", ", values) + ") INSERT INTO " + name + " AS t ("
                + join(table.columns(), BoundColumn::quoted) + ") OVERRIDING SYSTEM VALUE SELECT " + renamed
                + " FROM old";
    }

    /** Inserts {@code rows} rows into a table without a column that can be written. */
    String insertNothing(int rows) {
        return "INSERT INTO " + name + " SELECT FROM \"pg_catalog\".generate_series(1, " + rows + ")";
    }

    /** Updates one row found by all its columns; parameters: the set columns, then all columns of {@code old}. */
    String updateOne(List<BoundColumn> set, String[] old) {
        return "UPDATE " + rows + " AS t SET " + assignments(set) + " FROM " + unnest(set) + found(", ", old);
    }

    /** Deletes one row found by all its columns; parameters: all columns. */
    String deleteOne(String[] old) {
        return "DELETE FROM " + rows + " AS t" + found(" USING ", old);
    }

    // A ctid is unique only within one partition.
    private String found(String join, String[] old) {
        return table.partitioned()
                ? join + "(" + one(old) + ") AS f(partition, place) WHERE t.tableoid = f.partition AND t.ctid = f.place"
                : " WHERE t.ctid = (" + one(old) + ")";
    }

    private String place() {
        return table.partitioned() ? "s.tableoid, s.ctid" : "s.ctid";
    }

    // The subquery refers to nothing outside, so it runs once and its row is fetched by ctid. Servers before 12 would
    // run a correlated subquery once for every row of the table.
    private String one(String[] old) {
        List<String> conditions = new ArrayList<>();
        for (int i = 0; i < table.columns().size(); i++) {
            BoundColumn column = table.columns().get(i);
            String stored = "s." + column.quoted();
            String given = value(column, i);
            if (old[column.index()] == null) {
                // IS NULL also holds for a composite value that consists only of NULLs. Such a value is not NULL
                // (PostgreSQL documentation, 9.2, comparison predicates), and the update of one row would change
                // another.
                conditions.add(stored + " IS NOT DISTINCT FROM NULL");
            } else if (column.target().equality() == Equality.TEXT) {
                conditions.add(equal(column, stored, i));
            } else {
                // For these types, equal is not the same (1.0 and 1.00), or there is no equality at all (json, point).
                // If there is one, an index may serve it.
                if (column.target().operator() != null) {
                    conditions.add(equal(column, stored, i));
                }
                conditions.add(sent(column, stored) + " = " + sent(column, given));
            }
        }
        if (conditions.isEmpty()) {
            return "SELECT " + place() + " FROM " + rows + " AS s LIMIT 1";
        }
        return "SELECT " + place() + " FROM " + rows + " AS s, " + unnest(table.columns()) + " WHERE "
                + String.join(" AND ", conditions) + " LIMIT 1";
    }

    // A cast keeps the value's collation, which may call different texts equal. The collation C compares bytes alone.
    private static String sent(BoundColumn column, String value) {
        String sent = column.target().castAsSent() ? value : "ROW(" + value + ")";
        return "CAST(" + sent + " AS text) COLLATE \"pg_catalog\".\"C\"";
    }

    private String assignments(List<BoundColumn> set) {
        StringBuilder sql = new StringBuilder();
        for (int i = 0; i < set.size(); i++) {
            sql.append(i == 0 ? "" : ", ").append(set.get(i).quoted()).append(" = ");
            sql.append(value(set.get(i), i));
        }
        return sql.toString();
    }

    private String keyEquals(int offset) {
        List<String> conditions = new ArrayList<>();
        for (int i = 0; i < table.key().size(); i++) {
            BoundColumn column = table.key().get(i);
            conditions.add(equal(column, "t." + column.quoted(), offset + i));
        }
        return String.join(" AND ", conditions);
    }

    // A domain is compared as its base type: the operators of enums and ranges do not accept a domain over one.
    private static String equal(BoundColumn column, String stored, int parameter) {
        TargetColumn target = column.target();
        return target.parameter() == null || target.type().equals(target.parameter())
                ? stored + " " + column.equals() + " " + value(column, parameter)
                : "CAST(" + stored + " AS " + target.parameter().quoted() + ") " + column.equals() + " u.c" + parameter;
    }

    private static String values(List<BoundColumn> columns, int offset) {
        List<String> values = new ArrayList<>();
        for (int i = 0; i < columns.size(); i++) {
            values.add(value(columns.get(i), offset + i));
        }
        return String.join(", ", values);
    }

    private static String value(BoundColumn column, int parameter) {
        TargetColumn target = column.target();
        String value = "u.c" + parameter;
        return target.type().equals(target.parameter())
                ? value
                : "CAST(" + value + " AS " + target.type().quoted() + ")";
    }

    private static String unnest(List<BoundColumn> columns) {
        List<String> names = new ArrayList<>();
        for (int i = 0; i < columns.size(); i++) {
            names.add("c" + i);
        }
        return "unnest(" + join(columns, c -> "CAST(? AS " + element(c.target()) + "[])") + ") AS u("
                + String.join(", ", names) + ")";
    }

    private static String element(TargetColumn column) {
        return column.parameter() == null
                ? "\"pg_catalog\".\"text\""
                : column.parameter().quoted();
    }

    private static String join(List<BoundColumn> columns, Function<BoundColumn, String> text) {
        return columns.stream().map(text).collect(Collectors.joining(", "));
    }
}
