package io.wherry.contract.postgres;

import io.wherry.contract.name.TableId;
import io.wherry.contract.postgres.TableShape.TypeName;
import java.sql.Connection;
import java.sql.PreparedStatement;
import java.sql.ResultSet;
import java.sql.SQLException;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/** The columns and their types in a database's catalog. */
public final class CatalogColumns {
    // The server itself writes a generated column. The catalog has attgenerated since version 12.
    private static final String COLUMNS = """
            SELECT a.attrelid, a.attname, tn.nspname AS type_schema, t.typname, t.typtype::text, t.oid AS type_oid,
                   t.typelem, (t.typcategory = 'A') AS is_array, a.attlen < 0 AS variable, a.attnotnull,
                   a.attidentity::text, %s AS generated, format_type(a.atttypid, a.atttypmod)
                     || CASE WHEN a.attcollation <> t.typcollation
                             THEN (SELECT ' COLLATE ' || quote_ident(ln.nspname) || '.' || quote_ident(l.collname)
                                     FROM pg_collation l JOIN pg_namespace ln ON ln.oid = l.collnamespace
                                    WHERE l.oid = a.attcollation) ELSE '' END AS definition
              FROM pg_attribute a JOIN pg_type t ON t.oid = a.atttypid JOIN pg_namespace tn ON tn.oid = t.typnamespace
              JOIN pg_class c ON c.oid = a.attrelid
             WHERE a.attnum > 0 AND NOT a.attisdropped AND c.relkind IN ('r', 'p') AND c.relpersistence <> 't'
               AND (CAST(? AS text) IS NULL
                    OR c.relname = ? AND c.relnamespace = (SELECT oid FROM pg_namespace WHERE nspname = ?))
             ORDER BY a.attrelid, a.attnum
            """;

    private CatalogColumns() {}

    /**
     * A number that differs if the columns' names, types or order differ. For the same table it is the same on source and target.
     */
    public static int shape(List<CatalogColumn> columns) {
        List<String> lines = columns.stream()
                .map(column -> column.name() + " " + column.definition() + (column.generated() ? " generated" : ""))
                .toList();
        // 0 means unknown.
        return lines.hashCode() == 0 ? 1 : lines.hashCode();
    }

    /** {@link #shape(List)} of one table; 0 when the table does not exist. */
    public static int shape(Connection connection, TableId table) throws SQLException {
        return read(connection, table).values().stream()
                .findFirst()
                .map(CatalogColumns::shape)
                .orElse(0);
    }

    /**
     * The columns of each table by its oid, in order.
     *
     * @param only the one table to read; null = all
     */
    static Map<Long, List<CatalogColumn>> read(Connection connection, TableId only) throws SQLException {
        String generated =
                ServerVersion.major(connection) >= ServerVersion.GENERATED_COLUMNS ? "a.attgenerated <> ''" : "false";
        Map<Long, List<CatalogColumn>> columns = new LinkedHashMap<>();
        try (PreparedStatement statement = connection.prepareStatement(COLUMNS.formatted(generated))) {
            // Not with to_regclass: that needs a right on the schema.
            statement.setString(1, only == null ? null : only.table());
            statement.setString(2, only == null ? null : only.table());
            statement.setString(3, only == null ? null : only.schema());
            ResultSet row = statement.executeQuery();
            while (row.next()) {
                columns.computeIfAbsent(row.getLong("attrelid"), oid -> new ArrayList<>())
                        .add(new CatalogColumn(
                                row.getString("attname"),
                                new TypeName(row.getString("type_schema"), row.getString("typname")),
                                row.getString("typtype").charAt(0),
                                row.getLong("type_oid"),
                                row.getBoolean("is_array") ? row.getLong("typelem") : 0,
                                row.getBoolean("variable"),
                                row.getBoolean("attnotnull"),
                                row.getString("attidentity"),
                                row.getBoolean("generated"),
                                row.getString("definition")));
            }
        }
        return columns;
    }
}
