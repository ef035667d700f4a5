package io.wherry.source.server;

import io.wherry.contract.config.Migration;
import io.wherry.contract.name.TableId;
import io.wherry.contract.postgres.CatalogTable;
import io.wherry.contract.postgres.PartitionRoots;
import io.wherry.contract.postgres.ReplicaIdentity;
import java.sql.Connection;
import java.sql.PreparedStatement;
import java.sql.ResultSet;
import java.sql.SQLException;
import java.util.ArrayList;
import java.util.List;

/**
 * A partition of a table that is carried whole, at any depth.
 *
 * @param root the topmost table
 * @param parent oid of the table directly above
 * @param kind {@code r} = it holds rows itself, {@code p} = it has partitions, {@code f} = it is a foreign table
 * @param attached the transaction that attached the partition; if it differs later, the partition was detached in between
 * @param born created by {@code CREATE TABLE … PARTITION OF}, so no row is older than that. Such a partition has a column that
 *     was inherited when its row of the catalog was first written; an attached table has no such column
 * @param file number of the file that holds its rows
 */
public record Partition(
        long oid,
        TableId id,
        TableId root,
        long parent,
        char kind,
        ReplicaIdentity replicaIdentity,
        boolean unlogged,
        String attached,
        boolean born,
        long file,
        boolean readable,
        boolean owned,
        boolean filtered) {
    private static final String PARTITIONS = PartitionRoots.WITH + """
            SELECT c.oid::bigint, n.nspname, c.relname, root.nspname AS root_schema, root.relname AS root_name,
                   i.inhparent::bigint, c.relkind::text, c.relreplident::text, c.relpersistence = 'u' AS unlogged,
                   i.xmin::text AS attached, coalesce(pg_relation_filenode(c.oid)::bigint, 0) AS file,
                   EXISTS (SELECT FROM pg_attribute a JOIN pg_attribute s ON s.attrelid = a.attrelid AND s.attnum = -1
                            WHERE a.attrelid = c.oid AND a.attnum > 0 AND a.attinhcount > 0
                              AND a.xmin = s.xmin AND a.cmin = s.cmin) AS born,
                   has_schema_privilege(c.relnamespace, 'USAGE') AND has_table_privilege(c.oid, 'SELECT') AS readable,
                   pg_has_role(c.relowner, 'USAGE') AS owned, row_security_active(c.oid) AS filtered
              FROM root JOIN pg_class c ON c.oid = root.partition JOIN pg_inherits i ON i.inhrelid = c.oid
              JOIN pg_namespace n ON n.oid = c.relnamespace
             ORDER BY n.nspname, c.relname
            """;

    /** The partitions of all tables that the migration carries whole. */
    public static List<Partition> read(Connection session, Migration migration) throws SQLException {
        List<Partition> partitions = new ArrayList<>();
        if (migration.tables().whole().isEmpty()) {
            return partitions;
        }
        try (PreparedStatement statement = session.prepareStatement(PARTITIONS);
                ResultSet row = statement.executeQuery()) {
            while (row.next()) {
                TableId root = new TableId(row.getString("root_schema"), row.getString("root_name"));
                if (migration.tables().isWhole(root)) {
                    partitions.add(new Partition(
                            row.getLong("oid"),
                            new TableId(row.getString("nspname"), row.getString("relname")),
                            root,
                            row.getLong("inhparent"),
                            row.getString("relkind").charAt(0),
                            ReplicaIdentity.of(row.getString("relreplident").charAt(0)),
                            row.getBoolean("unlogged"),
                            row.getString("attached"),
                            row.getBoolean("born"),
                            row.getLong("file"),
                            row.getBoolean("readable"),
                            row.getBoolean("owned"),
                            row.getBoolean("filtered")));
                }
            }
        }
        return partitions;
    }

    /** Whether the partition holds rows itself. */
    public boolean leaf() {
        return kind == 'r';
    }

    /** Whether updates and deletes of the partition would not name the row by the key of the whole table. */
    public boolean lacksIdentity(CatalogTable whole) {
        return leaf()
                && replicaIdentity != ReplicaIdentity.FULL
                && (replicaIdentity == ReplicaIdentity.NOTHING
                        || whole.primaryKey().isEmpty());
    }
}
