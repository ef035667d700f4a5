package io.wherry.sink.load;

import io.wherry.contract.error.DataException;
import io.wherry.contract.name.Identifiers;
import io.wherry.contract.name.Remedies;
import io.wherry.contract.record.LoadRecords.ChunkHeader;
import io.wherry.contract.record.LoadRecords.ChunkTrailer;
import io.wherry.sink.table.TargetCatalog;
import io.wherry.sink.table.TypeText;
import io.wherry.sink.write.OneStatement;
import io.wherry.sink.write.RowsByKey;
import java.sql.Connection;
import java.sql.PreparedStatement;
import java.sql.SQLException;
import java.util.Objects;
import java.util.Set;
import java.util.stream.Collectors;
import java.util.zip.CRC32C;
import org.postgresql.PGConnection;
import org.postgresql.copy.CopyIn;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/** Writes one chunk within the caller's transaction. Each block goes to the server as it arrives, so memory holds one block. */
final class ChunkWriter {
    private static final Logger LOG = LoggerFactory.getLogger(ChunkWriter.class);
    private static final String CHUNK = """
            INSERT INTO wherry.chunk (schema_name, table_name, load_epoch, chunk, rows, bytes) VALUES (?, ?, ?, ?, ?, ?)
            """;

    // The same chunk may be in two partitions if a reader took over another's chunk: the second waits, then finds the
    // chunk applied.
    private static final String LOCK = "SELECT pg_advisory_xact_lock(?, ?)";

    private static final int LOCK_CLASS = 0x6c6f6164;

    private final Connection target;
    private final ChunkHeader header;
    private final RowsByKey replacing;
    private final CopyIn copy;
    private final CRC32C crc = new CRC32C();
    private long bytes;

    ChunkWriter(Connection target, ChunkHeader header) throws SQLException {
        this.target = target;
        this.header = header;
        addColumns();
        this.replacing = header.replaces().isEmpty()
                ? null
                : new RowsByKey(
                        target, TargetCatalog.read(target, header.table()), "wherry_replacing", header.columns());
        String into = replacing == null ? header.table().quoted() : replacing.name();
        this.copy = target.unwrap(PGConnection.class).getCopyAPI().copyIn(copySql(header, into));
    }

    /** Waits until no other lane writes the chunk; others wait until the caller's transaction ends. */
    static void lock(Connection target, ChunkHeader header) throws SQLException {
        try (PreparedStatement statement = target.prepareStatement(LOCK)) {
            statement.setInt(1, LOCK_CLASS);
            statement.setInt(2, Objects.hash(header.table(), header.epoch(), header.chunk()));
            statement.execute();
        }
    }

    /**
     * Adds columns that the source got after the target's table was created and before this snapshot. All rows of the load have
     * them, so no default is needed; changes from before the snapshot are skipped. Not for a partition: the other partitions of
     * its parent may have rows of another load, and their value comes with the stream.
     */
    private void addColumns() throws SQLException {
        Set<String> existing = TargetCatalog.existing(target, header.table()).keySet();
        for (int i = 0; i < header.types().size(); i++) {
            String column = header.columns().get(i);
            if (!existing.contains(column) && !TargetCatalog.isPartition(target, header.table())) {
                LOG.info(
                        "{}: adding column {}, which the source got before this load",
                        header.table(),
                        Identifiers.quote(column));
                // Another lane may add the same column.
                OneStatement.execute(
                        target,
                        "ALTER TABLE " + header.table().quoted() + " ADD COLUMN IF NOT EXISTS "
                                + Identifiers.quote(column) + " "
                                + type(column, header.types().get(i)));
            }
        }
    }

    private String type(String column, String text) {
        return TypeText.parse(text)
                .orElseThrow(() -> new DataException(
                        "load",
                        header.table().toString(),
                        "the load topic gives column " + Identifiers.quote(column) + " a type that does not exist",
                        "Check who else writes to this migration's topics; on the target, ALTER TABLE "
                                + header.table().quoted() + " ADD COLUMN " + Identifiers.quote(column)
                                + " with the type that it has on the source, then wherry retry"))
                .sql();
    }

    private static String copySql(ChunkHeader header, String into) {
        String columns = header.columns().stream().map(Identifiers::quote).collect(Collectors.joining(", "));
        return "COPY " + into + (columns.isEmpty() ? "" : " (" + columns + ")") + " FROM STDIN (FORMAT "
                + (header.binary() ? "binary" : "text") + ")";
    }

    void write(byte[] block) throws SQLException {
        copy.writeToCopy(block, 0, block.length);
        crc.update(block);
        bytes += block.length;
    }

    /**
     * Ends the COPY and writes the chunk's row.
     *
     * @throws DataException when the data that arrived differs from what the trailer says was sent
     */
    void finish(ChunkTrailer trailer) throws SQLException {
        if (bytes != trailer.bytes() || (int) crc.getValue() != trailer.crc32c()) {
            throw differs(trailer, bytes + " bytes with checksum " + Integer.toHexString((int) crc.getValue()));
        }
        long rows = copy.endCopy();
        if (rows != trailer.rows()) {
            throw differs(trailer, rows + " rows");
        }
        if (replacing != null) {
            replacing.delete(header.replaces());
            replacing.insert(header.columns());
        }
        try (PreparedStatement statement = target.prepareStatement(CHUNK)) {
            statement.setString(1, header.table().schema());
            statement.setString(2, header.table().table());
            statement.setInt(3, header.epoch());
            statement.setInt(4, header.chunk());
            statement.setLong(5, rows);
            statement.setLong(6, bytes);
            statement.executeUpdate();
        }
    }

    /** Ends the COPY without rows, if the server has not done so by itself; the caller rolls back. */
    void cancel() throws SQLException {
        if (copy.isActive()) {
            copy.cancelCopy();
        }
    }

    private DataException differs(ChunkTrailer trailer, String arrived) {
        return new DataException(
                "load",
                header.table() + " chunk " + header.chunk(),
                arrived + " arrived, not " + trailer.bytes() + " bytes, " + trailer.rows() + " rows, checksum "
                        + Integer.toHexString(trailer.crc32c()),
                "Records of the load topic were lost or altered; " + Remedies.reload(header.table()));
    }
}
