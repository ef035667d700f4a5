package io.wherry.coordinator.carry;

import io.wherry.coordinator.sql.Queries;
import io.wherry.coordinator.sql.RoleMap;
import java.sql.Connection;
import java.sql.PreparedStatement;
import java.sql.ResultSet;
import java.sql.SQLException;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Optional;
import java.util.TreeSet;
import java.util.stream.Collectors;

/** Large objects of a database in the order of their numbers, read on demand, in a transaction of one snapshot. */
final class LargeObjectReader implements AutoCloseable {
    static final int PIECE_BYTES = 1 << 20;
    private static final int FETCHED_ROWS = 200;

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
            """.formatted(PIECE_BYTES);
    private static final String ONLY = " WHERE m.oid = ANY (CAST(? AS bigint[])::oid[])";
    private static final String IN_ORDER = " ORDER BY m.oid";
    private static final String PIECE_HASH =
            "SELECT octet_length(piece.data), md5(piece.data) FROM (SELECT lo_get(?::oid, ?, ?) AS data OFFSET 0) AS piece";

    /**
     * @param grants with names of the target's roles, sorted; null = the default grants
     * @param digests MD5 of each MiB
     */
    record Large(long oid, String owner, String comment, List<String> grants, List<String> digests) {}

    private final Connection database;
    private final RoleMap roles;
    private final PreparedStatement statement;
    private final ResultSet row;

    LargeObjectReader(Connection database, RoleMap roles, Long[] only) throws SQLException {
        this.database = database;
        this.roles = roles;
        database.setAutoCommit(false);
        Queries.execute(database, "SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY");
        statement = database.prepareStatement(OBJECTS + (only == null ? "" : ONLY) + IN_ORDER);
        if (only != null) {
            statement.setArray(1, database.createArrayOf("int8", only));
        }
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
