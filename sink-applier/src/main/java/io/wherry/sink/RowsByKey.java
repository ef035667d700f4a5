package io.wherry.sink;

import io.wherry.contract.Identifiers;
import io.wherry.contract.TableShape.TypeName;
import java.sql.Connection;
import java.sql.PreparedStatement;
import java.sql.ResultSet;
import java.sql.SQLException;
import java.sql.Statement;
import java.util.ArrayList;
import java.util.List;
import java.util.stream.Collectors;

/** Rows or keys of a table put aside in a temporary table, to be met with the table's own by their key, whatever its type. */
final class RowsByKey {
    // The operator that an index over the type would use; with search_path=pg_catalog the = of an extension's type
    // would
    // else not be found.
    private static final String EQUALITY = """
            SELECT n.nspname, o.oprname
              FROM pg_opclass c JOIN pg_am m ON m.oid = c.opcmethod
              JOIN pg_amop a ON a.amopfamily = c.opcfamily AND a.amopstrategy = 3
                            AND a.amoplefttype = c.opcintype AND a.amoprighttype = c.opcintype
              JOIN pg_operator o ON o.oid = a.amopopr JOIN pg_namespace n ON n.oid = o.oprnamespace
             WHERE m.amname = 'btree' AND c.opcdefault
               AND c.opcintype = (SELECT t.oid FROM pg_type t JOIN pg_namespace tn ON tn.oid = t.typnamespace
                                   WHERE tn.nspname = ? AND t.typname = ?)
            """;

    private final Connection target;
    private final TargetTable table;
    private final String name;

    /**
     * Makes the temporary table; it is gone at the end of the caller's transaction.
     *
     * @param name of the temporary table
     * @param columns of the table that it takes
     */
    RowsByKey(Connection target, TargetTable table, String name, List<String> columns) throws SQLException {
        this.target = target;
        this.table = table;
        this.name = "pg_temp." + Identifiers.quote(name);
        execute("CREATE TEMPORARY TABLE " + this.name + " ON COMMIT DROP AS SELECT " + quoted(columns) + " FROM "
                + table.rows() + " WITH NO DATA");
    }

    /** Name of the temporary table, as SQL. */
    String name() {
        return name;
    }

    /** Removes the table's rows that have a key which was put aside; returns their number. */
    int delete(List<String> key) throws SQLException {
        execute("ANALYZE " + name);
        List<String> conditions = new ArrayList<>();
        for (String column : key) {
            conditions.add(equal(table.columns().get(column)));
        }
        return execute("DELETE FROM " + table.rows() + " AS t USING " + name + " AS s WHERE "
                + String.join(" AND ", conditions));
    }

    /** Removes the temporary table, so that another table's can be made in the same transaction. */
    void drop() throws SQLException {
        execute("DROP TABLE " + name);
    }

    /** Inserts what was put aside. */
    void insert(List<String> columns) throws SQLException {
        boolean identity = columns.stream().anyMatch(c -> table.columns().get(c).alwaysIdentity());
        execute("INSERT INTO " + table.id().quoted() + " (" + quoted(columns) + ")"
                + (identity ? " OVERRIDING SYSTEM VALUE" : "") + " SELECT " + quoted(columns) + " FROM " + name);
    }

    // A domain is compared as its base type: the operators of enums and ranges do not take a domain over one.
    private String equal(TargetColumn column) throws SQLException {
        String quoted = Identifiers.quote(column.name());
        TypeName base = column.parameter();
        if (base == null || column.type().equals(base)) {
            return "t." + quoted + " " + equality(column.type()) + " s." + quoted;
        }
        return "CAST(t." + quoted + " AS " + base.quoted() + ") " + equality(base) + " CAST(s." + quoted + " AS "
                + base.quoted() + ")";
    }

    private String equality(TypeName type) throws SQLException {
        try (PreparedStatement statement = target.prepareStatement(EQUALITY)) {
            statement.setString(1, type.schema());
            statement.setString(2, type.name());
            try (ResultSet row = statement.executeQuery()) {
                // Enums, arrays and ranges share the one of their kind.
                return row.next()
                        ? "OPERATOR(" + Identifiers.quote(row.getString(1)) + "." + row.getString(2) + ")"
                        : "OPERATOR(\"pg_catalog\".=)";
            }
        }
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
