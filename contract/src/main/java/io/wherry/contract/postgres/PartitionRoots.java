package io.wherry.contract.postgres;

import io.wherry.contract.name.TableId;
import java.sql.ResultSet;
import java.sql.SQLException;

/** Finds the topmost table that a partition belongs to, through all levels of partitioning. */
public final class PartitionRoots {
    /** Starts a query that can join {@code root}: the topmost table above each partition. */
    public static final String WITH = """
            WITH RECURSIVE above(partition, parent) AS (
                SELECT i.inhrelid, i.inhparent FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid AND c.relispartition
                UNION ALL
                SELECT a.partition, i.inhparent FROM above a JOIN pg_inherits i ON i.inhrelid = a.parent
                  JOIN pg_class c ON c.oid = a.parent AND c.relispartition),
            root AS (SELECT a.partition, a.parent, n.nspname, c.relname
                       FROM above a JOIN pg_class c ON c.oid = a.parent AND NOT c.relispartition
                       JOIN pg_namespace n ON n.oid = c.relnamespace)
            """;

    private PartitionRoots() {}

    /** The root that a row names as {@code root_schema} and {@code root_name}; the table itself when both are null. */
    static TableId of(ResultSet row, TableId table) throws SQLException {
        String schema = row.getString("root_schema");
        return schema == null ? table : new TableId(schema, row.getString("root_name"));
    }
}
