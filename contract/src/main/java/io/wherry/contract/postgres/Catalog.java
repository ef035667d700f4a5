package io.wherry.contract.postgres;

import io.wherry.contract.config.Migration;
import io.wherry.contract.name.TableId;
import io.wherry.contract.postgres.TableShape.Column;
import io.wherry.contract.postgres.TableShape.TypeName;
import java.sql.Array;
import java.sql.Connection;
import java.sql.PreparedStatement;
import java.sql.ResultSet;
import java.sql.SQLException;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.TreeMap;
import java.util.TreeSet;

/**
 * What a database's catalog says of its tables, without system schemas, our own schema, temporary tables and tables that
 * belong to an extension. Leaf partitions and inheritance children come each under their own name; a partitioned table
 * holds no rows, and is only listed where somebody speaks of its partitions' rows by its name.
 */
public final class Catalog {
    private static final String OURS = """
             WHERE c.relkind IN ('r', 'p') AND c.relpersistence <> 't'
               AND n.nspname NOT LIKE 'pg\\_%' AND n.nspname NOT IN ('information_schema', 'wherry')
               AND NOT EXISTS (SELECT FROM pg_depend d WHERE d.classid = 'pg_class'::regclass
                                  AND d.objid = c.oid AND d.deptype = 'e')
            """;

    /** Begins a query that can join {@code root}: the topmost table above each partition. */
    public static final String ROOTS = """
            WITH RECURSIVE above(partition, parent) AS (
                SELECT i.inhrelid, i.inhparent FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid AND c.relispartition
                UNION ALL
                SELECT a.partition, i.inhparent FROM above a JOIN pg_inherits i ON i.inhrelid = a.parent
                  JOIN pg_class c ON c.oid = a.parent AND c.relispartition),
            root AS (SELECT a.partition, a.parent, n.nspname, c.relname
                       FROM above a JOIN pg_class c ON c.oid = a.parent AND NOT c.relispartition
                       JOIN pg_namespace n ON n.oid = c.relnamespace)
            """;

    private static final String NAMES = ROOTS + """
            SELECT n.nspname, c.relname, c.relkind = 'p' AS partitioned, root.nspname AS root_schema,
                   root.relname AS root_name, c.oid
              FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace LEFT JOIN root ON root.partition = c.oid
            """ + OURS;

    // A primary key that is checked at commit identifies no row within a transaction, and the server takes none for the
    // replica identity: such a table has no key. Neither has one whose key has a generated column: that is not in the
    // stream, or only from 18 on, and what is left of the key may name many rows. Columns that a key only includes are
    // none of it.
    private static final String ANY_TABLES = ROOTS + """
            SELECT c.oid, n.nspname, c.relname, c.relreplident::text, c.relpersistence::text, c.relkind = 'p' AS partitioned,
                   root.nspname AS root_schema, root.relname AS root_name,
                   c.reltuples::bigint AS rows, pg_table_size(c.oid) AS bytes, pg_relation_size(c.oid) AS heap_bytes,
                   (SELECT array_agg(a.attname::text ORDER BY k.position)
                      FROM pg_index i, unnest(i.indkey::int2[]) WITH ORDINALITY AS k(attnum, position), pg_attribute a
                     WHERE i.indrelid = c.oid AND i.indisprimary AND i.indimmediate AND a.attrelid = c.oid AND a.attnum = k.attnum
                       AND :identifies
                   ) AS primary_key,
                   (SELECT array_agg(a.attname::text ORDER BY k.position)
                      FROM pg_index i, unnest(i.indkey::int2[]) WITH ORDINALITY AS k(attnum, position), pg_attribute a
                     WHERE i.indrelid = c.oid AND i.indisreplident AND a.attrelid = c.oid AND a.attnum = k.attnum
                       AND :identifies
                   ) AS identity_index
              FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace LEFT JOIN root ON root.partition = c.oid
            """;

    private static final String BY_NAME = " ORDER BY n.nspname, c.relname";

    // What pg_extension_config_dump() was called for. pg_dump writes the rows of ordinary tables among it.
    private static final String OF_EXTENSIONS =
            " WHERE c.relkind = 'r' AND c.oid IN (SELECT unnest(extconfig) FROM pg_extension)";
    private static final String EXTENSIONS = """
            SELECT k.table_oid::bigint, e.extname, e.extversion, k.condition
              FROM pg_extension e, unnest(e.extconfig, e.extcondition) AS k(table_oid, condition)
            """;

    // A generated column is written by the server itself: attgenerated exists since 12.
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

    private static final int GENERATED_SINCE = 12;
    private static final int INCLUDED_SINCE = 11;

    private Catalog() {}

    /**
     * That column {@code k.position} of index {@code i} is part of its key, and none of the key is generated, as SQL.
     *
     * @param major version of the server
     */
    public static String identifies(int major) {
        String keys = major >= INCLUDED_SINCE ? "i.indnkeyatts" : "i.indnatts";
        return "k.position <= " + keys + " AND " + withoutGenerated(major);
    }

    /** That no column of index {@code i}'s key is generated, as SQL. */
    public static String withoutGenerated(int major) {
        return major < GENERATED_SINCE
                ? "true"
                : "NOT EXISTS (SELECT FROM pg_catalog.pg_attribute g WHERE g.attrelid = i.indrelid AND g.attgenerated <> ''"
                        + " AND g.attnum = ANY ((i.indkey::int2[])[0:i.indnkeyatts - 1]))";
    }

    /**
     * @param root the topmost table that it is a partition of; itself when it is none
     * @param partitioned its rows are those of its partitions; sizes and replica identity are theirs too
     * @param replicaIdentity {@code d}efault, {@code n}othing, {@code f}ull or {@code i}ndex
     * @param unlogged its changes are not in the write-ahead log
     * @param identity names of the columns that identify a row in the stream: primary key, or the replica identity index;
     *     empty = keyless
     * @param rowsEstimated by the statistics; -1 = never analysed
     * @param bytes heap and TOAST
     * @param heapBytes heap alone
     */
    public record Table(
            long oid,
            TableId id,
            TableId root,
            boolean partitioned,
            char replicaIdentity,
            boolean unlogged,
            List<CatalogColumn> columns,
            List<String> primaryKey,
            List<String> identity,
            long rowsEstimated,
            long bytes,
            long heapBytes) {

        /** With the sizes of its partitions together, and the replica identity that they must have. */
        private Table over(List<Table> partitions) {
            boolean counted = partitions.stream().allMatch(part -> part.rowsEstimated >= 0);
            return new Table(
                    oid,
                    id,
                    root,
                    partitioned,
                    primaryKey.isEmpty() ? 'f' : 'd',
                    partitions.stream().anyMatch(Table::unlogged),
                    columns,
                    primaryKey,
                    primaryKey,
                    counted
                            ? partitions.stream()
                                    .mapToLong(Table::rowsEstimated)
                                    .sum()
                            : -1,
                    partitions.stream().mapToLong(Table::bytes).sum(),
                    partitions.stream().mapToLong(Table::heapBytes).sum());
        }

        /** Columns that can be written: all but the generated ones, which the server writes itself. */
        public List<CatalogColumn> writable() {
            return columns.stream().filter(c -> !c.generated()).toList();
        }

        /** Its rows, as what follows FROM in SQL: those of child tables are the children's own. */
        public String rows() {
            return (partitioned ? "" : "ONLY ") + id.quoted();
        }

        public TableShape shape() {
            return new TableShape(
                    id,
                    columns.stream().map(c -> new Column(c.name(), c.type())).toList(),
                    identity);
        }
    }

    /**
     * @param typeKind {@code typtype}: b = base, c = composite, d = domain, e = enum, r = range, m = multirange
     * @param elementOid element type of an array, else 0
     * @param variable of variable length, so its value may be TOASTed
     * @param identityKind {@code a}lways, by {@code d}efault, or empty
     * @param definition type with its modifier, and the collation where it is not the type's, as SQL text
     */
    public record CatalogColumn(
            String name,
            TypeName type,
            char typeKind,
            long typeOid,
            long elementOid,
            boolean variable,
            boolean notNull,
            String identityKind,
            boolean generated,
            String definition) {}

    /**
     * A table of an extension that is registered for dumping: the rows that its condition names are the users' own.
     *
     * @param version of the extension in this database
     * @param condition what follows the table's name in SQL, as the extension wrote it; empty = all rows
     */
    public record ExtensionTable(String extension, String version, Table table, String condition) {
        /** The users' rows, as what follows FROM in SQL. */
        public String rows() {
            String only = table.rows();
            return condition.isBlank()
                    ? only
                    : only + " WHERE ctid IN (SELECT ctid FROM " + only + " " + condition + ")";
        }
    }

    /** Major version of the server: 11, 17. */
    public static int majorVersion(Connection connection) throws SQLException {
        return connection.getMetaData().getDatabaseMajorVersion();
    }

    /** All tables that hold rows, ordered by name. */
    public static List<Table> tables(Connection connection) throws SQLException {
        return withPartitioned(connection).stream()
                .filter(table -> !table.partitioned())
                .toList();
    }

    /** All tables, partitioned ones too, ordered by name. */
    public static List<Table> withPartitioned(Connection connection) throws SQLException {
        return read(connection, OURS);
    }

    /** The tables of extensions whose rows are the users' own, ordered by name. */
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

    private static List<Table> read(Connection connection, String which) throws SQLException {
        // Of the few tables of extensions one by one: this is read in the cutover's window too.
        boolean all = which.equals(OURS);
        Map<Long, List<CatalogColumn>> columns = all ? columns(connection, null) : Map.of();
        List<Table> tables = new ArrayList<>();
        String query = ANY_TABLES.replace(":identifies", identifies(majorVersion(connection)));
        try (PreparedStatement statement = connection.prepareStatement(query + which + BY_NAME);
                ResultSet row = statement.executeQuery()) {
            while (row.next()) {
                List<String> primaryKey = names(row.getArray("primary_key"));
                char replicaIdentity = row.getString("relreplident").charAt(0);
                TableId id = new TableId(row.getString("nspname"), row.getString("relname"));
                tables.add(new Table(
                        row.getLong("oid"),
                        id,
                        root(row, id),
                        row.getBoolean("partitioned"),
                        replicaIdentity,
                        row.getString("relpersistence").equals("u"),
                        (all ? columns : columns(connection, id)).getOrDefault(row.getLong("oid"), List.of()),
                        primaryKey,
                        replicaIdentity == 'i' ? names(row.getArray("identity_index")) : primaryKey,
                        row.getLong("rows"),
                        row.getLong("bytes"),
                        row.getLong("heap_bytes")));
            }
        }
        return tables;
    }

    /** The tables that the migration selects: leaf partitions each for itself, but where the whole stands for them. */
    public static List<Table> selected(Connection connection, Migration migration) throws SQLException {
        Map<TableId, Table> wholes = new LinkedHashMap<>();
        List<Table> all = withPartitioned(connection);
        all.stream()
                .filter(table -> isWhole(migration, table.id(), table.root(), table.partitioned()))
                .forEach(table -> wholes.put(
                        table.id(),
                        table.over(all.stream()
                                .filter(part ->
                                        !part.partitioned() && part.root().equals(table.id()))
                                .toList())));
        return all.stream()
                .filter(table -> wholes.containsKey(table.id())
                        || !table.partitioned()
                                && !wholes.containsKey(table.root())
                                && migration.tables().selects(table.id()))
                .map(table -> wholes.getOrDefault(table.id(), table))
                .toList();
    }

    /** Names of the tables that the migration selects; costs little, so that it can be asked again and again. */
    public static Set<TableId> selectedNames(Connection connection, Migration migration) throws SQLException {
        return new TreeSet<>(selectedOids(connection, migration).keySet());
    }

    /** As {@link #selectedNames}, each with its oid: which table has the name now. */
    public static Map<TableId, Long> selectedOids(Connection connection, Migration migration) throws SQLException {
        Map<TableId, Long> oids = new TreeMap<>();
        try (PreparedStatement statement = connection.prepareStatement(NAMES);
                ResultSet row = statement.executeQuery()) {
            while (row.next()) {
                TableId table = new TableId(row.getString(1), row.getString(2));
                TableId root = root(row, table);
                boolean partitioned = row.getBoolean("partitioned");
                if (isWhole(migration, table, root, partitioned)
                        || !partitioned
                                && (table.equals(root) || !migration.tables().isWhole(root))
                                && migration.tables().selects(table)) {
                    oids.put(table, row.getLong("oid"));
                }
            }
        }
        return oids;
    }

    /** Names of all tables, partitioned ones too, that have one which the migration may select. */
    public static Set<TableId> names(Connection connection, Migration migration) throws SQLException {
        Set<TableId> names = new TreeSet<>();
        try (PreparedStatement statement = connection.prepareStatement(NAMES);
                ResultSet row = statement.executeQuery()) {
            while (row.next()) {
                TableId table = new TableId(row.getString(1), row.getString(2));
                if (migration.tables().selects(table)) {
                    names.add(table);
                }
            }
        }
        return names;
    }

    private static boolean isWhole(Migration migration, TableId table, TableId root, boolean partitioned) {
        return partitioned && table.equals(root) && migration.tables().isWhole(table);
    }

    private static TableId root(ResultSet row, TableId table) throws SQLException {
        String schema = row.getString("root_schema");
        return schema == null ? table : new TableId(schema, row.getString("root_name"));
    }

    /** A number that differs when the columns' names, types or order do: the same on source and target for the same table. */
    public static int shape(List<CatalogColumn> columns) {
        List<String> lines = columns.stream()
                .map(column -> column.name() + " " + column.definition() + (column.generated() ? " generated" : ""))
                .toList();
        // 0 stands for unknown.
        return lines.hashCode() == 0 ? 1 : lines.hashCode();
    }

    /** {@link #shape(List)} of one table; 0 when there is no such. */
    public static int shape(Connection connection, TableId table) throws SQLException {
        return columns(connection, table).values().stream()
                .findFirst()
                .map(Catalog::shape)
                .orElse(0);
    }

    public static Optional<Table> table(Connection connection, TableId id) throws SQLException {
        return tables(connection).stream().filter(t -> t.id().equals(id)).findFirst();
    }

    private static Map<Long, List<CatalogColumn>> columns(Connection connection, TableId only) throws SQLException {
        String generated = majorVersion(connection) >= GENERATED_SINCE ? "a.attgenerated <> ''" : "false";
        Map<Long, List<CatalogColumn>> columns = new LinkedHashMap<>();
        try (PreparedStatement statement = connection.prepareStatement(COLUMNS.formatted(generated))) {
            // Not by to_regclass, which needs a right on the schema.
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

    private static List<String> names(Array array) throws SQLException {
        return array == null ? List.of() : List.of((String[]) array.getArray());
    }
}
