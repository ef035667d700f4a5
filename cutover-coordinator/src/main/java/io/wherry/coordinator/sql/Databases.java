package io.wherry.coordinator.sql;

import io.wherry.contract.config.Endpoint;
import io.wherry.contract.config.Flow;
import io.wherry.contract.postgres.Sessions;
import java.sql.Connection;
import java.sql.SQLException;
import java.util.Optional;
import java.util.Set;

/** Sessions for scripts, and endpoints beside the configured ones. */
public final class Databases {
    /** Prefix of the purpose of each session that changes anything on the target except the journal. */
    public static final String CHANGES = "change ";

    private Databases() {}

    /** A session whose statements go to the server unchanged, several in one text, by the simple query protocol. */
    public static Connection openForScripts(Flow flow, Endpoint endpoint, String purpose) throws SQLException {
        return Sessions.openForScripts(flow.migration(), endpoint, CHANGES + purpose);
    }

    /**
     * A session for scripts that create extensions, like a new psql session on a restored database: its {@code search_path} is the
     * setting of the source's database.
     */
    public static Connection openForSchema(Flow flow, Endpoint endpoint, String purpose) throws SQLException {
        try (Connection source = Sessions.open(flow.migration(), flow.from(), purpose)) {
            String reset = searchPath(source).orElse("");
            return Sessions.openForSchema(flow.migration(), endpoint, CHANGES + purpose, reset);
        }
    }

    /** The database's own setting of search_path, for all roles. */
    public static Optional<String> searchPath(Connection connection) throws SQLException {
        return Queries.string(connection, """
                SELECT substr(setting, length('search_path=') + 1) FROM pg_db_role_setting s JOIN pg_database d ON d.oid = s.setdatabase,
                       unnest(s.setconfig) AS setting
                 WHERE d.datname = current_database() AND s.setrole = 0 AND setting LIKE 'search\\_path=%'
                """);
    }

    /** Another database of the same server. */
    public static Endpoint sibling(Endpoint endpoint, String database) {
        return new Endpoint(endpoint.server().url(database), endpoint.user(), endpoint.password());
    }

    /** Names of all settings that the server knows. */
    public static Set<String> settings(Connection connection) throws SQLException {
        return Set.copyOf(Queries.strings(connection, "SELECT name FROM pg_catalog.pg_settings"));
    }
}
