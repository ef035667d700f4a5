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
 * Reads the bytes of {@code COPY … TO STDOUT} into a buffer of the caller's size. The driver's own COPY hands out a row at a
 * time as one array, and a row may have a gigabyte; this reads the same messages from the driver's stream (PostgreSQL
 * documentation, "Message Formats"), wherever a row ends. The session must not be used otherwise until the end is read.
 */
public final class CopyStream {
    /** The driver's field that holds its stream; a contract test watches over it. */
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
     * Fills the buffer as far as the stream goes.
     *
     * @return bytes read; fewer than the buffer's length only at the end, then 0
     * @throws SQLException when the server breaks off
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

    /** Rows as the server counted them; known once the end was read. */
    long rows() {
        return rows;
    }

    /** Goes on to the next CopyData message; false at the end. */
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
