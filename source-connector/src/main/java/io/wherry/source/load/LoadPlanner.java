package io.wherry.source.load;

import io.wherry.contract.config.Migration.Load;
import io.wherry.contract.name.Identifiers;
import io.wherry.contract.postgres.CatalogColumn;
import io.wherry.contract.postgres.CatalogTable;
import io.wherry.contract.postgres.ServerVersion;
import io.wherry.source.control.ChunkLayout;
import io.wherry.source.control.ColumnNumbers;
import io.wherry.source.server.Partition;
import java.sql.Connection;
import java.sql.PreparedStatement;
import java.sql.ResultSet;
import java.sql.SQLException;
import java.sql.Statement;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/** Cuts tables into chunks of about equal size. */
final class LoadPlanner {
    private static final Logger LOG = LoggerFactory.getLogger(LoadPlanner.class);
    private static final long SMALL_BYTES = 8L << 20;
    /** Without TID range scans a chunk may need a scan of the whole table, so the chunks are fewer and larger. */
    private static final int KEY_CHUNKS_FEWER = 5;

    private static final String BY_PLACE = "ctid";
    private static final String PLACE_TYPE = "pg_catalog.tid";
    private static final int SAMPLES_A_CHUNK = 200;
    private static final int TID_RANGES_SINCE = 14;

    private final Connection session;
    private final Load load;
    private final long pageBytes;
    private final boolean tidRanges;
    private final long firstTransaction;
    private final long endTransaction;

    /** @param session in the snapshot of the load, so that the sampled keys are keys of the load */
    LoadPlanner(Connection session, Load load) throws SQLException {
        this.session = session;
        this.load = load;
        this.tidRanges = ServerVersion.major(session) >= TID_RANGES_SINCE;
        try (PreparedStatement statement =
                        session.prepareStatement("SELECT pg_catalog.current_setting('block_size')::bigint,"
                                + " pg_catalog.txid_snapshot_xmin(s), pg_catalog.txid_snapshot_xmax(s)"
                                + " FROM pg_catalog.txid_current_snapshot() s");
                ResultSet row = statement.executeQuery()) {
            row.next();
            pageBytes = row.getLong(1);
            firstTransaction = row.getLong(2);
            endTransaction = row.getLong(3);
        }
    }

    /** The first transaction that the snapshot cannot know, with its epoch. */
    long endTransaction() {
        return endTransaction;
    }

    /**
     * Cuts a table.
     *
     * @param numbers of the table's columns
     * @param epoch of the load plan
     * @param file number of the file that holds the rows
     * @param filter WHERE clause with the condition on the wanted rows, after a blank; empty = all rows
     */
    ChunkLayout cut(CatalogTable table, ColumnNumbers numbers, int epoch, long file, String filter)
            throws SQLException {
        String by = BY_PLACE;
        String type = PLACE_TYPE;
        List<String> bounds = List.of();
        if (tidRanges) {
            bounds = tidBounds(table);
        } else if (!table.primaryKey().isEmpty()) {
            int count = chunkCount(table.bytes(), KEY_CHUNKS_FEWER * load.chunkBytes(), load.readers(), Long.MAX_VALUE);
            CatalogColumn key = table.columns().stream()
                    .filter(column -> column.name().equals(table.primaryKey().get(0)))
                    .findFirst()
                    .orElseThrow();
            // A type of another schema has its operators in that schema, which is not in the search_path.
            if (count > 1 && key.type().schema().equals("pg_catalog")) {
                by = Identifiers.quote(key.name());
                type = key.type().quoted();
                bounds = sample(table, key, count);
            }
        }
        return new ChunkLayout(
                table.id(),
                epoch,
                table.oid(),
                file,
                ChunkLayout.columns(table),
                filter,
                table.identity(),
                by,
                type,
                bounds,
                firstTransaction,
                numbers,
                List.of());
    }

    /**
     * Cuts a table that is carried whole, each partition separately.
     *
     * @param partitions all partitions of the table, as the snapshot sees them
     * @param leaves the partitions that hold rows, by oid
     */
    ChunkLayout cutWhole(
            CatalogTable whole,
            ColumnNumbers numbers,
            int epoch,
            List<Partition> partitions,
            Map<Long, CatalogTable> leaves,
            LoadSnapshot snapshot) {
        List<ChunkLayout.Part> parts = new ArrayList<>();
        for (Partition partition : partitions) {
            CatalogTable leaf = partition.leaf() ? leaves.get(partition.oid()) : null;
            List<String> bounds = leaf == null ? null : tidBounds(leaf);
            parts.add(new ChunkLayout.Part(
                    partition.oid(), partition.id(), partition.attached(), snapshot.file(partition.oid()), bounds));
        }
        return new ChunkLayout(
                whole.id(),
                epoch,
                whole.oid(),
                0,
                ChunkLayout.columns(whole),
                "",
                List.of(),
                BY_PLACE,
                PLACE_TYPE,
                List.of(),
                firstTransaction,
                numbers,
                parts);
    }

    /** The chunks of a whole table, numbered through all its partitions. */
    static List<Chunk> chunks(CatalogTable whole, ChunkLayout cut) {
        List<Chunk> chunks = new ArrayList<>();
        for (ChunkLayout.Part part : cut.parts()) {
            for (int i = 0; i < part.chunks(); i++) {
                String condition = ChunkLayout.range(BY_PLACE, PLACE_TYPE, part.bounds(), i, i);
                chunks.add(new Chunk(
                        whole, part.id(), part.oid(), cut.numbers(), chunks.size(), condition, "", List.of()));
            }
        }
        return chunks.isEmpty() ? List.of(new Chunk(whole, cut.numbers(), 0, "", "", List.of())) : chunks;
    }

    private List<String> tidBounds(CatalogTable table) {
        long pages = table.heapBytes() / pageBytes;
        long perPage = pages == 0 ? 1 : Math.max(1, (table.rowsEstimated() + pages - 1) / pages);
        int count = chunkCount(table.bytes(), load.chunkBytes(), load.readers(), pages * perPage);
        return tidBounds(pages, perPage, count);
    }

    static int chunkCount(long bytes, long chunkBytes, int readers, long most) {
        if (bytes <= Math.min(SMALL_BYTES, chunkBytes)) {
            return 1;
        }
        long wanted = Math.max(readers, (bytes + chunkBytes - 1) / chunkBytes);
        return (int) Math.max(1, Math.min(Math.min(wanted, most), Integer.MAX_VALUE));
    }

    /**
     * Row positions that cut a table into {@code count} parts.
     *
     * @param perPage rows per page, as far as known: a few pages with giant values must be cut too
     */
    static List<String> tidBounds(long pages, long perPage, int count) {
        List<String> bounds = new ArrayList<>();
        for (int i = 1; i < count; i++) {
            long position = pages * perPage * i / count;
            bounds.add("(" + position / perPage + "," + position % perPage + ")");
        }
        return bounds;
    }

    /**
     * Values of the key that cut a sample of the table into {@code count} equal parts, ascending and distinct. None if the source
     * refuses the query; the reader of the table then reports the reason.
     *
     * <p>The lock on the table is released with the savepoint. The session keeps the snapshot for the whole load, and a TRUNCATE that
     * waits for this lock would block the readers of the table.
     */
    private List<String> sample(CatalogTable table, CatalogColumn key, int count) throws SQLException {
        execute("SAVEPOINT sample");
        try {
            return sampled(table, key, count);
        } catch (SQLException e) {
            LOG.warn("{}: cannot sample the key, so the table is read as one chunk: {}", table.id(), e.getMessage());
            return List.of();
        } finally {
            execute("ROLLBACK TO SAVEPOINT sample");
        }
    }

    private void execute(String sql) throws SQLException {
        try (Statement statement = session.createStatement()) {
            statement.execute(sql);
        }
    }

    private List<String> sampled(CatalogTable table, CatalogColumn key, int count) throws SQLException {
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
