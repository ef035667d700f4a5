package io.wherry.contract.postgres;

import io.wherry.contract.name.TableId;
import java.sql.Array;
import java.sql.Connection;
import java.sql.PreparedStatement;
import java.sql.ResultSet;
import java.sql.SQLException;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/**
 * The tables in a database's catalog, without system schemas, schema {@code wherry}, temporary tables and tables that belong to
 * an extension. Leaf partitions and inheritance children are listed under their own names. A partitioned table holds no rows; it
 * is listed only where the caller refers to its partitions' rows by its name.
 */
public final class Catalog {
    static final String OURS = """
             WHERE c.relkind IN ('r', 'p') AND c.relpersistence <> 't'
               AND n.nspname NOT LIKE 'pg\\_%' AND n.nspname NOT IN ('information_schema', 'wherry')
               AND NOT EXISTS (SELECT FROM pg_depend d WHERE d.classid = 'pg_class'::regclass
                                  AND d.objid = c.oid AND d.deptype = 'e')
            """;

    private static final String ANY_TABLES = PartitionRoots.WITH + """
            SELECT c.oid, n.nspname, c.relname, c.relreplident::text, c.relpersistence::text, c.relkind = 'p' AS partitioned,
                   root.nspname AS root_schema, root.relname AS root_name,
                   c.reltuples::bigint AS rows, pg_table_size(c.oid) AS bytes, pg_relation_size(c.oid) AS heap_bytes,
                   :primary_key AS primary_key, :named_index AS named_index
              FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace LEFT JOIN root ON root.partition = c.oid
            """;

    private static final String BY_NAME = " ORDER BY n.nspname, c.relname";

    // Tables that pg_extension_config_dump() was called for. pg_dump writes the rows of the ordinary tables among
    // them.
    private static final String OF_EXTENSIONS =
            " WHERE c.relkind = 'r' AND c.oid IN (SELECT unnest(extconfig) FROM pg_extension)";
    private static final String EXTENSIONS = """
            SELECT k.table_oid::bigint, e.extname, e.extversion, k.condition
              FROM pg_extension e, unnest(e.extconfig, e.extcondition) AS k(table_oid, condition)
            """;

    private Catalog() {}

    /** All tables that hold rows, ordered by name. */
    public static List<CatalogTable> tables(Connection connection) throws SQLException {
        return withPartitioned(connection).stream()
                .filter(table -> !table.partitioned())
                .toList();
    }

    /** All tables, partitioned ones too, ordered by name. */
    public static List<CatalogTable> withPartitioned(Connection connection) throws SQLException {
        return read(connection, OURS);
    }

    /** The tables of extensions whose rows belong to the users, ordered by name. */
    public static List<ExtensionTable> ofExtensions(Connection connection) throws SQLException {
        record Registered(String extension, String version, String condition) {}
        Map<Long, Registered> registered = new LinkedHashMap<>();
        try (PreparedStatement statement = connection.prepareStatement(EXTENSIONS);
                ResultSet row = statement.executeQuery()) {
            while (row.next()) {
                String condition = row.getString(4);
                registered.put(
                        row.getLong(1),
                        new Registered(row.getString(2), row.getString(3), condition == null ? "" : condition));
            }
        }
        if (registered.isEmpty()) {
            return List.of();
        }
        return read(connection, OF_EXTENSIONS).stream()
                .filter(table -> registered.containsKey(table.oid()))
                .map(table -> {
                    Registered as = registered.get(table.oid());
                    return new ExtensionTable(as.extension(), as.version(), table, as.condition());
                })
                .toList();
    }

    private static List<CatalogTable> read(Connection connection, String which) throws SQLException {
        // One query for each of the few tables of extensions: this is also read within the cutover's window.
        boolean all = which.equals(OURS);
        Map<Long, List<CatalogColumn>> columns = all ? CatalogColumns.read(connection, null) : Map.of();
        List<CatalogTable> tables = new ArrayList<>();
        int major = ServerVersion.major(connection);
        String query = ANY_TABLES
                .replace(":primary_key", ReplicaIdentity.primaryKey(major))
                .replace(":named_index", ReplicaIdentity.namedIndex(major));
        try (PreparedStatement statement = connection.prepareStatement(query + which + BY_NAME);
                ResultSet row = statement.executeQuery()) {
            while (row.next()) {
                List<String> primaryKey = names(row.getArray("primary_key"));
                ReplicaIdentity identity =
                        ReplicaIdentity.of(row.getString("relreplident").charAt(0));
                TableId id = new TableId(row.getString("nspname"), row.getString("relname"));
                tables.add(new CatalogTable(
                        row.getLong("oid"),
                        id,
                        PartitionRoots.of(row, id),
                        row.getBoolean("partitioned"),
                        identity,
                        row.getString("relpersistence").equals("u"),
                        (all ? columns : CatalogColumns.read(connection, id))
                                .getOrDefault(row.getLong("oid"), List.of()),
                        primaryKey,
                        identity.columns(primaryKey, names(row.getArray("named_index"))),
                        row.getLong("rows"),
                        row.getLong("bytes"),
                        row.getLong("heap_bytes")));
            }
        }
        return tables;
    }

    private static List<String> names(Array array) throws SQLException {
        return array == null ? List.of() : List.of((String[]) array.getArray());
    }
}
