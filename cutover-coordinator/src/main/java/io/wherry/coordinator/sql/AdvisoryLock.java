package io.wherry.coordinator.sql;

import java.sql.Connection;
import java.sql.SQLException;

/**
 * A lock by its number. One session of a database holds the lock at a time; the lock ends with that session.
 *
 * @param number any number that no other program uses
 */
public record AdvisoryLock(long number) {
    /** What follows SELECT: the session {@code a} that holds the lock with the number {@code ?} in the database of the asking session. */
    public static final String HOLDER = """
             FROM pg_catalog.pg_locks l JOIN pg_catalog.pg_stat_activity a ON a.pid = l.pid
             WHERE l.locktype = 'advisory' AND l.granted AND l.objsubid = 1
               AND l.database = (SELECT oid FROM pg_catalog.pg_database WHERE datname = current_database())
               AND l.classid::bigint << 32 | l.objid::bigint = ?
            """;

    /** Takes the lock for the life of the session, unless another session holds the lock. */
    public boolean take(Connection session) throws SQLException {
        return Queries.truth(session, "SELECT pg_try_advisory_lock(?)", number);
    }
}
