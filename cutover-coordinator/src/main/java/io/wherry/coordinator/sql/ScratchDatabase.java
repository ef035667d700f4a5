package io.wherry.coordinator.sql;

import io.wherry.contract.name.Identifiers;
import java.sql.Connection;
import java.sql.SQLException;
import java.util.UUID;

/**
 * An empty database beside the target, for a moment. One whose process was killed is dropped by the next to come: its name's
 * advisory lock, held in the target database while it is used, is free then.
 */
public final class ScratchDatabase implements AutoCloseable {
    // The name says whose target it is beside: advisory locks are a database's own, so another target's would seem free
    // here.
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
        // Before it is there: whoever sees it must see that it is used.
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
