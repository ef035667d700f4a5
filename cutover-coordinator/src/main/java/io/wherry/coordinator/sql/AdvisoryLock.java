package io.wherry.coordinator.sql;

import java.sql.Connection;
import java.sql.SQLException;

/**
 * A lock by its number, held by one session of a database at a time, and gone with that session.
 *
 * @param number any that nobody else uses
 */
public record AdvisoryLock(long number) {
    /** What follows SELECT: the session {@code a} that holds the lock with the number {@code ?} in the database of the asking session. */
    public static final String HOLDER = """
             FROM pg_catalog.pg_locks l JOIN pg_catalog.pg_stat_activity a ON a.pid = l.pid
             WHERE l.locktype = 'advisory' AND l.granted AND l.objsubid = 1
               AND l.database = (SELECT oid FROM pg_catalog.pg_database WHERE datname = current_database())
               AND l.classid::bigint << 32 | l.objid::bigint = ?
            """;

    /** Takes the lock for as long as the session lives, unless another session holds it. */
    public boolean take(Connection session) throws SQLException {
        return Queries.truth(session, "SELECT pg_try_advisory_lock(?)", number);
    }
}
