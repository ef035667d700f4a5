package io.wherry.coordinator.sql;

import io.wherry.contract.name.Identifiers;
import java.sql.Connection;
import java.sql.SQLException;
import java.util.UUID;

/**
 * An empty database beside the target, for a moment. Its user holds an advisory lock on the name, in the target database. If the
 * user's process was killed, that lock is free, and the next user drops the database.
 */
public final class ScratchDatabase implements AutoCloseable {
    // The name contains the target's: advisory locks belong to one database, so the lock of another target's
    // scratch database would seem free here.
    private static final String LEFT = """
            SELECT datname FROM (SELECT datname FROM pg_catalog.pg_database
                                  WHERE pg_catalog.starts_with(datname::text, ?) OFFSET 0) AS scratch
             WHERE pg_catalog.pg_try_advisory_lock(pg_catalog.hashtext(datname::text))
            """;
    private static final String UNLOCK = "SELECT pg_catalog.pg_advisory_unlock(pg_catalog.hashtext(?))";

    private final Connection target;
    private final String name;

    /** @throws SQLException when the role may not create databases, or the server has no room */
    public ScratchDatabase(Connection target) throws SQLException {
        this.target = target;
        String prefix = prefix(target);
        for (String left : Queries.strings(target, LEFT, prefix)) {
            Queries.execute(target, "DROP DATABASE IF EXISTS " + Identifiers.quote(left));
            Queries.truth(target, UNLOCK, left);
        }
        name = prefix + UUID.randomUUID().toString().replace("-", "");
        String encoding = Queries.string(target, "SELECT pg_catalog.current_setting('server_encoding')")
                .orElseThrow();
        // The lock comes first: a process that sees the database must see that the database is in use.
        Queries.truth(target, "SELECT pg_catalog.pg_try_advisory_lock(pg_catalog.hashtext(?))", name);
        Queries.execute(
                target,
                "CREATE DATABASE " + Identifiers.quote(name) + " TEMPLATE template0 ENCODING "
                        + Identifiers.literal(encoding));
    }

    private static String prefix(Connection target) throws SQLException {
        return Queries.string(
                        target,
                        "SELECT 'wherry_scratch_' || oid || '_' FROM pg_catalog.pg_database"
                                + " WHERE datname = pg_catalog.current_database()")
                .orElseThrow();
    }

    public String name() {
        return name;
    }

    @Override
    public void close() throws SQLException {
        Queries.execute(target, "DROP DATABASE IF EXISTS " + Identifiers.quote(name));
        Queries.truth(target, UNLOCK, name);
    }
}
