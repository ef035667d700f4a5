package io.wherry.sink.write;

import io.wherry.contract.name.Identifiers;
import io.wherry.contract.postgres.TableShape.TypeName;
import io.wherry.sink.table.TargetColumn;
import io.wherry.sink.table.TargetTable;
import java.sql.Connection;
import java.sql.SQLException;
import java.sql.Statement;
import java.util.ArrayList;
import java.util.List;
import java.util.Set;
import java.util.stream.Collectors;

/**
 * Rows or keys of a table, put aside in a temporary table and matched with the table's own rows by their key, whatever its type.
 */
public final class RowsByKey {
    private final Connection target;
    private final TargetTable table;
    private final String name;

    /**
     * Creates the temporary table; it is dropped at the end of the caller's transaction.
     *
     * @param name of the temporary table
     * @param columns of the table that the temporary table gets
     */
    public RowsByKey(Connection target, TargetTable table, String name, List<String> columns) throws SQLException {
        this.target = target;
        this.table = table;
        this.name = "pg_temp." + Identifiers.quote(name);
        execute("CREATE TEMPORARY TABLE " + this.name + " ON COMMIT DROP AS SELECT " + quoted(columns) + " FROM "
                + table.rows() + " WITH NO DATA");
    }

    /** Name of the temporary table, as SQL. */
    public String name() {
        return name;
    }

    /** Deletes the table's rows whose key was put aside; returns their number. */
    public int delete(List<String> key) throws SQLException {
        execute("ANALYZE " + name);
        List<String> conditions = new ArrayList<>();
        for (String column : key) {
            conditions.add(equal(table.columns().get(column), table.equality(Set.copyOf(key), column)));
        }
        return execute("DELETE FROM " + table.rows() + " AS t USING " + name + " AS s WHERE "
                + String.join(" AND ", conditions));
    }

    /** Drops the temporary table, so that one for another table can be created in the same transaction. */
    public void drop() throws SQLException {
        execute("DROP TABLE " + name);
    }

    /** Inserts the rows that were put aside. */
    public void insert(List<String> columns) throws SQLException {
        boolean identity = columns.stream().anyMatch(c -> table.columns().get(c).alwaysIdentity());
        execute("INSERT INTO " + table.id().quoted() + " (" + quoted(columns) + ")"
                + (identity ? " OVERRIDING SYSTEM VALUE" : "") + " SELECT " + quoted(columns) + " FROM " + name);
    }

    // A domain is compared as its base type: the operators of enums and ranges do not accept a domain over one.
    private static String equal(TargetColumn column, String equals) {
        String quoted = Identifiers.quote(column.name());
        TypeName base = column.parameter();
        if (base == null || column.type().equals(base)) {
            return "t." + quoted + " " + equals + " s." + quoted;
        }
        return "CAST(t." + quoted + " AS " + base.quoted() + ") " + equals + " CAST(s." + quoted + " AS "
                + base.quoted() + ")";
    }

    private int execute(String sql) throws SQLException {
        try (Statement statement = target.createStatement()) {
            statement.setEscapeProcessing(false);
            return statement.executeUpdate(sql);
        }
    }

    private static String quoted(List<String> columns) {
        return columns.stream().map(Identifiers::quote).collect(Collectors.joining(", "));
    }
}
