package io.wherry.source.server;

import io.wherry.contract.config.Migration;
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
 * Whether a slot that was just made can be decoded, and rightly. The server takes note of catalog changes only once its own snapshot
 * for decoding is complete: T1 truncates t, the server notes T1 as running, T1 commits, T2 begins and writes to t, the slot is
 * consistent, T2 commits. Decoding T2, the server does not know of T1's TRUNCATE and fails for ever ("could not map
 * filenode"), whether t is published or not; had T1 added a column, T2's rows would come without it.
 *
 * <p>So a slot is not used when columns of a table changed meanwhile. When only files did, or tables were made, whoever can be such a
 * T2 is waited for, and the slot is decoded up to there, for a try: tables that are truncated every few seconds would hold up
 * the slot for ever otherwise.
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

    /** To be called before the slot is made. */
    public static SlotProof begin(Connection session) throws SQLException {
        return new SlotProof(shapes(session));
    }

    /**
     * Why the slot must not be used; empty = it can be.
     *
     * @param anchor sees the slot's snapshot
     */
    public String problem(Migration migration, Connection anchor, OpenSessions sessions, TableLocks locks)
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
        return before.equals(after) ? "" : decoded(migration, sessions, locks);
    }

    private static String decoded(Migration migration, OpenSessions sessions, TableLocks locks) throws SQLException {
        LOG.info(
                "tables were truncated, rewritten or made while slot {} was made; decoding it for a try",
                migration.slot());
        Connection session = sessions.open("slot");
        try {
            // Not by the slot's snapshot: that knows of no transaction behind the last that has changed the catalog.
            Horizon.await(session, Horizon.next(session), locks, sessions::closed);
            // Its commit is in the log after those that were waited for, and it is flushed, as theirs need not be.
            Heartbeat.emit(session);
            try (PreparedStatement peek = session.prepareStatement(PEEK)) {
                peek.setString(1, migration.slot());
                peek.setString(2, Publication.name(migration));
                peek.executeQuery().close();
                return "";
            }
        } catch (SQLException e) {
            String state = String.valueOf(e.getSQLState());
            if (state.startsWith("08") || state.startsWith("57")) {
                throw e;
            }
            return "tables were truncated, and it cannot be decoded: " + e.getMessage();
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
