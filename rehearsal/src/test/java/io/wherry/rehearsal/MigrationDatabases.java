package io.wherry.rehearsal;

import static org.assertj.core.api.Assertions.assertThat;
import static org.awaitility.Awaitility.await;

import io.wherry.contract.Endpoint;
import io.wherry.contract.Identifiers;
import io.wherry.contract.KafkaClients;
import io.wherry.contract.Migration;
import io.wherry.contract.MigrationFile;
import io.wherry.contract.Sessions;
import io.wherry.coordinator.PostgresTools;
import io.wherry.coordinator.State;
import java.io.IOException;
import java.io.InputStream;
import java.io.UncheckedIOException;
import java.net.URLEncoder;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.sql.Connection;
import java.sql.DriverManager;
import java.sql.ResultSet;
import java.sql.SQLException;
import java.sql.Statement;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import org.apache.kafka.clients.admin.Admin;
import org.apache.kafka.common.quota.ClientQuotaAlteration;
import org.apache.kafka.common.quota.ClientQuotaEntity;

/** The two databases of a migration and its file, with what a test asks of them and changes in them. */
abstract class MigrationDatabases {
    /** More of it, for a busy machine: {@code -Dwherry.patience=30}, in minutes. */
    static final Duration PATIENCE = Duration.ofMinutes(Integer.getInteger("wherry.patience", 4));

    final String name;
    final Path directory;
    private final ServerPair servers;
    private final boolean ownsServers;
    private final EmbeddedPostgres source;
    private final EmbeddedPostgres target;
    private final String database;
    private boolean sharesBroker;

    MigrationDatabases(String name, ServerPair servers, String database, boolean ownsServers) {
        this.name = name;
        this.database = database;
        this.servers = servers;
        this.ownsServers = ownsServers;
        directory = servers.scratch();
        source = servers.source();
        target = servers.target();
        servers.create(database);
    }

    String database() {
        return database;
    }

    EmbeddedPostgres source() {
        return source;
    }

    EmbeddedPostgres target() {
        return target;
    }

    void fillWithSample(long rows) {
        RehearsalDatabase.fill(source, database, Optional.empty(), rows, PostgresTools.locate(10));
    }

    /** Writes the migration's file; {@code more} are further lines of YAML. */
    Path file(String more) {
        sharesBroker = true;
        String text = """
                name: %s
                source: {url: "%s", user: wherry, password: rehearsal}
                target: {url: "%s", user: wherry, password: rehearsal}
                kafka: %s
                registry: {url: "%s"}
                load: {readers: 2}
                apply: {workers: 2}
                cutover: {max-lag: 20s, stable-for: 2s, max-downtime: 2m}
                http: {listen: "127.0.0.1:%d"}
                %s
                """.formatted(
                        name,
                        source.jdbcUrl(database),
                        target.jdbcUrl(database),
                        SharedBroker.yaml(),
                        SharedBroker.registryUrl(),
                        FreePorts.next(),
                        more);
        try {
            return Files.writeString(directory.resolve("m.yaml"), text);
        } catch (IOException e) {
            throw new IllegalStateException(e);
        }
    }

    Migration migration() {
        Path file = directory.resolve("m.yaml");
        return MigrationFile.read(Files.exists(file) ? file : file(""));
    }

    /** As when the network between a service that hangs and the server breaks: the session ends, the process does not know. */
    void endLockSession(Endpoint server, String purpose) throws SQLException {
        execute(
                server,
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'wherry " + name + " "
                        + purpose + "' AND pid IN (SELECT pid FROM pg_locks WHERE locktype = 'advisory' AND granted)");
    }

    /** Changes a line of the migration's file. */
    void configure(String from, String to) {
        Path file = directory.resolve("m.yaml");
        try {
            String text = Files.readString(file);
            assertThat(text).contains(from);
            Files.writeString(file, text.replace(from, to));
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    /** Runs SQL as the server's own superuser. */
    void executeAsSuperuser(EmbeddedPostgres server, String... statements) throws SQLException {
        try (Connection connection =
                        DriverManager.getConnection(server.jdbcUrl(database), server.superuser(), server.password());
                Statement statement = connection.createStatement()) {
            for (String sql : statements) {
                statement.execute(sql);
            }
        }
    }

    /** Bytes a second that each lane of the load may send, so that it has a middle. */
    void slowDownLoad(int lanes, double bytes) throws Exception {
        for (int lane = 0; lane < lanes; lane++) {
            limit("load-" + lane, bytes);
        }
    }

    /** @param bytes that a producer of the source-connector may send in a second; null = as many as it can */
    void limit(String producer, Double bytes) throws Exception {
        try (Admin admin = KafkaClients.admin(migration())) {
            ClientQuotaEntity who =
                    new ClientQuotaEntity(Map.of(ClientQuotaEntity.CLIENT_ID, "wherry-" + name + "-" + producer));
            admin.alterClientQuotas(List.of(new ClientQuotaAlteration(
                            who, List.of(new ClientQuotaAlteration.Op("producer_byte_rate", bytes)))))
                    .all()
                    .get();
        }
    }

    long number(Endpoint endpoint, String sql) {
        try (Connection connection = Sessions.open(migration(), endpoint, "test");
                Statement statement = connection.createStatement();
                ResultSet row = statement.executeQuery(sql)) {
            row.next();
            return row.getLong(1);
        } catch (SQLException e) {
            throw new IllegalStateException(sql + ": " + e.getMessage(), e);
        }
    }

    String text(Endpoint endpoint, String sql) {
        try (Connection connection = Sessions.open(migration(), endpoint, "test");
                Statement statement = connection.createStatement();
                ResultSet row = statement.executeQuery(sql)) {
            row.next();
            return row.getString(1);
        } catch (SQLException e) {
            throw new IllegalStateException(sql + ": " + e.getMessage(), e);
        }
    }

    /** Number from the target, or -1 while what it asks about is not there yet. */
    long numberFromTarget(String sql) {
        try {
            return number(migration().target(), sql);
        } catch (IllegalStateException e) {
            return -1;
        }
    }

    /** Whether the journal's last row says so. */
    boolean isIn(State state) {
        return numberFromTarget("SELECT count(*) FROM (SELECT state FROM wherry.journal ORDER BY id DESC LIMIT 1) j"
                        + " WHERE state = '" + state + "'")
                == 1;
    }

    void execute(Endpoint endpoint, String... statements) throws SQLException {
        try (Connection connection = Sessions.open(migration(), endpoint, "test");
                Statement statement = connection.createStatement()) {
            for (String sql : statements) {
                statement.execute(sql);
            }
        }
    }

    /** Runs a script on the source as psql does, which ends at the first error. */
    void psql(Path script) {
        psql(script, libpqUrl(source));
    }

    /** The same as the server's own superuser. */
    void psqlAsSuperuser(Path script) {
        psql(script, libpqUrl(source, source.superuser(), source.password()));
    }

    private void psql(Path script, String url) {
        Command.run(
                List.of(
                        PostgresTools.locate(10).psql().toString(),
                        "-Xqv",
                        "ON_ERROR_STOP=1",
                        "-d",
                        url,
                        "-f",
                        script.toString()),
                directory,
                directory.resolve("psql.log"),
                PATIENCE,
                script + " does not run");
    }

    String libpqUrl(EmbeddedPostgres server) {
        return libpqUrl(server, RehearsalDatabase.OPERATOR, RehearsalDatabase.PASSWORD);
    }

    private String libpqUrl(EmbeddedPostgres server, String user, String password) {
        return "postgresql://" + user + ":" + password + "@127.0.0.1:" + server.port() + "/"
                + URLEncoder.encode(database, StandardCharsets.UTF_8).replace("+", "%20");
    }

    /** Runs a file of SQL on the source, in schema public first; an empty line ends a transaction. */
    void executeFile(String resource) throws SQLException {
        String text;
        try (InputStream in = getClass().getResourceAsStream(resource)) {
            text = new String(in.readAllBytes(), StandardCharsets.UTF_8);
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
        List<String> transactions = new ArrayList<>(List.of("SET search_path = public"));
        transactions.addAll(List.of(text.split("\n\n+")));
        execute(migration().source(), transactions.toArray(String[]::new));
    }

    /** Waits until the source-connector follows changes: what is written from now on comes to the target as changes. */
    void awaitSlot() {
        await("slot")
                .atMost(PATIENCE)
                .until(() -> number(
                                migration().source(),
                                "SELECT count(*) FROM pg_replication_slots WHERE active AND slot_name = "
                                        + Identifiers.literal(migration().slot()))
                        == 1);
    }

    /**
     * Removes what the migration has made.
     *
     * @param stopped whether every service was closed in order
     */
    void leave(boolean stopped) {
        if (sharesBroker) {
            SharedBroker.forget(name);
        }
        servers.leave(stopped);
        if (ownsServers) {
            servers.close();
        }
    }
}
