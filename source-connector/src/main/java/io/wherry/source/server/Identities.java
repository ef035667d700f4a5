package io.wherry.source.server;

import io.wherry.contract.config.CaptureGroup;
import io.wherry.contract.name.Identifiers;
import io.wherry.contract.name.TableId;
import io.wherry.contract.postgres.ReplicaIdentity;
import io.wherry.contract.postgres.ServerVersion;
import java.sql.Array;
import java.sql.Connection;
import java.sql.PreparedStatement;
import java.sql.ResultSet;
import java.sql.SQLException;
import java.util.ArrayList;
import java.util.Collection;
import java.util.List;
import java.util.Optional;

/**
 * How the source identifies the rows of a table in its write-ahead log, and whether it therefore refuses updates and deletes of a
 * published table (PostgreSQL documentation, "Replica Identity", and the messages of {@code CheckCmdReplicaIdentity}). The source
 * refuses them if the table has no identity and, from 18 on, if the identity holds a generated column that is not published.
 * Stored generated columns can be published; virtual generated columns cannot.
 */
public final class Identities {
    private static final int REFUSED_SINCE = 18;
    private static final int FILTERS_SINCE = 15;

    private static final String IDENTITIES = """
            SELECT oid, nspname, relname, relreplident, index_name, keyed, stored, virtual, other_index, primary_key
              FROM (SELECT c.oid::bigint, n.nspname, c.relname, c.relreplident::text,
                           (SELECT x.relname::text FROM pg_index i JOIN pg_class x ON x.oid = i.indexrelid
                             WHERE i.indrelid = c.oid AND i.indisreplident AND c.relreplident = 'i') AS index_name,
                           EXISTS (SELECT FROM pg_index i WHERE :identity AND :plain) AS keyed,
                           :stored AS stored, :virtual AS virtual,
                           (SELECT x.relname::text FROM pg_index i JOIN pg_class x ON x.oid = i.indexrelid
                             WHERE :refuses AND i.indrelid = c.oid AND :usable AND :plain
                             ORDER BY i.indisprimary DESC, x.relname LIMIT 1) AS other_index,
                           EXISTS (SELECT FROM pg_index i WHERE :refuses AND i.indrelid = c.oid AND i.indisvalid
                              AND :primary AND :plain) AS primary_key
                      FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
                     WHERE c.relkind = 'r' AND c.oid IN (:tables)) found
            """;

    private static final String GENERATED = "(SELECT array_agg(a.attname::text ORDER BY a.attnum) FROM pg_attribute a"
            + " WHERE a.attrelid = c.oid AND a.attnum > 0 AND a.attgenerated = '%s')";

    // With a partitioned table, its partitions are published too.
    private static final String PUBLISHED = """
            WITH RECURSIVE published(oid) AS (
                SELECT r.prrelid FROM pg_publication_rel r JOIN pg_publication p ON p.oid = r.prpubid WHERE p.pubname = ?
                UNION
                SELECT i.inhrelid FROM published p JOIN pg_class c ON c.oid = p.oid AND c.relkind = 'p'
                  JOIN pg_inherits i ON i.inhparent = p.oid)
            SELECT oid FROM published""";

    // The server records the columns that a filter uses as dependencies of the table's entry in the publication.
    private static final String FILTERED_OUTSIDE = """
            SELECT r.prrelid FROM pg_publication_rel r JOIN pg_publication p ON p.oid = r.prpubid
              JOIN pg_class c ON c.oid = r.prrelid AND c.relreplident <> 'f'
              JOIN pg_depend d ON d.classid = 'pg_publication_rel'::regclass AND d.objid = r.oid
               AND d.refclassid = 'pg_class'::regclass AND d.refobjid = c.oid AND d.refobjsubid > 0
             WHERE p.pubname = ? AND NOT EXISTS (
               SELECT FROM pg_index i WHERE :identity AND d.refobjsubid = ANY (:key_columns))""";

    private static final String WITHOUT_IDENTITY =
            " WHERE relreplident <> 'f' AND NOT keyed OR relreplident = 'f' AND (stored IS NOT NULL OR virtual IS NOT NULL)"
                    + " ORDER BY oid";

    private static final String OPTION =
            "SELECT pubgencols::text = 's' FROM pg_catalog.pg_publication WHERE pubname = ?";

    private Identities() {}

    /**
     * A table's identity.
     *
     * @param index that is the identity, for INDEX; null otherwise, or when the index was dropped
     * @param keyed whether the identity is a key without generated columns
     * @param stored generated columns that the server stores; empty before 18, where the server does not check them
     * @param virtual generated columns that the server does not store
     * @param otherIndex a unique index that can be the identity; null = none, and before 18
     * @param primaryKey whether {@code DEFAULT} is an identity without generated columns; false before 18
     */
    public record Identity(
            long oid,
            TableId id,
            ReplicaIdentity identity,
            String index,
            boolean keyed,
            List<String> stored,
            List<String> virtual,
            String otherIndex,
            boolean primaryKey) {
        /** Whether changes do not name their rows unless the identity is FULL. */
        public boolean lacksKey() {
            return identity != ReplicaIdentity.FULL && !keyed;
        }

        /** Whether all columns are the identity, or must be. */
        private boolean full() {
            return identity == ReplicaIdentity.FULL || lacksKey();
        }

        /** Whether the source refuses updates and deletes unless generated columns are published. */
        boolean needsStored() {
            return full() && !stored.isEmpty();
        }

        /** Whether the source refuses updates and deletes once the table is published, and Wherry cannot prevent this. */
        public boolean impossible() {
            return full() && !virtual.isEmpty();
        }

        /** Why the source refuses updates and deletes. */
        public String problem() {
            return "its replica identity would hold the virtual generated column "
                    + String.join(", ", virtual.stream().map(Identifiers::quote).toList())
                    + ", which the source does not publish: the source would refuse every update and delete";
        }

        /** What the operator can do. */
        public String remedy() {
            String alter = "ALTER TABLE " + id.quoted();
            if (primaryKey) {
                return alter + " REPLICA IDENTITY DEFAULT";
            }
            return otherIndex != null
                    ? alter + " REPLICA IDENTITY USING INDEX " + Identifiers.quote(otherIndex)
                    : "Give the table a key (" + alter + " ADD PRIMARY KEY (…)), drop the column, or name the table in"
                            + " tables.exclude or tables.load-only";
        }
    }

    /** The identities of the given tables; partitioned tables are left out. */
    public static List<Identity> of(Connection source, Collection<Long> oids) throws SQLException {
        try (PreparedStatement statement =
                source.prepareStatement(sql(source, "SELECT unnest(?::oid[])") + " ORDER BY oid")) {
            Array numbers = source.createArrayOf("int8", oids.toArray());
            statement.setArray(1, numbers);
            return read(statement);
        }
    }

    /** The identities of published tables, also of partitions, whose updates the source may refuse. */
    static List<Identity> suspects(Connection source, CaptureGroup group) throws SQLException {
        try (PreparedStatement statement = source.prepareStatement(sql(source, PUBLISHED) + WITHOUT_IDENTITY)) {
            statement.setString(1, group.publication());
            return read(statement).stream()
                    .filter(one -> one.lacksKey() || one.needsStored() || one.impossible())
                    .toList();
        }
    }

    /**
     * The identities of published tables whose row filter uses a column that the identity does not hold. The source refuses updates
     * and deletes of such a table. When the filter was set, the identity held the columns of the filter, but this may change.
     */
    static List<Identity> filteredOutside(Connection source, CaptureGroup group) throws SQLException {
        if (ServerVersion.major(source) < FILTERS_SINCE) {
            return List.of();
        }
        try (PreparedStatement statement = source.prepareStatement(sql(source, FILTERED_OUTSIDE) + " ORDER BY oid")) {
            statement.setString(1, group.publication());
            return read(statement);
        }
    }

    /** Whether the publication publishes stored generated columns. */
    static boolean publishesStored(Connection source, CaptureGroup group) throws SQLException {
        if (ServerVersion.major(source) < REFUSED_SINCE) {
            return false;
        }
        try (PreparedStatement statement = source.prepareStatement(OPTION)) {
            statement.setString(1, group.publication());
            try (ResultSet row = statement.executeQuery()) {
                return row.next() && row.getBoolean(1);
            }
        }
    }

    /** The identity of a table; empty when the table no longer exists. */
    static Optional<Identity> of(Connection source, long oid) throws SQLException {
        return of(source, List.of(oid)).stream().findFirst();
    }

    private static String sql(Connection source, String tables) throws SQLException {
        int major = ServerVersion.major(source);
        boolean refuses = major >= REFUSED_SINCE;
        return IDENTITIES
                .replace(":tables", tables)
                .replace(":identity", ReplicaIdentity.INDEX_OF_TABLE)
                .replace(":primary", ReplicaIdentity.PRIMARY_KEY)
                .replace(":usable", ReplicaIdentity.USABLE_INDEX)
                .replace(":plain", ReplicaIdentity.withoutGenerated(major))
                .replace(":key_columns", ReplicaIdentity.keyColumns(major))
                .replace(":stored", refuses ? GENERATED.formatted('s') : "NULL::text[]")
                .replace(":virtual", refuses ? GENERATED.formatted('v') : "NULL::text[]")
                .replace(":refuses", String.valueOf(refuses));
    }

    private static List<Identity> read(PreparedStatement statement) throws SQLException {
        List<Identity> identities = new ArrayList<>();
        try (ResultSet row = statement.executeQuery()) {
            while (row.next()) {
                identities.add(new Identity(
                        row.getLong("oid"),
                        new TableId(row.getString("nspname"), row.getString("relname")),
                        ReplicaIdentity.of(row.getString("relreplident").charAt(0)),
                        row.getString("index_name"),
                        row.getBoolean("keyed"),
                        names(row.getArray("stored")),
                        names(row.getArray("virtual")),
                        row.getString("other_index"),
                        row.getBoolean("primary_key")));
            }
        }
        return identities;
    }

    private static List<String> names(Array array) throws SQLException {
        return array == null ? List.of() : List.of((String[]) array.getArray());
    }
}
