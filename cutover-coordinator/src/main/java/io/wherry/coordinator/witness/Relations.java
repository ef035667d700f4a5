package io.wherry.coordinator.witness;

import io.wherry.contract.config.Migration.Tables;
import io.wherry.contract.name.TableId;
import io.wherry.contract.postgres.ReplicaIdentity;
import io.wherry.contract.postgres.ServerVersion;
import io.wherry.coordinator.sql.Queries;
import java.sql.Array;
import java.sql.Connection;
import java.sql.ResultSet;
import java.sql.SQLException;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.TimeUnit;

/**
 * Which table carries the rows of a relation, and which columns are its key. The catalog says so, and the catalog may be newer
 * than the message, or older: a session may not see a transaction yet that is in the stream. So the key is read only if names, types
 * and order of the columns are the same in the message and in the catalog. Counterexample: two columns of a key exchange their
 * names between the message and the look at the catalog. By names alone, the values would be exchanged.
 */
final class Relations {
    private static final long AGAIN_NANOS = TimeUnit.SECONDS.toNanos(1);

    /** The table and every table above it, lowest first. */
    private static final String TABLES = """
            WITH RECURSIVE above(member, depth) AS (
                SELECT ?::oid, 0
                UNION ALL
                SELECT i.inhparent, a.depth + 1 FROM above a JOIN pg_class c ON c.oid = a.member AND c.relispartition
                  JOIN pg_inherits i ON i.inhrelid = c.oid)
            SELECT n.nspname, c.relname, c.relreplident::text, :primary_key AS primary_key, :named_index AS named_index,
                   c.relpersistence = 't' OR n.nspname LIKE 'pg\\_%' OR n.nspname IN ('information_schema', 'wherry')
                     OR EXISTS (SELECT FROM pg_depend d WHERE d.classid = 'pg_class'::regclass AND d.objid = c.oid
                                   AND d.deptype = 'e') AS foreign_to_us,
                   ARRAY(SELECT a.attname::text :columns AND NOT :generated ORDER BY a.attnum) AS sent,
                   ARRAY(SELECT a.atttypid::bigint :columns AND NOT :generated ORDER BY a.attnum) AS types,
                   ARRAY(SELECT a.attname::text :columns ORDER BY a.attnum) AS all_columns,
                   ARRAY(SELECT a.atttypid::bigint :columns ORDER BY a.attnum) AS all_types
              FROM above JOIN pg_class c ON c.oid = above.member JOIN pg_namespace n ON n.oid = c.relnamespace
             ORDER BY above.depth
            """;

    private static final String COLUMNS =
            "FROM pg_attribute a WHERE a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped";

    /** One table of the catalog. */
    private record Found(
            TableId id, List<String> identity, List<String> primaryKey, boolean foreign, boolean sameColumns) {}

    private final Tables tables;
    private final Connection catalog;
    private final String query;
    private final Map<Integer, Relation> messages = new HashMap<>();
    private final Map<Integer, Naming> namings = new HashMap<>();
    /** Of partitions that were seen under a table that is carried whole; it remains known when the partition is gone. */
    private final Map<Integer, TableId> wholes = new HashMap<>();

    Relations(Tables tables, Connection catalog) throws SQLException {
        this.tables = tables;
        this.catalog = catalog;
        int major = ServerVersion.major(catalog);
        query = TABLES.replace(":primary_key", ReplicaIdentity.primaryKey(major))
                .replace(":named_index", ReplicaIdentity.namedIndex(major))
                .replace(":columns", COLUMNS)
                .replace(":generated", major >= ServerVersion.GENERATED_COLUMNS ? "a.attgenerated <> ''" : "false");
    }

    /** A relation message has come. */
    void described(Relation relation) throws SQLException {
        messages.put(relation.oid(), relation);
        namings.put(relation.oid(), look(relation));
    }

    /** @throws IllegalStateException when the stream has not described the relation */
    Naming of(int oid) throws SQLException {
        Naming naming = namings.get(oid);
        if (naming == null) {
            throw new IllegalStateException("the stream has not described relation " + Integer.toUnsignedLong(oid));
        }
        if (!naming.settled() && System.nanoTime() - naming.lookedAt() > AGAIN_NANOS) {
            naming = look(messages.get(oid));
            namings.put(oid, naming);
        }
        return naming;
    }

    private Naming look(Relation relation) throws SQLException {
        long now = System.nanoTime();
        List<Found> found =
                Queries.list(catalog, row -> read(row, relation), query, Integer.toUnsignedLong(relation.oid()));
        if (found.isEmpty()) {
            return unread(relation, wholes.getOrDefault(relation.oid(), relation.id()), now);
        }
        Found own = found.get(0);
        Found root = found.get(found.size() - 1);
        boolean whole = found.size() > 1 && tables.isWhole(root.id());
        if (whole) {
            wholes.put(relation.oid(), root.id());
        }
        if (!own.id().equals(relation.id()) || !own.sameColumns()) {
            return unread(relation, whole ? root.id() : relation.id(), now);
        }
        TableId carrier = whole ? root.id() : own.id();
        if (!tables.follows(carrier) || (whole ? root : own).foreign()) {
            return new Naming(null, null, true, now);
        }
        List<String> identity = whole ? root.primaryKey() : own.identity();
        // The old tuples of a table with REPLICA IDENTITY FULL hold all columns, and all are flagged.
        boolean readable = !identity.isEmpty() && relation.flagged().containsAll(identity);
        int[] places = readable
                ? identity.stream().mapToInt(relation.columns()::indexOf).toArray()
                : null;
        return new Naming(carrier, places, readable || identity.isEmpty(), now);
    }

    private Naming unread(Relation relation, TableId carrier, long now) {
        // Never by the name alone: a partition that is not selected may belong to a table that is.
        boolean ours = tables.follows(carrier) || tables.follows(relation.id());
        return new Naming(ours ? carrier : null, null, false, now);
    }

    private static Found read(ResultSet row, Relation relation) throws SQLException {
        List<String> primaryKey = names(row.getArray("primary_key"));
        List<String> namedIndex = names(row.getArray("named_index"));
        ReplicaIdentity identity =
                ReplicaIdentity.of(row.getString("relreplident").charAt(0));
        // Servers from 18 on may send stored generated columns too.
        boolean same = names(row.getArray("sent")).equals(relation.columns())
                        && numbers(row.getArray("types")).equals(relation.types())
                || names(row.getArray("all_columns")).equals(relation.columns())
                        && numbers(row.getArray("all_types")).equals(relation.types());
        return new Found(
                new TableId(row.getString(1), row.getString(2)),
                identity.columns(primaryKey, namedIndex),
                primaryKey,
                row.getBoolean("foreign_to_us"),
                same);
    }

    private static List<String> names(Array array) throws SQLException {
        return array == null ? List.of() : List.of((String[]) array.getArray());
    }

    private static List<Long> numbers(Array array) throws SQLException {
        return array == null ? List.of() : List.of((Long[]) array.getArray());
    }
}
