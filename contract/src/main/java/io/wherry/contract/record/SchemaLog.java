package io.wherry.contract.record;

import java.nio.charset.StandardCharsets;
import java.sql.Connection;
import java.sql.PreparedStatement;
import java.sql.ResultSet;
import java.sql.SQLException;
import java.sql.Statement;
import java.util.ArrayList;
import java.util.List;

/**
 * The events of the target's schema that are not in the control topic yet: {@code wherry.schema_event}. An event is written in the
 * transaction that changes the schema, so neither is without the other. The coordinator then brings it to the topic.
 *
 * <p>The ids rise in the order of the commits, and events come to the topic in that order, at least once. A reader
 * that finds an id again with the same event has seen it; with another event, it drops the events from that id on. A target that comes back without its last commits has lost its last
 * ids together with what these events did, and the ids are used again for what is done next.
 */
public final class SchemaLog {
    /** The table. */
    private static final String TABLE = "wherry.schema_event";

    private static final String EXISTS = "SELECT pg_catalog.to_regclass('" + TABLE + "') IS NOT NULL";
    private static final String APPEND = "INSERT INTO " + TABLE + " (event) VALUES (?)";
    private static final String WAITING = "SELECT id, event FROM " + TABLE + " ORDER BY id LIMIT 100";
    private static final String SENT = "DELETE FROM " + TABLE + " WHERE id = ?";

    private SchemaLog() {}

    /** An event with its id. */
    public record Entry(long id, SchemaEvent event) {}

    /**
     * Writes an event, as the last statement of the caller's transaction: until its end, no other event is written. Writes nothing
     * on a target that an earlier version of Wherry has prepared; a rebuild then says that events are missing.
     */
    public static void append(Connection target, SchemaEvent event) throws SQLException {
        if (!exists(target)) {
            return;
        }
        try (Statement statement = target.createStatement()) {
            // Otherwise an event could be committed after one with a higher id, and be taken for its repetition.
            statement.execute("LOCK TABLE " + TABLE + " IN SHARE ROW EXCLUSIVE MODE");
        }
        try (PreparedStatement statement = target.prepareStatement(APPEND)) {
            statement.setString(1, new String(Json.write(event), StandardCharsets.UTF_8));
            statement.executeUpdate();
        }
    }

    /** The first events that are not in the control topic yet, in their order. */
    public static List<Entry> waiting(Connection target) throws SQLException {
        List<Entry> entries = new ArrayList<>();
        if (exists(target)) {
            try (Statement statement = target.createStatement();
                    ResultSet row = statement.executeQuery(WAITING)) {
                while (row.next()) {
                    byte[] event = row.getString(2).getBytes(StandardCharsets.UTF_8);
                    entries.add(new Entry(row.getLong(1), Json.read(event, SchemaEvent.class)));
                }
            }
        }
        return entries;
    }

    /** The event is in the control topic. */
    public static void sent(Connection target, long id) throws SQLException {
        try (PreparedStatement statement = target.prepareStatement(SENT)) {
            statement.setLong(1, id);
            statement.executeUpdate();
        }
    }

    /** Whether the target keeps events: it was prepared by this version or a later one. */
    public static boolean exists(Connection target) throws SQLException {
        try (Statement statement = target.createStatement();
                ResultSet row = statement.executeQuery(EXISTS)) {
            row.next();
            return row.getBoolean(1);
        }
    }
}
