package io.wherry.coordinator;

import io.wherry.contract.Endpoint;
import io.wherry.contract.Migration;
import io.wherry.contract.Sessions;
import java.sql.Connection;
import java.sql.SQLException;
import java.util.Set;

/** Sessions for scripts, and endpoints beside the configured ones. */
final class Databases {
    /** Begins the purpose of each session that changes the target but for the journal. */
    static final String CHANGES = "change ";

    private Databases() {}

    /** A session whose statements go to the server as they are, several in one text, by the simple query protocol. */
    static Connection openForScripts(Migration migration, Endpoint endpoint, String purpose) throws SQLException {
        return Sessions.openForScripts(migration, endpoint, CHANGES + purpose);
    }

    /** Another database of the same server. */
    static Endpoint sibling(Endpoint endpoint, String database) {
        return new Endpoint(endpoint.server().url(database), endpoint.user(), endpoint.password());
    }

    /** Names of all settings that the server knows. */
    static Set<String> settings(Connection connection) throws SQLException {
        return Set.copyOf(Queries.strings(connection, "SELECT name FROM pg_catalog.pg_settings"));
    }
}
