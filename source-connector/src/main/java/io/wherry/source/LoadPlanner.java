package io.wherry.source;

import io.wherry.contract.Catalog;
import io.wherry.contract.Catalog.CatalogColumn;
import io.wherry.contract.Identifiers;
import java.sql.Connection;
import java.sql.PreparedStatement;
import java.sql.ResultSet;
import java.sql.SQLException;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;

/** Cuts tables into chunks of about equal size. */
final class LoadPlanner {
    private static final long SMALL_BYTES = 8L << 20;
    private static final long CHUNK_BYTES = 48L << 20;
    /** Without TID range scans a chunk may cost a scan of the whole table, so they are fewer. */
    private static final long KEY_CHUNK_BYTES = 256L << 20;

    private static final int SAMPLES_A_CHUNK = 200;
    private static final int TID_RANGES_SINCE = 14;

    private final Connection session;
    private final int readers;
    private final long pageBytes;
    private final boolean tidRanges;

    /** @param session under the load's snapshot, whose sample then holds the load's keys */
    LoadPlanner(Connection session, int readers) throws SQLException {
        this.session = session;
        this.readers = readers;
        this.tidRanges = Catalog.majorVersion(session) >= TID_RANGES_SINCE;
        try (PreparedStatement statement =
                        session.prepareStatement("SELECT pg_catalog.current_setting('block_size')::bigint");
                ResultSet row = statement.executeQuery()) {
            row.next();
            pageBytes = row.getLong(1);
        }
    }

    /**
     * The table's chunks, numbered from 0.
     *
     * @param filter WHERE clause with the condition on the rows that are wanted, a blank before it; empty = all
     */
    List<Chunk> chunks(Catalog.Table table, String filter) throws SQLException {
        List<String> conditions = List.of("");
        if (tidRanges) {
            long pages = table.heapBytes() / pageBytes;
            long perPage = pages == 0 ? 1 : Math.max(1, (table.rowsEstimated() + pages - 1) / pages);
            int count = chunkCount(table.bytes(), CHUNK_BYTES, readers, pages * perPage);
            conditions = tidRanges(pages, perPage, count);
        } else if (!table.primaryKey().isEmpty()) {
            int count = chunkCount(table.bytes(), KEY_CHUNK_BYTES, readers, Long.MAX_VALUE);
            CatalogColumn key = table.columns().stream()
                    .filter(column -> column.name().equals(table.primaryKey().get(0)))
                    .findFirst()
                    .orElseThrow();
            // Another schema's type has its operators there, out of reach of our search_path.
            if (count > 1 && key.type().schema().equals("pg_catalog")) {
                conditions = keyRanges(key, sample(table, key, count));
            }
        }
        List<Chunk> chunks = new ArrayList<>();
        for (String condition : conditions) {
            chunks.add(new Chunk(table, chunks.size(), condition, filter));
        }
        return chunks;
    }

    static int chunkCount(long bytes, long chunkBytes, int readers, long most) {
        if (bytes <= SMALL_BYTES) {
            return 1;
        }
        long wanted = Math.max(readers, (bytes + chunkBytes - 1) / chunkBytes);
        return (int) Math.max(1, Math.min(Math.min(wanted, most), Integer.MAX_VALUE));
    }

    /**
     * Ranges of row positions that meet without a gap. The first has no lower and the last no upper bound, so that rows
     * which the snapshot sees on pages added after the count are in one too.
     *
     * @param perPage rows a page, as far as known: few pages of giant values must be cut too
     */
    static List<String> tidRanges(long pages, long perPage, int count) {
        List<String> bounds = new ArrayList<>();
        for (int i = 1; i < count; i++) {
            long position = pages * perPage * i / count;
            bounds.add("'(" + position / perPage + "," + position % perPage + ")'::pg_catalog.tid");
        }
        return ranges("ctid", bounds);
    }

    /** Ranges of a key between the given values; the same openness at both ends. */
    static List<String> keyRanges(CatalogColumn key, List<String> values) {
        String type = "::" + key.type().quoted();
        return ranges(
                Identifiers.quote(key.name()),
                values.stream().map(value -> Identifiers.literal(value) + type).toList());
    }

    private static List<String> ranges(String column, List<String> bounds) {
        List<String> conditions = new ArrayList<>();
        for (int i = 0; i <= bounds.size(); i++) {
            String from = i == 0 ? "" : column + " >= " + bounds.get(i - 1);
            String to = i == bounds.size() ? "" : column + " < " + bounds.get(i);
            conditions.add(from + (from.isEmpty() || to.isEmpty() ? "" : " AND ") + to);
        }
        return conditions;
    }

    /** Values of the key that cut a sample of the table into {@code count} equal parts, ascending and distinct. */
    private List<String> sample(Catalog.Table table, CatalogColumn key, int count) throws SQLException {
        long pages = Math.max(1, table.heapBytes() / pageBytes);
        double percent = Math.min(100, 100.0 * SAMPLES_A_CHUNK * count / pages);
        String column = Identifiers.quote(key.name());
        String sql =
                "SELECT s.value::text FROM (SELECT k.value, pg_catalog.row_number() OVER (ORDER BY k.value) AS place,"
                        + " pg_catalog.count(*) OVER () AS total FROM (SELECT " + column + " AS value FROM ONLY "
                        + table.id().quoted()
                        + String.format(Locale.ROOT, " TABLESAMPLE SYSTEM (%.6f) REPEATABLE (1)) k) s", percent)
                        + " WHERE s.place > 1 AND (s.place - 1) * ? / s.total > (s.place - 2) * ? / s.total ORDER BY s.place";
        List<String> values = new ArrayList<>();
        try (PreparedStatement statement = session.prepareStatement(sql)) {
            statement.setInt(1, count);
            statement.setInt(2, count);
            try (ResultSet row = statement.executeQuery()) {
                while (row.next()) {
                    String value = row.getString(1);
                    if (values.isEmpty() || !values.get(values.size() - 1).equals(value)) {
                        values.add(value);
                    }
                }
            }
        }
        return values;
    }
}
