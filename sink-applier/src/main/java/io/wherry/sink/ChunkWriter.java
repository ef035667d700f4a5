package io.wherry.sink;

import io.wherry.contract.DataException;
import io.wherry.contract.Identifiers;
import io.wherry.contract.LoadRecords.ChunkHeader;
import io.wherry.contract.LoadRecords.ChunkTrailer;
import java.sql.Connection;
import java.sql.PreparedStatement;
import java.sql.SQLException;
import java.util.stream.Collectors;
import java.util.zip.CRC32C;
import org.postgresql.PGConnection;
import org.postgresql.copy.CopyIn;

/** Writes one chunk within the caller's transaction: blocks go to the server as they come, so memory holds one at a time. */
final class ChunkWriter {
    private static final String CHUNK = """
            INSERT INTO wherry.chunk (schema_name, table_name, load_epoch, chunk, rows, bytes) VALUES (?, ?, ?, ?, ?, ?)
            """;

    private final Connection target;
    private final ChunkHeader header;
    private final RowsByKey replacing;
    private final CopyIn copy;
    private final CRC32C crc = new CRC32C();
    private long bytes;

    ChunkWriter(Connection target, ChunkHeader header) throws SQLException {
        this.target = target;
        this.header = header;
        this.replacing = header.replaces().isEmpty()
                ? null
                : new RowsByKey(
                        target, TargetCatalog.read(target, header.table()), "wherry_replacing", header.columns());
        String into = replacing == null ? header.table().quoted() : replacing.name();
        this.copy = target.unwrap(PGConnection.class).getCopyAPI().copyIn(copySql(header, into));
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
     * @throws DataException when what arrived is not what the trailer says was sent
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
                "Records of the load topic were lost or altered; load the table again");
    }
}
