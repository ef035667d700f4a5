package io.wherry.source.check;

import io.wherry.contract.error.Finding;
import io.wherry.contract.name.Identifiers;
import io.wherry.contract.postgres.CatalogColumn;
import io.wherry.contract.postgres.CatalogTable;
import java.sql.Connection;
import java.sql.ResultSet;
import java.sql.SQLException;
import java.sql.Statement;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.Set;
import java.util.stream.Collectors;

/**
 * The part of the preflight that looks for values so large that a change of them needs more memory, or cannot be sent.
 *
 * <p>The check is cheap, and so it is not exact. It looks only at tables with enough TOAST. For at most {@value #LIMIT_SECONDS}
 * seconds a table, it reads the row heads of at most {@value #SAMPLED_PAGES} pages (a sample if the table has more), and no
 * values. The TOAST pointer of a text or bytea holds the length of the value. For other types the pointer holds only the stored
 * size, which compression makes smaller.
 */
public final class LargeValueChecks {
    /** The largest value that fits in the launcher's default heap beside everything else. */
    static final long CARRIED_BYTES = 8L << 20;

    // The server sends bytea as hexadecimal text, and cannot send a text of 1 GiB.
    private static final long BYTEA_LIMIT = 500_000_000;
    private static final int SAMPLED_PAGES = 1000;
    private static final int PAGE_BYTES = 8192;
    private static final int LIMIT_SECONDS = 5;
    /** Only values of one repeated character are compressed by a larger factor. */
    private static final int COMPRESSION = 20;

    private static final Set<String> LENGTH_KNOWN = Set.of("text", "varchar", "bpchar", "bytea");
    private static final String QUERY_CANCELED = "57014";

    private LargeValueChecks() {}

    /** @param tables that the role may read */
    public static List<Finding> check(Connection session, List<CatalogTable> tables) throws SQLException {
        List<Finding> findings = new ArrayList<>();
        for (CatalogTable table : tables) {
            List<CatalogColumn> columns =
                    table.writable().stream().filter(CatalogColumn::variable).toList();
            if (!columns.isEmpty() && table.bytes() - table.heapBytes() >= CARRIED_BYTES / COMPRESSION) {
                check(session, table, columns, findings);
            }
        }
        return findings;
    }

    private static void check(
            Connection session, CatalogTable table, List<CatalogColumn> columns, List<Finding> findings)
            throws SQLException {
        long pages = Math.max(1, table.heapBytes() / PAGE_BYTES);
        double percent = Math.min(100, 100.0 * SAMPLED_PAGES / pages);
        String sizes = columns.stream().map(LargeValueChecks::largest).collect(Collectors.joining(", "));
        String sql = "SELECT " + sizes + " FROM ONLY " + table.id().quoted()
                + String.format(Locale.ROOT, " TABLESAMPLE SYSTEM (%.6f)", percent);
        try (Statement statement = session.createStatement()) {
            statement.setQueryTimeout(LIMIT_SECONDS);
            try (ResultSet row = statement.executeQuery(sql)) {
                row.next();
                for (int i = 0; i < columns.size(); i++) {
                    judge(table, columns.get(i), row.getLong(i + 1), findings);
                }
            }
        } catch (SQLException e) {
            if (!QUERY_CANCELED.equals(e.getSQLState())) {
                throw e;
            }
            findings.add(Finding.info(
                    table.id().toString(),
                    "the size of its largest value could not be found within " + LIMIT_SECONDS + " s; see Memory in"
                            + " docs/operations.md"));
        }
    }

    private static String largest(CatalogColumn column) {
        String name = Identifiers.quote(column.name());
        boolean known = column.type().schema().equals("pg_catalog")
                && LENGTH_KNOWN.contains(column.type().name());
        return "max(pg_catalog." + (known ? "octet_length(" : "pg_column_size(") + name + "))";
    }

    private static void judge(CatalogTable table, CatalogColumn column, long bytes, List<Finding> findings) {
        boolean bytea = column.type().name().equals("bytea");
        String object = table.id() + " column " + column.name();
        long megabytes = bytes / 1_000_000;
        long wire = bytea ? 2 * bytes : bytes;
        if (bytea && bytes > BYTEA_LIMIT) {
            findings.add(Finding.error(
                    object,
                    "holds a bytea of " + megabytes + " MB: the server cannot send more than about 500 MB by logical"
                            + " decoding, so a change of this value would stop the stream forever",
                    "Split the value, or name the table in tables.exclude and copy it by hand"));
        } else if (wire > CARRIED_BYTES) {
            judgeHeap(object, megabytes, wire >> 20, findings);
        }
    }

    // The rules of docs/operations.md, which come from measurements.
    private static void judgeHeap(String object, long megabytes, long wireMebibytes, List<Finding> findings) {
        long source = 256 + 3 * wireMebibytes;
        long sink = 256 + 9 * wireMebibytes;
        long all = source + sink;
        // Without the part of the heap that the collector keeps free for itself.
        long configured = Runtime.getRuntime().maxMemory() >> 20;
        String problem = String.format(
                Locale.ROOT,
                "holds values of %d MB; to carry a change of one, wherry up needs -Xmx%dm (wherry source alone -Xmx%dm, wherry"
                        + " sink -Xmx%dm), and this process has %d MiB",
                megabytes,
                all,
                source,
                sink,
                configured);
        findings.add(
                all > configured + configured / 8
                        ? Finding.warning(object, problem, "Set WHERRY_JAVA_OPTS=-Xmx" + all + "m for ./wherry")
                        : Finding.info(object, problem));
    }
}
