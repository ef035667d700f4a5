package io.wherry.coordinator.carry;

import io.wherry.contract.config.Flow;
import io.wherry.contract.name.Identifiers;
import io.wherry.contract.name.TableId;
import io.wherry.coordinator.row.DataComparison.TableResult;
import io.wherry.coordinator.sql.Databases;
import io.wherry.coordinator.sql.Opening;
import io.wherry.coordinator.sql.Queries;
import io.wherry.coordinator.sql.RoleMap;
import java.sql.Connection;
import java.sql.PreparedStatement;
import java.sql.ResultSet;
import java.sql.SQLException;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.TreeSet;
import java.util.stream.Collectors;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Carries large objects: number, content, owner, grants and comment. The server leaves large objects out of logical decoding, so
 * all of them are compared, and those that differ are copied: once when the tables are loaded, and again behind the fence, where
 * nothing changes any more. The source's object replaces one that differs; an object that the source no longer has is removed.
 */
public final class LargeObjects {
    /** The table under which a comparison reports large objects. */
    static final TableId TABLE = new TableId("pg_catalog", "pg_largeobject");

    private static final Logger LOG = LoggerFactory.getLogger(LargeObjects.class);
    private static final int PIECE_BYTES = 1 << 20;
    private static final int FETCHED_ROWS = 200;
    private static final int NAMED = 10;
    private static final long COMMIT_BYTES = 64L << 20;
    private static final int COMMIT_OBJECTS = 500;

    // The subquery reads the first piece once for both of its uses. Grants as "privilege grantable role", without a
    // role for PUBLIC.
    private static final String OBJECTS = """
            SELECT m.oid::bigint, pg_get_userbyid(m.lomowner), obj_description(m.oid, 'pg_largeobject'),
                   CASE WHEN m.lomacl IS NOT NULL THEN
                       ARRAY(SELECT concat_ws(' ', g.privilege_type, g.is_grantable::text,
                                              CASE WHEN g.grantee = 0 THEN '' ELSE pg_get_userbyid(g.grantee) END)
                               FROM aclexplode(m.lomacl) AS g) END,
                   octet_length(piece.data), md5(piece.data)
              FROM pg_largeobject_metadata m, LATERAL (SELECT lo_get(m.oid, 0, %d) AS data OFFSET 0) AS piece
             ORDER BY m.oid
            """.formatted(PIECE_BYTES);
    private static final String PIECE_HASH =
            "SELECT octet_length(piece.data), md5(piece.data) FROM (SELECT lo_get(?::oid, ?, ?) AS data OFFSET 0) AS piece";

    private final Flow flow;
    private final Opening sessions;
    private final RoleMap roles;

    public LargeObjects(Flow flow, Opening sessions) {
        this.flow = flow;
        this.sessions = sessions;
        this.roles = new RoleMap(flow.migration().roleMap());
    }

    /**
     * @param grants with names of the target's roles, sorted; null = the default grants
     * @param digests MD5 of each MiB
     */
    private record Large(long oid, String owner, String comment, List<String> grants, List<String> digests) {}

    /** An object that differs between the sides; a side is empty if the object does not exist there. */
    private record Difference(Optional<Large> source, Optional<Large> target) {
        long oid() {
            return source.or(() -> target).orElseThrow().oid();
        }
    }

    private record Compared(long ofSource, long ofTarget, List<Difference> differences) {}

    /**
     * Makes the target's large objects equal to the source's. If the work is interrupted, the objects copied so far stay. Returns
     * how many objects were copied or removed.
     */
    public int synchronize() throws SQLException {
        try (Connection source = sessions.open(flow.from(), "large objects");
                Connection target = sessions.open(flow.to(), Databases.CHANGES + "large objects")) {
            if (none(source) && none(target)) {
                return 0;
            }
            List<Difference> differences = compare(source, target).differences();
            target.setAutoCommit(false);
            long bytes = 0;
            int objects = 0;
            for (Difference difference : differences) {
                bytes += replace(source, target, difference);
                objects++;
                if (bytes >= COMMIT_BYTES || objects % COMMIT_OBJECTS == 0) {
                    target.commit();
                    bytes = 0;
                }
            }
            target.commit();
            if (objects > 0) {
                LOG.info("{} large objects copied or removed", objects);
            }
            return objects;
        }
    }

    /** Compares all large objects; empty when neither side has any. */
    public Optional<TableResult> compare() throws SQLException {
        try (Connection source = sessions.open(flow.from(), "compare");
                Connection target = sessions.open(flow.to(), "compare")) {
            if (none(source) && none(target)) {
                return Optional.empty();
            }
            Compared compared = compare(source, target);
            List<String> named = compared.differences().stream()
                    .limit(NAMED)
                    .map(difference -> "(" + difference.oid() + ")")
                    .toList();
            return Optional.of(new TableResult(
                    TABLE,
                    compared.ofSource(),
                    compared.ofTarget(),
                    compared.differences().size(),
                    named,
                    ""));
        }
    }

    public static boolean none(Connection database) throws SQLException {
        return !Queries.truth(database, "SELECT EXISTS (SELECT FROM pg_catalog.pg_largeobject_metadata)");
    }

    /** Reads both sides in the order of the objects' numbers, with one object of each side in memory. */
    private Compared compare(Connection source, Connection target) throws SQLException {
        List<Difference> differences = new ArrayList<>();
        long ofSource = 0;
        long ofTarget = 0;
        try (Objects left = new Objects(source, roles);
                Objects right = new Objects(target, new RoleMap(Map.of()))) {
            Optional<Large> a = left.next();
            Optional<Large> b = right.next();
            while (a.isPresent() || b.isPresent()) {
                int order = !a.isPresent()
                        ? 1
                        : !b.isPresent()
                                ? -1
                                : Long.compare(a.get().oid(), b.get().oid());
                Optional<Large> onSource = order <= 0 ? a : Optional.empty();
                Optional<Large> onTarget = order >= 0 ? b : Optional.empty();
                if (!onSource.equals(onTarget)) {
                    differences.add(new Difference(onSource, onTarget));
                }
                if (order <= 0) {
                    ofSource++;
                    a = left.next();
                }
                if (order >= 0) {
                    ofTarget++;
                    b = right.next();
                }
            }
        }
        return new Compared(ofSource, ofTarget, differences);
    }

    /** All objects of a database, read on demand, in a transaction of one snapshot. */
    private static final class Objects implements AutoCloseable {
        private final Connection database;
        private final RoleMap roles;
        private final PreparedStatement statement;
        private final ResultSet row;

        Objects(Connection database, RoleMap roles) throws SQLException {
            this.database = database;
            this.roles = roles;
            database.setAutoCommit(false);
            Queries.execute(database, "SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY");
            statement = database.prepareStatement(OBJECTS);
            statement.setFetchSize(FETCHED_ROWS);
            row = statement.executeQuery();
        }

        Optional<Large> next() throws SQLException {
            if (!row.next()) {
                return Optional.empty();
            }
            long oid = row.getLong(1);
            List<String> digests = new ArrayList<>(List.of(row.getString(6)));
            int length = row.getInt(5);
            while (length == PIECE_BYTES) {
                length = Queries.list(
                                database,
                                piece -> {
                                    digests.add(piece.getString(2));
                                    return piece.getInt(1);
                                },
                                PIECE_HASH,
                                oid,
                                (long) digests.size() * PIECE_BYTES,
                                PIECE_BYTES)
                        .get(0);
            }
            return Optional.of(new Large(
                    oid,
                    roles.role(row.getString(2)),
                    row.getString(3),
                    row.getArray(4) == null
                            ? null
                            : grants((String[]) row.getArray(4).getArray()),
                    digests));
        }

        private List<String> grants(String[] grants) {
            return List.copyOf(Arrays.stream(grants)
                    .map(grant -> {
                        String[] parts = grant.split(" ", 3);
                        return parts[0] + " " + parts[1] + " " + (parts[2].isEmpty() ? "" : roles.role(parts[2]));
                    })
                    .collect(Collectors.toCollection(TreeSet::new)));
        }

        @Override
        public void close() throws SQLException {
            row.close();
            statement.close();
            database.rollback();
            database.setAutoCommit(true);
        }
    }

    /** Returns the bytes copied. */
    private static long replace(Connection source, Connection target, Difference difference) throws SQLException {
        long oid = difference.oid();
        if (difference.target().isPresent()) {
            Queries.number(target, "SELECT lo_unlink(?::oid)", oid);
        }
        if (difference.source().isEmpty()) {
            return 0;
        }
        Queries.number(target, "SELECT lo_create(?::oid)::bigint", oid);
        long copied = 0;
        byte[] piece;
        do {
            piece = Queries.list(
                            source, row -> row.getBytes(1), "SELECT lo_get(?::oid, ?, ?)", oid, copied, PIECE_BYTES)
                    .get(0);
            Queries.list(target, row -> true, "SELECT lo_put(?::oid, ?, ?)", oid, copied, piece);
            copied += piece.length;
        } while (piece.length == PIECE_BYTES);
        describe(target, difference.source().orElseThrow());
        return copied;
    }

    private static void describe(Connection target, Large object) throws SQLException {
        String name = "LARGE OBJECT " + object.oid();
        String owner = Identifiers.quote(object.owner());
        if (object.comment() != null) {
            Queries.execute(target, "COMMENT ON " + name + " IS " + Identifiers.literal(object.comment()));
        }
        Queries.execute(target, "ALTER " + name + " OWNER TO " + owner);
        if (object.grants() == null) {
            return;
        }
        Queries.execute(target, "REVOKE ALL ON " + name + " FROM PUBLIC, " + owner);
        for (String grant : object.grants()) {
            String[] parts = grant.split(" ", 3);
            Queries.execute(
                    target,
                    "GRANT " + parts[0] + " ON " + name + " TO "
                            + (parts[2].isEmpty() ? "PUBLIC" : Identifiers.quote(parts[2]))
                            + (parts[1].equals("true") ? " WITH GRANT OPTION" : ""));
        }
    }
}
