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

/** Compares the present state of a table with what was read under a snapshot. Safe for use by several threads. */
final class AlterationCheck implements AutoCloseable {
    private static final String NOW = """
            SELECT pg_catalog.pg_relation_filenode(c.oid)::bigint, n.nspname, c.relname
              FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace WHERE c.oid = CAST(? AS oid)
            """;

    private final OpenSessions sessions;
    /** Sees the present, not the snapshot; opened when it is first needed. */
    private Connection present;

    AlterationCheck(OpenSessions sessions) {
        this.sessions = sessions;
    }

    /**
     * Why the rows that a session has read of a chunk are not those of the snapshot; empty = they are. The session still has its lock
     * on the table, so the table does not change meanwhile.
     *
     * <p>A table that was rewritten since the snapshot (ALTER TABLE, TRUNCATE) is empty in the snapshot, and a rewrite is not in the
     * stream. Also, the server finds tables and columns by their present names, independent of the snapshot. If two tables have swapped
     * names, or a column was dropped and added again, the session reads the rows of one for the other.
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
                    return Optional.of("the table was rewritten since the snapshot");
                }
                if (!chunk.reads().equals(new TableId(row.getString(2), row.getString(3)))) {
                    return Optional.of("another table now has the name " + chunk.reads());
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
