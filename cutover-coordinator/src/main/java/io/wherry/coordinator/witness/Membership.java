package io.wherry.coordinator.witness;

import io.wherry.contract.config.Flow;
import io.wherry.contract.config.Migration.Tables;
import io.wherry.contract.error.RetryableException;
import io.wherry.contract.name.TableId;
import io.wherry.contract.postgres.Lsn;
import io.wherry.contract.postgres.PartitionRoots;
import io.wherry.contract.postgres.ServerVersion;
import io.wherry.coordinator.sql.Queries;
import java.sql.Connection;
import java.sql.SQLException;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeMap;

/**
 * The publications at one moment, as the catalog shows them.
 *
 * @param lsn above the start of every COMMIT that the catalog showed
 * @param options of the publications, with the transactions that wrote them
 * @param tables the followed tables that are members
 */
record Membership(Lsn lsn, List<String> options, Map<TableId, Member> tables) {
    private static final int TRUNCATE_SINCE = 11;

    private static final String OPTIONS = "SELECT p.pubname || ' ' || p.xmin || ' ' || p.oid::text,"
            + " p.pubinsert AND p.pubupdate AND p.pubdelete AND :truncate, p.pubname FROM pg_publication p WHERE p.pubname = ANY (?) ORDER BY 1";

    // The columns of the keys by number: REINDEX CONCURRENTLY puts another index in the place of the first.
    private static final String MEMBERS = """
            SELECT n.nspname, c.relname, r.oid::text || ' ' || c.oid::text AS member, c.relkind = 'p' AS partitioned,
                   c.relfilenode::text || ' ' || c.relnatts::text || ' ' || coalesce(
                     (SELECT string_agg(i.indkey::text || i.indisprimary::text || i.indisreplident::text, ';' ORDER BY
                                        i.indkey::text, i.indisprimary, i.indisreplident)
                        FROM pg_index i WHERE i.indrelid = c.oid AND (i.indisprimary OR i.indisreplident)), '') AS shape
              FROM pg_publication p JOIN pg_publication_rel r ON r.prpubid = p.oid JOIN pg_class c ON c.oid = r.prrelid
              JOIN pg_namespace n ON n.oid = c.relnamespace WHERE p.pubname = ANY (?)
            """;

    // A partition that CREATE TABLE … PARTITION OF has made has a column that was inherited from the beginning. An
    // attached table has no such column, and it may have brought rows.
    private static final String PARTITIONS = PartitionRoots.WITH + """
            SELECT root.nspname, root.relname, c.oid::text || ' ' || i.xmin AS member,
                   c.relfilenode::text || ' ' || c.relnatts::text AS shape,
                   EXISTS (SELECT FROM pg_attribute a JOIN pg_attribute s ON s.attrelid = a.attrelid AND s.attnum = -1
                            WHERE a.attrelid = c.oid AND a.attnum > 0 AND a.attinhcount > 0
                              AND a.xmin = s.xmin AND a.cmin = s.cmin) AS born
              FROM root JOIN pg_class c ON c.oid = root.partition JOIN pg_inherits i ON i.inhrelid = c.oid
            """;

    /**
     * A table of a publication.
     *
     * @param member another value = the table has left the publication since, or another table has its name
     * @param shape another value = rows may have changed without a change in the stream
     * @param partitions shapes of the partitions of a table that is carried whole, by partition
     * @param born those of the partitions that were created as partitions, and so without rows
     */
    record Member(String member, String shape, Map<String, String> partitions, Set<String> born) {
        /** Whether all rows that differ between the two moments are in the stream. */
        boolean sameRows(Member later) {
            if (!shape.equals(later.shape)) {
                return false;
            }
            for (Map.Entry<String, String> partition : partitions.entrySet()) {
                if (!partition.getValue().equals(later.partitions.get(partition.getKey()))) {
                    return false;
                }
            }
            return later.partitions.keySet().stream()
                    .allMatch(partition -> partitions.containsKey(partition) || later.born.contains(partition));
        }
    }

    /** @throws RetryableException when a publication does not exist yet, or leaves out a kind of change */
    static Membership read(Connection catalog, Flow flow) throws SQLException {
        String[] names = flow.publications().toArray(String[]::new);
        String truncate = ServerVersion.major(catalog) >= TRUNCATE_SINCE ? "p.pubtruncate" : "true";
        List<String> options = Queries.list(
                catalog,
                row -> {
                    if (!row.getBoolean(2)) {
                        throw missing(row.getString("pubname"), "it leaves out a kind of change");
                    }
                    return row.getString(1);
                },
                OPTIONS.replace(":truncate", truncate),
                (Object) names);
        if (options.size() < names.length) {
            throw missing(String.join(", ", names), "it does not exist yet");
        }
        Tables selected = flow.migration().tables();
        Map<TableId, Member> tables = new TreeMap<>();
        Queries.list(
                catalog,
                row -> {
                    TableId table = new TableId(row.getString(1), row.getString(2));
                    boolean carried = !row.getBoolean("partitioned") || selected.isWhole(table);
                    if (carried && selected.follows(table)) {
                        tables.put(
                                table,
                                new Member(
                                        row.getString("member"),
                                        row.getString("shape"),
                                        new HashMap<>(),
                                        new HashSet<>()));
                    }
                    return table;
                },
                MEMBERS,
                (Object) names);
        if (!selected.whole().isEmpty()) {
            partitions(catalog, tables);
        }
        // After the other questions: it is above everything that they showed.
        Lsn lsn = Lsn.parse(Queries.string(catalog, "SELECT pg_current_wal_insert_lsn()::text")
                .orElseThrow());
        return new Membership(lsn, options, tables);
    }

    private static void partitions(Connection catalog, Map<TableId, Member> tables) throws SQLException {
        Queries.list(
                catalog,
                row -> {
                    Member whole = tables.get(new TableId(row.getString(1), row.getString(2)));
                    if (whole != null) {
                        String member = row.getString("member");
                        whole.partitions().put(member, row.getString("shape"));
                        if (row.getBoolean("born")) {
                            whole.born().add(member);
                        }
                    }
                    return whole;
                },
                PARTITIONS);
    }

    private static RetryableException missing(String publication, String problem) {
        return new RetryableException(
                "read", "publication " + publication, problem, "The source-connector creates it; start again then");
    }
}
