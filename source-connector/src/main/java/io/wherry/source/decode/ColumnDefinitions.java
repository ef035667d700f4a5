package io.wherry.source.decode;

import io.wherry.contract.postgres.ServerVersion;
import io.wherry.contract.postgres.TableShape.ColumnDefinition;
import io.wherry.contract.postgres.TableShape.EarlierRows;
import io.wherry.source.decode.RelationMessage.RelationColumn;
import io.wherry.source.server.TableFiles;
import java.sql.Connection;
import java.sql.PreparedStatement;
import java.sql.ResultSet;
import java.sql.SQLException;
import java.util.HashMap;
import java.util.Map;
import java.util.function.Function;

/**
 * What the catalog says about the columns of a relation message. The type and its modifier come from the message. The rest is
 * what the catalog says now, which may be newer than the message. This is safe for the value that earlier rows have in an added
 * column: the server keeps that value apart from the default (attmissingval) until the table is rewritten, and then the table
 * has another file.
 */
final class ColumnDefinitions {
    private static final String COLUMNS = """
            SELECT u.name, format_type(t.oid, u.modifier) AS type, coalesce(a.attnotnull, false) AS not_null,
                   CASE WHEN a.attcollation <> t.typcollation THEN quote_ident(n.nspname) || '.' || quote_ident(l.collname)
                   END AS collation,
                   pg_get_expr(d.adbin, d.adrelid) AS default_expression, coalesce(a.attidentity <> '', false) AS identity,
                   %s AS missing, a.attnum AS attribute, pg_relation_filenode(CAST(? AS oid))::bigint AS file
              FROM unnest(?::text[], ?::bigint[], ?::int[]) AS u(name, type, modifier)
              LEFT JOIN pg_type t ON t.oid = CAST(u.type AS oid)
              LEFT JOIN pg_attribute a ON a.attrelid = CAST(? AS oid) AND a.attname = u.name AND a.attnum > 0
              LEFT JOIN pg_attrdef d ON d.adrelid = a.attrelid AND d.adnum = a.attnum
              LEFT JOIN pg_collation l ON l.oid = a.attcollation
              LEFT JOIN pg_namespace n ON n.oid = l.collnamespace
            """;

    private static final int MISSING_VALUES_SINCE = 11;

    private ColumnDefinitions() {}

    /**
     * @param oid of the table whose catalog entries are read: the relation, or another partition of the same table
     * @param loadedFile number of the file that held the table's rows when they were loaded; null = unknown
     * @param files the files of the tables that were seen so far
     * @return the definitions by the names of the columns
     */
    static Map<String, ColumnDefinition> read(
            Connection session, RelationMessage relation, long oid, Long loadedFile, TableFiles files)
            throws SQLException {
        // An array with one element; the element is read as the text of its type.
        String missing = ServerVersion.major(session) >= MISSING_VALUES_SINCE
                ? "CAST(CAST(a.attmissingval AS text) AS text[])"
                : "NULL::text[]";
        Map<String, ColumnDefinition> definitions = new HashMap<>();
        try (PreparedStatement statement = session.prepareStatement(COLUMNS.formatted(missing))) {
            statement.setLong(1, oid);
            statement.setArray(2, session.createArrayOf("text", column(relation, RelationColumn::name)));
            statement.setArray(3, session.createArrayOf("int8", column(relation, RelationColumn::typeOid)));
            statement.setArray(4, session.createArrayOf("int4", column(relation, RelationColumn::typeModifier)));
            statement.setLong(5, oid);
            try (ResultSet row = statement.executeQuery()) {
                while (row.next()) {
                    long file = row.getLong("file");
                    boolean sameFile =
                            loadedFile != null && loadedFile == file || files.older(oid, file, row.getInt("attribute"));
                    definitions.put(row.getString("name"), definition(row, sameFile));
                }
            }
        }
        return definitions;
    }

    private static ColumnDefinition definition(ResultSet row, boolean sameFile) throws SQLException {
        String value = row.getArray("missing") == null
                ? null
                : ((String[]) row.getArray("missing").getArray())[0];
        EarlierRows earlier;
        if (value != null) {
            earlier = EarlierRows.VALUE;
        } else {
            earlier = sameFile && !row.getBoolean("identity") ? EarlierRows.NULL : EarlierRows.UNKNOWN;
        }
        return new ColumnDefinition(
                row.getString("type"),
                row.getString("collation"),
                row.getBoolean("not_null"),
                row.getString("default_expression"),
                earlier,
                value);
    }

    private static Object[] column(RelationMessage relation, Function<RelationColumn, ?> part) {
        return relation.columns().stream().map(part).toArray();
    }
}
