package io.wherry.contract;

import java.nio.charset.StandardCharsets;
import java.sql.Connection;
import java.sql.PreparedStatement;
import java.sql.ResultSet;
import java.sql.SQLException;
import java.sql.Statement;
import java.util.ArrayList;
import java.util.List;

/**
 * Which tables' replica identity the migration itself has set to FULL. Kept as the comment of our publication, so that it
 * changes in the same transaction as the table, and whoever copies or compares the source's schema can leave it out.
 *
 * @param changed in the order they were changed
 */
public record ReplicaIdentities(List<Changed> changed) {
    /** @param before {@code relreplident} as it was: {@code d} or {@code n} */
    public record Changed(TableId table, char before) {}

    public ReplicaIdentities {
        changed = List.copyOf(changed);
    }

    /** What stands at the publication; nothing when there is no publication. */
    public static ReplicaIdentities read(Connection source, Migration migration) throws SQLException {
        try (PreparedStatement statement = source.prepareStatement(
                "SELECT pg_catalog.obj_description(oid, 'pg_publication') FROM pg_catalog.pg_publication"
                        + " WHERE pubname = ?")) {
            statement.setString(1, migration.publication());
            try (ResultSet row = statement.executeQuery()) {
                String note = row.next() ? row.getString(1) : null;
                return note == null
                        ? new ReplicaIdentities(List.of())
                        : Json.read(note.getBytes(StandardCharsets.UTF_8), ReplicaIdentities.class);
            }
        }
    }

    public ReplicaIdentities with(Changed added) {
        List<Changed> all = new ArrayList<>(changed);
        all.add(added);
        return new ReplicaIdentities(all);
    }

    /** Writes the note; part of the caller's transaction. */
    public void write(Connection source, Migration migration) throws SQLException {
        String note = new String(Json.write(this), StandardCharsets.UTF_8);
        try (Statement statement = source.createStatement()) {
            statement.execute("COMMENT ON PUBLICATION " + Identifiers.quote(migration.publication()) + " IS "
                    + Identifiers.literal(note));
        }
    }

    /**
     * The statements by which a dump shows our changes, without semicolon; the server quotes the names, as it does for
     * pg_dump.
     */
    public List<String> statements(Connection source) throws SQLException {
        List<String> statements = new ArrayList<>();
        try (PreparedStatement statement = source.prepareStatement(
                "SELECT pg_catalog.format('ALTER TABLE ONLY %I.%I REPLICA IDENTITY FULL', ?::text, ?::text)")) {
            for (Changed one : changed) {
                statement.setString(1, one.table().schema());
                statement.setString(2, one.table().table());
                try (ResultSet row = statement.executeQuery()) {
                    row.next();
                    statements.add(row.getString(1));
                }
            }
        }
        return statements;
    }
}
