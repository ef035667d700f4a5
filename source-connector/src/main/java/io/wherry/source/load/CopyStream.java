package io.wherry.source.load;

import java.io.IOException;
import java.lang.reflect.Field;
import java.nio.charset.StandardCharsets;
import java.sql.Connection;
import java.sql.SQLException;
import org.postgresql.core.BaseConnection;
import org.postgresql.core.PGStream;
import org.postgresql.core.QueryExecutorBase;
import org.postgresql.util.PSQLException;
import org.postgresql.util.PSQLState;
import org.postgresql.util.ServerErrorMessage;

/**
 * Reads the bytes of {@code COPY … TO STDOUT} into a buffer of the caller's size. The driver's own COPY returns each row as one
 * array, and a row may have a gigabyte. This class reads the same messages from the driver's stream (PostgreSQL documentation,
 * "Message Formats"), independent of the ends of rows. The session must not be used otherwise until the end is read.
 */
public final class CopyStream {
    /** The driver's field that holds its stream; a contract test checks it. */
    public static final String STREAM_FIELD = "pgStream";

    private final PGStream stream;
    private int left;
    private boolean ended;
    private long rows;

    /** Sends the statement. */
    CopyStream(Connection session, String copy) throws SQLException, IOException {
        stream = stream(session);
        byte[] sql = copy.getBytes(StandardCharsets.UTF_8);
        stream.sendChar('Q');
        stream.sendInteger4(4 + sql.length + 1);
        stream.send(sql);
        stream.sendChar(0);
        stream.flush();
    }

    /**
     * Fills the buffer, unless the stream ends before.
     *
     * @return number of bytes read; less than the length of the buffer only at the end, and then 0
     * @throws SQLException when the server aborts the COPY
     */
    int read(byte[] buffer) throws SQLException, IOException {
        int size = 0;
        while (size < buffer.length && (left > 0 || nextData())) {
            int length = Math.min(left, buffer.length - size);
            stream.receive(buffer, size, length);
            size += length;
            left -= length;
        }
        return size;
    }

    /** Number of rows by the server's count; known when the end was read. */
    long rows() {
        return rows;
    }

    /** Reads up to the next CopyData message; false at the end. */
    private boolean nextData() throws SQLException, IOException {
        PSQLException failure = null;
        while (!ended) {
            int kind = stream.receiveChar();
            int length = stream.receiveInteger4() - 4;
            switch (kind) {
                case 'd' -> {
                    left = length;
                    if (length > 0) {
                        return true;
                    }
                }
                case 'C' -> {
                    String tag = stream.receiveString(length - 1);
                    stream.receiveChar();
                    rows = Long.parseLong(tag.substring(tag.lastIndexOf(' ') + 1));
                }
                case 'E' -> failure = new PSQLException(new ServerErrorMessage(stream.receiveErrorString(length)));
                case 'Z' -> {
                    stream.skip(length);
                    ended = true;
                }
                case 'H', 'c', 'N', 'S', 'A' -> stream.skip(length);
                default ->
                    throw new PSQLException(
                            "unexpected message '" + (char) kind + "' within COPY", PSQLState.PROTOCOL_VIOLATION);
            }
        }
        if (failure != null) {
            throw failure;
        }
        return false;
    }

    private static PGStream stream(Connection session) throws SQLException {
        try {
            Field field = QueryExecutorBase.class.getDeclaredField(STREAM_FIELD);
            field.setAccessible(true);
            return (PGStream) field.get(session.unwrap(BaseConnection.class).getQueryExecutor());
        } catch (ReflectiveOperationException e) {
            throw new IllegalStateException("this version of pgjdbc keeps its stream elsewhere", e);
        }
    }
}
