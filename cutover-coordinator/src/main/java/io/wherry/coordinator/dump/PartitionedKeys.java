package io.wherry.coordinator.dump;

import io.wherry.contract.name.TableId;
import io.wherry.contract.postgres.ServerVersion;
import io.wherry.coordinator.sql.Queries;
import java.sql.Connection;
import java.sql.SQLException;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;

/**
 * Foreign keys of partitioned tables, as keys of their partitions. Before 18 a partitioned table's key cannot be created NOT VALID:
 * all rows would be read within the window, and one violating row would abort the cutover. The keys of partitions can be NOT VALID.
 * Once these are valid, the server creates the partitioned table's key from them without reading a row (seen on 11 to 18).
 *
 * @param leaves by table and name of the partitioned table's key
 */
public record PartitionedKeys(Map<Key, List<Leaf>> leaves) {
    public static final PartitionedKeys NONE = new PartitionedKeys(Map.of());

    private static final int FIRST_NOT_VALID = 18;
    private static final int FIRST_PARTITIONED = 11;

    // The server itself creates the catalog rows for the referenced table's partitions (another confrelid, the same
    // conrelid).
    private static final String LEAVES = """
            WITH RECURSIVE down AS (
              SELECT k.oid AS top, k.oid, k.conrelid, k.confrelid FROM pg_constraint k JOIN pg_class c ON c.oid = k.conrelid
               WHERE k.contype = 'f' AND k.conparentid = 0 AND c.relkind = 'p'
              UNION ALL
              SELECT d.top, k.oid, k.conrelid, k.confrelid FROM pg_constraint k JOIN down d ON k.conparentid = d.oid
               WHERE k.confrelid = d.confrelid AND k.conrelid <> d.conrelid)
            SELECT tn.nspname, t.relname, tk.conname, n.nspname, c.relname, k.conname, pg_get_constraintdef(k.oid)
              FROM down d JOIN pg_constraint tk ON tk.oid = d.top
              JOIN pg_class t ON t.oid = tk.conrelid JOIN pg_namespace tn ON tn.oid = t.relnamespace
              JOIN pg_constraint k ON k.oid = d.oid
              JOIN pg_class c ON c.oid = k.conrelid JOIN pg_namespace n ON n.oid = c.relnamespace
             WHERE c.relkind = 'r' ORDER BY 1, 2, 3, 4, 5
            """;

    public PartitionedKeys {
        leaves = Map.copyOf(leaves);
    }

    /** A key of a partitioned table. */
    record Key(TableId table, String name) {}

    /** The same key of a partition that has no partitions. */
    record Leaf(TableId table, String name, String definition) {}

    /** The keys as they are on the source. */
    public static PartitionedKeys read(Connection source) throws SQLException {
        if (ServerVersion.major(source) < FIRST_PARTITIONED) {
            return NONE;
        }
        Map<Key, List<Leaf>> leaves = new HashMap<>();
        Queries.list(
                source,
                row -> leaves.computeIfAbsent(
                                new Key(new TableId(row.getString(1), row.getString(2)), row.getString(3)),
                                key -> new ArrayList<>())
                        .add(new Leaf(
                                new TableId(row.getString(4), row.getString(5)), row.getString(6), row.getString(7))),
                LEAVES);
        return new PartitionedKeys(leaves);
    }

    /** How this target can create the keys without reading rows. */
    public Way on(Connection target) throws SQLException {
        return new Way(ServerVersion.major(target) >= FIRST_NOT_VALID, leaves);
    }

    /**
     * @param notValid whether a partitioned table's key can be NOT VALID
     * @param leaves if not, the keys to create instead
     */
    public record Way(boolean notValid, Map<Key, List<Leaf>> leaves) {
        List<Leaf> leaves(TableId table, String name) {
            return leaves.getOrDefault(new Key(table, name), List.of());
        }
    }
}
