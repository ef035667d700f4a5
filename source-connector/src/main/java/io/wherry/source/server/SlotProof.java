package io.wherry.source.server;

import io.wherry.contract.config.CaptureGroup;
import io.wherry.contract.record.Heartbeat;
import java.sql.Connection;
import java.sql.PreparedStatement;
import java.sql.ResultSet;
import java.sql.SQLException;
import java.sql.Statement;
import java.util.HashMap;
import java.util.Map;
import java.util.TreeSet;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Whether a new slot can be decoded, and decoded correctly. The server records catalog changes only once its own snapshot for
 * decoding is complete. Counterexample: T1 truncates t, the server notes T1 as running, T1 commits, T2 starts and writes to t, the
 * slot is consistent, T2 commits. When the server decodes T2, it does not know the TRUNCATE of T1 and fails forever ("could not map
 * filenode"), whether t is published or not. If T1 had added a column, the rows of T2 would come without it.
 *
 * <p>So a slot is not used if columns of a table have changed meanwhile. If only files have changed, or tables were created, the
 * slot is decoded once as a trial, up to the end of every transaction that could be such a T2. Without the trial, tables that are
 * truncated every few seconds would prevent the slot forever.
 */
public final class SlotProof {
    private static final Logger LOG = LoggerFactory.getLogger(SlotProof.class);
    private static final String SHAPES = """
            SELECT c.oid::bigint, c.relfilenode::bigint,
                   pg_catalog.md5(pg_catalog.concat_ws(' ', c.relreplident, pg_catalog.string_agg(pg_catalog.concat_ws(' ', a.attnum,
                       a.atttypid, a.attisdropped, a.attname), ',' ORDER BY a.attnum)))
              FROM pg_catalog.pg_class c JOIN pg_catalog.pg_attribute a ON a.attrelid = c.oid
             WHERE c.relkind = 'r' AND c.relpersistence = 'p' AND a.attnum > 0
             GROUP BY c.oid, c.relfilenode, c.relreplident
            """;

    private static final String NAME = "SELECT ?::oid::regclass::text";
    private static final String PEEK = "SELECT count(*) FROM pg_catalog.pg_logical_slot_peek_binary_changes(?,"
            + " pg_catalog.pg_current_wal_flush_lsn(), NULL, 'proto_version', '1', 'publication_names', ?)";

    private record Shape(long file, String columns) {}

    private final Map<Long, Shape> before;

    private SlotProof(Map<Long, Shape> before) {
        this.before = before;
    }

    /** Must be called before the slot is created. */
    public static SlotProof begin(Connection session) throws SQLException {
        return new SlotProof(shapes(session));
    }

    /**
     * Why the slot must not be used; empty = it can be used.
     *
     * @param anchor a session in the snapshot of the slot
     */
    public String problem(CaptureGroup group, Connection anchor, OpenSessions sessions, TableLocks locks)
            throws SQLException {
        Map<Long, Shape> after = shapes(anchor);
        TreeSet<String> altered = new TreeSet<>();
        for (Map.Entry<Long, Shape> table : after.entrySet()) {
            Shape was = before.get(table.getKey());
            if (was != null && !was.columns().equals(table.getValue().columns())) {
                altered.add(name(anchor, table.getKey()));
            }
        }
        if (!altered.isEmpty()) {
            return "tables were altered: " + String.join(", ", altered);
        }
        return before.equals(after) ? "" : decoded(group, sessions, locks);
    }

    private static String decoded(CaptureGroup group, OpenSessions sessions, TableLocks locks) throws SQLException {
        LOG.info(
                "tables were truncated, rewritten or created while slot {} was created; decoding the slot as a trial",
                group.slot());
        Connection session = sessions.open("slot");
        try {
            // The snapshot of the slot does not serve: it does not know transactions after the last catalog change.
            Horizon.await(session, Horizon.next(session), locks, sessions::closed);
            // Its COMMIT is in the log after those of the transactions above, and is flushed, which theirs need not be.
            Heartbeat.emit(session);
            try (PreparedStatement peek = session.prepareStatement(PEEK)) {
                peek.setString(1, group.slot());
                peek.setString(2, Publication.name(group));
                peek.executeQuery().close();
                return "";
            }
        } catch (SQLException e) {
            String state = String.valueOf(e.getSQLState());
            if (state.startsWith("08") || state.startsWith("57")) {
                throw e;
            }
            return "tables were truncated, and the slot cannot be decoded: " + e.getMessage();
        } finally {
            sessions.release(session);
        }
    }

    private static Map<Long, Shape> shapes(Connection session) throws SQLException {
        Map<Long, Shape> shapes = new HashMap<>();
        try (Statement statement = session.createStatement();
                ResultSet row = statement.executeQuery(SHAPES)) {
            while (row.next()) {
                shapes.put(row.getLong(1), new Shape(row.getLong(2), row.getString(3)));
            }
        }
        return shapes;
    }

    private static String name(Connection session, long oid) throws SQLException {
        try (PreparedStatement statement = session.prepareStatement(NAME)) {
            statement.setLong(1, oid);
            try (ResultSet row = statement.executeQuery()) {
                row.next();
                return row.getString(1);
            }
        }
    }
}
