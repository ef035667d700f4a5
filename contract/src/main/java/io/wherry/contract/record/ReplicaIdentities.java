package io.wherry.contract.record;

import io.wherry.contract.config.Flow;
import io.wherry.contract.name.Identifiers;
import io.wherry.contract.name.TableId;
import java.nio.charset.StandardCharsets;
import java.sql.Array;
import java.sql.Connection;
import java.sql.PreparedStatement;
import java.sql.ResultSet;
import java.sql.SQLException;
import java.sql.Statement;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.List;
import java.util.Set;
import java.util.function.Function;

/**
 * The tables whose replica identity the migration itself has set to FULL. They are stored in the comment of Wherry's publication.
 * So the note changes in the same transaction as the table, and code that copies or compares the source's schema can leave this
 * change out.
 *
 * @param changed in the order they were changed
 */
public record ReplicaIdentities(List<Changed> changed) {
    /**
     * @param before the earlier {@code relreplident}: {@code d}, {@code n} or {@code i}
     * @param index that was the identity, for {@code i}; null when it was dropped
     * @param oid of the table, as the table may be renamed
     */
    public record Changed(TableId table, char before, String index, long oid) {}

    // Changes that are still in effect: a table that was dropped, or has got another identity since, is left alone.
    private static final String CHANGED = """
            SELECT format('ALTER TABLE ONLY %I.%I REPLICA IDENTITY FULL', n.nspname, c.relname),
                   format('ALTER TABLE ONLY %I.%I REPLICA IDENTITY %s', n.nspname, c.relname,
                       CASE WHEN one.before = 'n' THEN 'NOTHING'
                            WHEN x.relname IS NOT NULL THEN format('USING INDEX %I', x.relname) ELSE 'DEFAULT' END),
                   format('%I.%I', n.nspname, c.relname), quote_ident(x.relname)
              FROM unnest(?::text[], ?::text[], ?::int8[]) WITH ORDINALITY AS one(before, index, oid, position)
              JOIN pg_class c ON c.oid = one.oid::oid AND c.relreplident = 'f'
              JOIN pg_namespace n ON n.oid = c.relnamespace
              LEFT JOIN (pg_index i JOIN pg_class x ON x.oid = i.indexrelid)
                ON i.indrelid = c.oid AND i.indisvalid AND one.before = 'i' AND x.relname = one.index
             ORDER BY one.position
            """;

    public ReplicaIdentities {
        changed = List.copyOf(changed);
    }

    /** The note for all groups is at the publication of the first one. */
    private static String publication(Flow flow) {
        return flow.groups().get(0).publication();
    }

    /** What stands at the publication; nothing when there is no publication. */
    public static ReplicaIdentities read(Connection source, Flow flow) throws SQLException {
        try (PreparedStatement statement = source.prepareStatement(
                "SELECT pg_catalog.obj_description(oid, 'pg_publication') FROM pg_catalog.pg_publication"
                        + " WHERE pubname = ?")) {
            statement.setString(1, publication(flow));
            try (ResultSet row = statement.executeQuery()) {
                String note = row.next() ? row.getString(1) : null;
                return note == null
                        ? new ReplicaIdentities(List.of())
                        : Json.read(note.getBytes(StandardCharsets.UTF_8), ReplicaIdentities.class);
            }
        }
    }

    /**
     * With one more table. A table that is changed again is noted with its identity before the latest change. Tables are matched
     * by oid alone: a table that took the name of a renamed one takes nothing from its entry.
     */
    public ReplicaIdentities with(Changed added) {
        List<Changed> all = new ArrayList<>(changed);
        all.removeIf(one -> one.oid() == added.oid());
        all.add(added);
        return new ReplicaIdentities(all);
    }

    /** Without tables that have been dropped since. */
    public ReplicaIdentities present(Connection source) throws SQLException {
        Set<Long> present = new HashSet<>();
        try (PreparedStatement statement = source.prepareStatement(
                "SELECT oid::int8 FROM pg_catalog.pg_class WHERE oid = ANY (?::int8[]::oid[])")) {
            statement.setArray(1, array(source, "int8", Changed::oid));
            try (ResultSet row = statement.executeQuery()) {
                while (row.next()) {
                    present.add(row.getLong(1));
                }
            }
        }
        return new ReplicaIdentities(
                changed.stream().filter(one -> present.contains(one.oid())).toList());
    }

    /** Writes the note; part of the caller's transaction. */
    public void write(Connection source, Flow flow) throws SQLException {
        String note = new String(Json.write(this), StandardCharsets.UTF_8);
        try (Statement statement = source.createStatement()) {
            statement.execute("COMMENT ON PUBLICATION " + Identifiers.quote(publication(flow)) + " IS "
                    + Identifiers.literal(note));
        }
    }

    /**
     * What the migration did to a table that still has FULL. The server quotes the names, as it does for pg_dump.
     *
     * @param full the statement by which a dump shows FULL, without semicolon
     * @param before the statement that restores the earlier identity, without semicolon
     * @param table its quoted name
     * @param index quoted name of the index that was the identity; null = no index was, or the index was dropped
     */
    public record Former(String full, String before, String table, String index) {
        /** The statement that a dump would have for the identity; for the default a dump has none. */
        public List<String> ofTable() {
            return before.endsWith(" REPLICA IDENTITY NOTHING") ? List.of(before) : List.of();
        }

        /** Whether a statement of a dump creates the index that was the identity. */
        public boolean madeBy(String statement) {
            return index != null
                    && (statement.startsWith("CREATE UNIQUE INDEX " + index + " ON " + table + " ")
                            || statement.startsWith(
                                    "ALTER TABLE ONLY " + table + "\n    ADD CONSTRAINT " + index + " "));
        }
    }

    /** All tables whose FULL is still in effect. */
    public List<Former> formers(Connection source) throws SQLException {
        List<Former> formers = new ArrayList<>();
        if (changed.isEmpty()) {
            return formers;
        }
        try (PreparedStatement statement = source.prepareStatement(CHANGED)) {
            statement.setArray(1, array(source, "text", one -> String.valueOf(one.before())));
            statement.setArray(2, array(source, "text", Changed::index));
            statement.setArray(3, array(source, "int8", Changed::oid));
            try (ResultSet row = statement.executeQuery()) {
                while (row.next()) {
                    formers.add(new Former(row.getString(1), row.getString(2), row.getString(3), row.getString(4)));
                }
            }
        }
        return formers;
    }

    private Array array(Connection source, String type, Function<Changed, ?> part) throws SQLException {
        return source.createArrayOf(type, changed.stream().map(part).toArray());
    }
}
