package io.wherry.coordinator.schema;

import io.wherry.contract.name.Identifiers;
import io.wherry.contract.name.TableId;
import io.wherry.contract.postgres.PartitionRoots;
import io.wherry.coordinator.dump.DeferredDdl;
import io.wherry.coordinator.sql.Queries;
import java.sql.Connection;
import java.sql.SQLException;
import java.util.List;
import java.util.Optional;

/**
 * An index of Wherry's on a large table without a key, while changes are applied. An update or delete names such a row by all its
 * columns; without any index each one reads the whole table, and the target falls further and further behind (seen: 25 updates a
 * second on 200,000 rows). Dropped in the transaction of the switch row.
 */
public final class RowIndex {
    /** Prefix of the names of these indexes; a comparison of schemas skips these names. */
    static final String PREFIX = "wherry_row_";

    private static final int WORTH_ROWS = 1_000;

    // The sink-applier compares these types by their own operator first, whatever the collation. The column with
    // the most values serves best. A hash index takes texts of any length; a btree does not.
    private static final String COLUMN = PartitionRoots.WITH + """
            SELECT a.attname, t.typname IN ('text', 'varchar') AS hashed, c.oid::bigint
              FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
              JOIN pg_attribute a ON a.attrelid = c.oid JOIN pg_type t ON t.oid = a.atttypid
              JOIN pg_stats s ON s.schemaname = n.nspname AND s.tablename = c.relname AND s.attname = a.attname
             WHERE n.nspname = ? AND c.relname = ? AND c.reltuples >= ? AND s.inherited = (c.relkind = 'p') AND t.typnamespace = 'pg_catalog'::regnamespace
               AND t.typname IN ('int2', 'int4', 'int8', 'oid', 'uuid', 'date', 'timestamp', 'timestamptz', 'text', 'varchar')
               AND NOT EXISTS (SELECT FROM pg_index i WHERE i.indrelid = c.oid AND i.indisunique)
               -- A partition's own index would become part of Wherry's index, and be dropped with it.
               AND NOT EXISTS (SELECT FROM above JOIN pg_index i ON i.indrelid = above.partition WHERE above.parent = c.oid)
             ORDER BY CASE WHEN s.n_distinct < 0 THEN -s.n_distinct * c.reltuples ELSE s.n_distinct END DESC, a.attnum
             LIMIT 1
            """;

    private RowIndex() {}

    private record Column(String name, boolean hashed, long table) {}

    /**
     * Creates the index if the table is large, has no key and has a suitable column; with it, the statement that drops the index.
     * The table must have been analysed.
     */
    public static void ensure(Connection target, TableId table) throws SQLException {
        Optional<Column> column = Queries.list(
                        target,
                        row -> new Column(row.getString(1), row.getBoolean(2), row.getLong(3)),
                        COLUMN,
                        table.schema(),
                        table.table(),
                        WORTH_ROWS)
                .stream()
                .findFirst();
        if (column.isEmpty()) {
            return;
        }
        String name = PREFIX + column.get().table();
        if (!Queries.strings(target, "SELECT relname FROM pg_catalog.pg_class WHERE relname = ?", name)
                .isEmpty()) {
            return;
        }
        Queries.execute(
                target,
                "CREATE INDEX " + Identifiers.quote(name) + " ON " + table.quoted() + " USING "
                        + (column.get().hashed() ? "hash" : "btree") + " ("
                        + Identifiers.quote(column.get().name()) + ")");
        // Several index builders take numbers at once.
        Queries.execute(target, "LOCK TABLE wherry.ddl IN SHARE ROW EXCLUSIVE MODE");
        Queries.update(
                target,
                "INSERT INTO wherry.ddl (id, stage, kind, name, sql)"
                        + " SELECT coalesce(max(id), 0) + 1, ?, 'DROP INDEX', ?, ? FROM wherry.ddl",
                DeferredDdl.Stage.SWITCH.name(),
                name,
                "DROP INDEX IF EXISTS " + Identifiers.quote(table.schema()) + "." + Identifiers.quote(name));
    }

    /** The statements without those that create these indexes. */
    static List<String> without(List<String> statements) {
        return statements.stream()
                .filter(statement -> !statement.startsWith("CREATE INDEX " + PREFIX))
                .toList();
    }
}
