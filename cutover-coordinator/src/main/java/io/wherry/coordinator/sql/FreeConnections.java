package io.wherry.coordinator.sql;

import java.sql.Connection;
import java.sql.SQLException;

/** How many sessions a server still takes. */
public final class FreeConnections {
    // Without the right to see other roles' sessions, backend_type is NULL: those sessions count as clients.
    private static final String FREE = """
            WITH clients AS (SELECT datname FROM pg_catalog.pg_stat_activity
                              WHERE coalesce(backend_type, 'client backend') = 'client backend')
            SELECT least(
                (SELECT sum(CASE WHEN name = 'max_connections' THEN setting::int ELSE -setting::int END)
                   FROM pg_catalog.pg_settings
                  WHERE name IN ('max_connections', 'superuser_reserved_connections', 'reserved_connections'))
                    - (SELECT count(*) FROM clients),
                (SELECT CASE WHEN datconnlimit >= 0
                             THEN datconnlimit - (SELECT count(*) FROM clients WHERE datname = current_database()) END
                   FROM pg_catalog.pg_database WHERE datname = current_database()))
            """;

    private FreeConnections() {}

    /**
     * Sessions that clients without special rights can still open in the session's database, by the limits of the server and of the
     * database. The limit of the role is not counted: an application has another role.
     */
    public static long in(Connection session) throws SQLException {
        return Queries.number(session, FREE);
    }
}
