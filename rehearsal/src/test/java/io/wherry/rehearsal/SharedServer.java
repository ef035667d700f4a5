package io.wherry.rehearsal;

import static org.assertj.core.api.Assertions.assertThat;

import io.wherry.contract.Identifiers;
import java.nio.file.Path;
import java.sql.Connection;
import java.sql.DriverManager;
import java.sql.ResultSet;
import java.sql.SQLException;
import java.sql.Statement;
import java.time.Duration;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.stream.Collectors;
import org.awaitility.Awaitility;
import org.awaitility.core.ConditionTimeoutException;

/**
 * A PostgreSQL server that one test of this JVM after another uses, for tests that neither stop a server nor give it settings at its
 * start. It does not wait for its disk: a process that is killed loses nothing by that.
 *
 * <p>Each test finds the server as {@code initdb} made it, and calls {@link #clean} at its end. Methods are for one thread at a time.
 */
public final class SharedServer {
    private static final Duration ENDS_WITHIN = Duration.ofSeconds(20);
    private static final ChildProcesses PROCESSES = new ChildProcesses();
    private static final Map<String, SharedServer> RUNNING = new HashMap<>();
    private static final String FOREIGN = "pid <> pg_backend_pid() AND backend_type IN ('client backend', 'walsender')";
    // Those that tests open themselves have another name.
    private static final String SERVICES =
            "SELECT application_name || ': ' || coalesce(query, '') FROM pg_stat_activity WHERE " + FOREIGN
                    + " AND (application_name LIKE 'wherry %' AND application_name NOT LIKE '% test'"
                    + " OR application_name = 'Debezium Streaming')";
    private static final String DATABASES = "SELECT datname FROM pg_database WHERE oid >= 16384 ORDER BY 1";
    private static final String ROLES = "SELECT rolname FROM pg_roles WHERE oid >= 16384 ORDER BY 1";
    private static final String SLOTS = "SELECT slot_name FROM pg_replication_slots ORDER BY 1";

    private final String name;
    private final EmbeddedPostgres postgres;
    // Opened before any fence, which may take LOGIN from every role but its own.
    private final Connection admin;

    private SharedServer(String side, int version) {
        name = side + " server of version " + version;
        postgres = EmbeddedPostgres.start(
                PROCESSES, version, PROCESSES.temporaryDirectory("wherry-shared-" + side), Map.of("fsync", "off"));
        try {
            admin = open("postgres");
        } catch (SQLException e) {
            throw new ServerException("Cannot open the shared " + name + ": " + e.getMessage(), e);
        }
    }

    /** The one that takes the part of the source; started when the first test asks for it. */
    public static SharedServer source(int version) {
        return of("source", version);
    }

    /** The one that takes the part of the target; started when the first test asks for it. */
    public static SharedServer target(int version) {
        return of("target", version);
    }

    private static synchronized SharedServer of(String side, int version) {
        return RUNNING.computeIfAbsent(side + version, key -> new SharedServer(side, version));
    }

    /** A new directory, removed when this JVM ends. */
    static Path scratch() {
        return PROCESSES.temporaryDirectory("wherry-test");
    }

    public EmbeddedPostgres postgres() {
        return postgres;
    }

    /** The server, which must be clean. */
    EmbeddedPostgres take() {
        requireClean();
        return postgres;
    }

    /** Fails when the test before has left something. */
    public void requireClean() {
        Map<String, List<String>> left =
                Map.of("databases", strings(DATABASES), "roles", strings(ROLES), "slots", strings(SLOTS));
        assertThat(left)
                .as("left on the shared %s by a test before, which has not closed its fixture", name)
                .allSatisfy((kind, names) -> assertThat(names).as(kind).isEmpty());
    }

    /**
     * Removes all that a test has made.
     *
     * @param stopped whether every service was closed in order: each session of a service that is left then fails the test
     */
    public void clean(boolean stopped) {
        clean(stopped, ENDS_WITHIN);
    }

    /** @param limit that sessions of closed services have to end */
    void clean(boolean stopped, Duration limit) {
        List<String> sessions = stopped ? sessionsLeft(limit) : List.of();
        try {
            execute(admin, "ALTER SYSTEM RESET ALL", "SELECT pg_reload_conf()");
            rollBackPrepared();
            execute(admin, "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE " + FOREIGN);
            dropSubscriptions();
            dropSlots();
            for (String database : strings(DATABASES)) {
                drop(database);
            }
            String roles = strings(ROLES).stream().map(Identifiers::quote).collect(Collectors.joining(", "));
            if (!roles.isEmpty()) {
                execute(admin, "DROP OWNED BY " + roles + " CASCADE", "DROP ROLE " + roles);
            }
            execute(
                    admin,
                    "SELECT pg_replication_origin_drop(roname) FROM pg_replication_origin",
                    "ALTER ROLE ALL RESET ALL",
                    "ALTER ROLE postgres RESET ALL",
                    "ALTER ROLE postgres LOGIN");
        } catch (SQLException e) {
            throw new AssertionError("The shared " + name + " cannot be cleaned: " + e.getMessage(), e);
        }
        assertThat(sessions)
                .as("sessions that closed services left on the shared %s", name)
                .isEmpty();
    }

    private List<String> sessionsLeft(Duration limit) {
        try {
            awaitNone(SERVICES, limit);
            return List.of();
        } catch (ConditionTimeoutException e) {
            return strings(SERVICES);
        }
    }

    private void rollBackPrepared() throws SQLException {
        for (String database : strings("SELECT DISTINCT database FROM pg_prepared_xacts")) {
            try (Connection connection = open(database)) {
                for (String gid : strings(
                        "SELECT gid FROM pg_prepared_xacts WHERE database = " + Identifiers.literal(database))) {
                    execute(connection, "ROLLBACK PREPARED " + Identifiers.literal(gid));
                }
            }
        }
    }

    /** A database that has one cannot be dropped. */
    private void dropSubscriptions() throws SQLException {
        String databases = "SELECT DISTINCT datname FROM pg_subscription JOIN pg_database d ON d.oid = subdbid";
        for (String database : strings(databases)) {
            try (Connection connection = open(database)) {
                String own = "SELECT subname FROM pg_subscription JOIN pg_database d ON d.oid = subdbid AND datname = ";
                for (String subscription : strings(own + Identifiers.literal(database))) {
                    String alter = "ALTER SUBSCRIPTION " + Identifiers.quote(subscription);
                    execute(
                            connection,
                            alter + " DISABLE",
                            alter + " SET (slot_name = NONE)",
                            "DROP SUBSCRIPTION " + Identifiers.quote(subscription));
                }
            }
        }
    }

    /** A walsender that was told to end still holds its slot for a moment. */
    private void dropSlots() throws SQLException {
        awaitNone("SELECT slot_name FROM pg_replication_slots WHERE active");
        execute(admin, "SELECT pg_drop_replication_slot(slot_name) FROM pg_replication_slots");
    }

    private void drop(String database) throws SQLException {
        awaitNone("SELECT pid FROM pg_stat_activity WHERE " + FOREIGN + " AND datname = "
                + Identifiers.literal(database));
        execute(admin, "DROP DATABASE " + Identifiers.quote(database));
    }

    private void awaitNone(String sql) {
        awaitNone(sql, ENDS_WITHIN);
    }

    private void awaitNone(String sql, Duration limit) {
        Awaitility.await(sql)
                .atMost(limit)
                .pollInterval(Duration.ofMillis(20))
                .until(() -> strings(sql), List::isEmpty);
    }

    private Connection open(String database) throws SQLException {
        return DriverManager.getConnection(postgres.jdbcUrl(database), postgres.superuser(), postgres.password());
    }

    private List<String> strings(String sql) {
        try (Statement statement = admin.createStatement();
                ResultSet rows = statement.executeQuery(sql)) {
            List<String> result = new ArrayList<>();
            while (rows.next()) {
                result.add(rows.getString(1));
            }
            return result;
        } catch (SQLException e) {
            throw new AssertionError("ask the shared " + name + ": " + e.getMessage(), e);
        }
    }

    private static void execute(Connection connection, String... statements) throws SQLException {
        try (Statement statement = connection.createStatement()) {
            for (String sql : statements) {
                statement.execute(sql);
            }
        }
    }
}
