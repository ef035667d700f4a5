package io.wherry.source.load;

import io.wherry.contract.name.TableId;
import io.wherry.source.control.ColumnNumbers;
import io.wherry.source.server.OpenSessions;
import java.sql.Connection;
import java.sql.PreparedStatement;
import java.sql.ResultSet;
import java.sql.SQLException;
import java.util.List;
import java.util.Optional;

/** Compares the present with what was read under a snapshot. Safe for use by several threads. */
final class AlterationCheck implements AutoCloseable {
    private static final String NOW = """
            SELECT pg_catalog.pg_relation_filenode(c.oid)::bigint, n.nspname, c.relname
              FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace WHERE c.oid = CAST(? AS oid)
            """;

    private final OpenSessions sessions;
    /** Sees the present, not the snapshot; opened when it is first wanted. */
    private Connection present;

    AlterationCheck(OpenSessions sessions) {
        this.sessions = sessions;
    }

    /**
     * Why what a session has read of a chunk is not what the snapshot holds; empty = it is. The session still has its lock on
     * the table that it read, so nothing changes meanwhile.
     *
     * <p>A table that was rewritten since the snapshot (ALTER TABLE, TRUNCATE) looks empty to the snapshot, and a rewrite is
     * not in the stream. And the server finds tables and columns by their present names, whatever the snapshot: when two tables
     * have swapped names, or a column was dropped and added again, rows of the one are read for those of the other.
     *
     * @param file that holds the table's rows in the snapshot
     */
    synchronized Optional<String> altered(Chunk chunk, long file, ColumnNumbers read) throws SQLException {
        boolean kept = false;
        try {
            if (present == null) {
                present = sessions.open("load check");
            }
            Optional<String> altered = altered(present, chunk, file, read);
            kept = true;
            return altered;
        } finally {
            if (!kept) {
                sessions.release(present);
                present = null;
            }
        }
    }

    private static Optional<String> altered(Connection session, Chunk chunk, long file, ColumnNumbers read)
            throws SQLException {
        try (PreparedStatement statement = session.prepareStatement(NOW)) {
            statement.setLong(1, chunk.oid());
            try (ResultSet row = statement.executeQuery()) {
                if (!row.next() || file != row.getLong(1)) {
                    return Optional.of("rewritten since the snapshot");
                }
                if (!chunk.reads().equals(new TableId(row.getString(2), row.getString(3)))) {
                    return Optional.of("another table has the name " + chunk.reads() + " now");
                }
            }
        }
        long oid = chunk.table().oid();
        return read.contradiction(ColumnNumbers.read(session, List.of(oid)).getOrDefault(oid, ColumnNumbers.NONE));
    }

    @Override
    public synchronized void close() {
        sessions.release(present);
    }
}
