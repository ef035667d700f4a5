package io.wherry.sink.write;

import io.wherry.sink.merge.Step;
import io.wherry.sink.table.BoundTable.BoundColumn;
import java.nio.charset.StandardCharsets;
import java.sql.Connection;
import java.sql.SQLException;
import java.util.Arrays;
import org.postgresql.PGConnection;
import org.postgresql.copy.CopyIn;

/**
 * Writes rows by COPY in text format (PostgreSQL documentation, COPY, "Text Format"), so that the input function of each column's
 * type reads the value. The rows go to the server in pieces of about {@value #PIECE} bytes.
 */
final class RowCopy {
    private static final int PIECE = 1 << 16;

    private byte[] buffer = new byte[PIECE + (PIECE >> 2)];
    private int length;

    /**
     * Copies the rows within the caller's transaction.
     *
     * @return number of rows that the server has written
     * @throws SQLException when the server refuses a row; the caller must roll back
     */
    long copy(Connection target, Step.Copy step) throws SQLException {
        CopyIn copy = target.unwrap(PGConnection.class).getCopyAPI().copyIn(step.sql());
        try {
            length = 0;
            int[] columns = step.columns().stream().mapToInt(BoundColumn::index).toArray();
            for (String[] row : step.rows()) {
                add(row, columns);
                if (length >= PIECE) {
                    copy.writeToCopy(buffer, 0, length);
                    length = 0;
                }
            }
            copy.writeToCopy(buffer, 0, length);
            return copy.endCopy();
        } finally {
            // Otherwise the session could not even roll back.
            if (copy.isActive()) {
                copy.cancelCopy();
            }
        }
    }

    /** Adds a line. @param columns indices of the values, in the order of the COPY */
    void add(String[] row, int[] columns) {
        for (int i = 0; i < columns.length; i++) {
            String value = row[columns[i]];
            if (value == null) {
                room(2);
                buffer[length++] = '\\';
                buffer[length++] = 'N';
            } else {
                add(value.getBytes(StandardCharsets.UTF_8));
            }
            buffer[length++] = (byte) (i + 1 < columns.length ? '\t' : '\n');
        }
    }

    private void add(byte[] value) {
        room(2 * value.length);
        byte[] to = buffer;
        int at = length;
        for (byte b : value) {
            byte letter = letter(b);
            if (letter == 0) {
                to[at++] = b;
            } else {
                to[at++] = '\\';
                to[at++] = letter;
            }
        }
        length = at;
    }

    /** What follows the backslash where the byte has a meaning of its own; 0 for any other byte. */
    private static byte letter(byte b) {
        return switch (b) {
            case '\\' -> '\\';
            case '\t' -> 't';
            case '\n' -> 'n';
            case '\r' -> 'r';
            default -> 0;
        };
    }

    /** Makes room for so many bytes, and one for what separates values. */
    private void room(int bytes) {
        if (buffer.length - length <= bytes) {
            buffer = Arrays.copyOf(buffer, Math.max(2 * buffer.length, length + bytes + 1));
        }
    }

    /** What was added since the last {@link #copy} began; for tests. */
    byte[] text() {
        return Arrays.copyOf(buffer, length);
    }
}
