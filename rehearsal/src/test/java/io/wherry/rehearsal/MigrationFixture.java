package io.wherry.rehearsal;

import static org.assertj.core.api.Assertions.assertThat;
import static org.awaitility.Awaitility.await;

import io.wherry.contract.Effect;
import io.wherry.contract.Endpoint;
import io.wherry.contract.Failpoints;
import io.wherry.contract.Identifiers;
import io.wherry.contract.KafkaClients;
import io.wherry.contract.Migration;
import io.wherry.contract.MigrationFile;
import io.wherry.contract.Service;
import io.wherry.contract.Sessions;
import io.wherry.coordinator.CutoverCoordinator;
import io.wherry.coordinator.CutoverResult;
import io.wherry.coordinator.CutoverResult.Outcome;
import io.wherry.coordinator.HttpApi;
import io.wherry.coordinator.PostgresTools;
import io.wherry.coordinator.SchemaCompare;
import io.wherry.coordinator.SchemaCopy;
import io.wherry.coordinator.State;
import io.wherry.sink.SinkApplier;
import io.wherry.source.SourceConnector;
import java.io.IOException;
import java.io.InputStream;
import java.io.UncheckedIOException;
import java.net.URI;
import java.net.URLEncoder;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
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
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ConcurrentHashMap;
import org.apache.kafka.clients.admin.Admin;
import org.apache.kafka.common.quota.ClientQuotaAlteration;
import org.apache.kafka.common.quota.ClientQuotaEntity;

/** A migration between two embedded servers over the shared broker, with verbs for what happens to it. */
final class MigrationFixture implements AutoCloseable {
    /** More of it, for a busy machine: {@code -Dwherry.patience=30}, in minutes. */
    static final Duration PATIENCE = Duration.ofMinutes(Integer.getInteger("wherry.patience", 4));

    private final ServerPair servers;
    private final boolean ownsServers;
    private final Path directory;
    private final EmbeddedPostgres source;
    private final EmbeddedPostgres target;
    private final String name;
    private final String database;
    private final List<Service> services = new ArrayList<>();
    private final Map<String, Process> children = new ConcurrentHashMap<>();
    private CutoverCoordinator coordinator;
    private Traffic traffic;
    private boolean sharesBroker;
    // One that is killed leaves its sessions to the server.
    private boolean startedProcesses;

    /** A migration between the servers that all tests of this JVM share. */
    MigrationFixture(String name, int sourceVersion, int targetVersion) {
        this(name, ServerPair.shared(sourceVersion, targetVersion), name, false);
    }

    /** A migration between servers of its own, which may be stopped and configured. */
    static MigrationFixture alone(String name, int sourceVersion, int targetVersion) {
        return new MigrationFixture(name, new ServerPair(sourceVersion, targetVersion), name, true);
    }

    /** A migration of its own databases between servers that others use before and after. */
    static MigrationFixture between(ServerPair servers, String name) {
        return between(servers, name, name);
    }

    /** With databases of a name that may hold any character. */
    static MigrationFixture between(ServerPair servers, String name, String database) {
        return new MigrationFixture(name, servers, database, false);
    }

    private MigrationFixture(String name, ServerPair servers, String database, boolean ownsServers) {
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

    void keepWriting(int rate) throws SQLException {
        try (Connection owner = Sessions.open(migration(), migration().source(), "test")) {
            traffic = new Traffic(
                    () -> RehearsalDatabase.endpoint(source, database, RehearsalDatabase.APPLICATION), owner, 1, rate);
        }
        traffic.start();
    }

    long acknowledged() {
        return traffic.acknowledged();
    }

    void startSource() {
        start(new SourceConnector(migration()));
    }

    void startSink() {
        start(new SinkApplier(migration()));
    }

    void startCoordinator() {
        coordinator =
                new CutoverCoordinator(migration(), directory.resolve("state").resolve(name));
        start(coordinator);
    }

    void startAll() {
        startCoordinator();
        startSource();
        start(new SinkApplier(migration()));
    }

    private void start(Service service) {
        services.add(service);
        service.start();
    }

    /** Starts a service as a process of its own: {@code source}, {@code sink} or {@code coordinator}. */
    void startProcess(String service) {
        startProcess(service, WherryProcess.LAUNCHER_HEAP_MEBIBYTES);
    }

    void startProcess(String service, int heapMebibytes) {
        started(service, WherryProcess.start(directory.resolve(service + ".log"), heapMebibytes, arguments(service)));
    }

    /** The same, with the log that users get. */
    void startProcessAsShipped(String service) {
        started(service, WherryProcess.startAsShipped(directory.resolve(service + ".log"), arguments(service)));
    }

    /** With a cutover window of its own. */
    void startTwin(String key, String service, String maxDowntime) {
        Path file = fileWithPortOfItsOwn(key);
        try {
            Files.writeString(
                    file, Files.readString(file).replaceFirst("max-downtime: \\w+", "max-downtime: " + maxDowntime));
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
        startTwin(key, service);
    }

    private void started(String key, Process process) {
        startedProcesses = true;
        children.put(key, process);
    }

    private String[] arguments(String command) {
        return arguments(command, directory.resolve("m.yaml"));
    }

    private String[] arguments(String command, Path file) {
        return new String[] {
            command, "-f", file.toString(), "--data", directory.resolve("state").toString()
        };
    }

    /** Starts one more instance of a service as a process, known by {@code key}. */
    void startTwin(String key, String service) {
        startArmed(key, service, Optional.empty());
    }

    /** The same, but to die at a failpoint; its exit code is then {@link Failpoints#EXIT_CODE}. */
    void startArmed(String key, String service, Optional<String> failpoint) {
        started(
                key,
                WherryProcess.startArmed(
                        directory.resolve(key + ".log"), failpoint, arguments(service, fileWithPortOfItsOwn(key))));
    }

    /** Starts a service as a process of which a thread will hang. */
    void startHanging(String service, Effect place) {
        started(service, WherryProcess.startHanging(directory.resolve(service + ".log"), place, arguments(service)));
    }

    /** Two coordinators of one machine cannot listen at the same port. */
    private Path fileWithPortOfItsOwn(String key) {
        Path file = directory.resolve(key + ".yaml");
        try {
            if (!Files.exists(file)) {
                String text = Files.readString(directory.resolve("m.yaml"));
                Files.writeString(
                        file, text.replaceFirst("listen: \".*?\"", "listen: \"127.0.0.1:" + FreePorts.next() + '"'));
            }
            return file;
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    /** Asks a coordinator that was started as a process for the cutover; the answer comes when that has ended. */
    CompletableFuture<HttpResponse<String>> askForCutover(String key) {
        Migration own = MigrationFile.read(fileWithPortOfItsOwn(key));
        try {
            String token = Files.readString(
                    HttpApi.tokenFile(directory.resolve("state").resolve(name)));
            HttpRequest request = HttpRequest.newBuilder(
                            URI.create("http://127.0.0.1:" + own.http().port() + "/api/cutover"))
                    .header("Authorization", "Bearer " + token.strip())
                    .POST(HttpRequest.BodyPublishers.noBody())
                    .build();
            return HttpClient.newHttpClient().sendAsync(request, HttpResponse.BodyHandlers.ofString());
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    /** Sends a signal, such as STOP and CONT, to a process that was started here. */
    void signal(String key, String signal) {
        Command.run(
                List.of("kill", "-" + signal, Long.toString(children.get(key).pid())),
                directory,
                directory.resolve("kill.log"),
                PATIENCE,
                key + " cannot be signalled");
    }

    /** As when the network between a service that hangs and the server breaks: the session ends, the process does not know. */
    void endLockSession(Endpoint server, String purpose) throws SQLException {
        execute(
                server,
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'wherry " + name + " "
                        + purpose + "' AND pid IN (SELECT pid FROM pg_locks WHERE locktype = 'advisory' AND granted)");
    }

    boolean isAlive(String key) {
        return children.get(key).isAlive();
    }

    /** Of one that has ended. */
    int exitCode(String key) {
        return children.get(key).exitValue();
    }

    /** Runs a command to its end and returns its exit code. */
    int run(String... arguments) throws InterruptedException {
        List<String> all = new ArrayList<>(List.of(arguments));
        all.addAll(List.of(
                "-f",
                directory.resolve("m.yaml").toString(),
                "--data",
                directory.resolve("state").toString()));
        return WherryProcess.start(directory.resolve("command.log"), all.toArray(String[]::new))
                .waitFor();
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

    /** {@code kill -9}. */
    void kill(String service) {
        Process process = children.remove(service);
        assertThat(process.isAlive()).as(service + " ran until it was killed").isTrue();
        process.destroyForcibly();
        process.onExit().join();
    }

    void awaitState(State state) {
        await("state " + state)
                .atMost(PATIENCE)
                .pollInterval(Duration.ofMillis(50))
                .until(() -> {
                    for (Service service : services) {
                        if (service.done().toCompletableFuture().isCompletedExceptionally()) {
                            Services.await(service);
                        }
                    }
                    assertThat(children).allSatisfy((service, process) -> assertThat(process.isAlive())
                            .as(() -> service + ": " + log(service))
                            .isTrue());
                    assertThat(coordinator.status().tables())
                            .allSatisfy(table ->
                                    assertThat(table.error()).as(table.table()).isNull());
                    return coordinator.status().state() == state;
                });
    }

    /** Waits until a service ends by itself. @return its exit code */
    int awaitEnd(String service) {
        Process process = children.get(service);
        await(service + " ends").atMost(PATIENCE).until(() -> !process.isAlive());
        children.remove(service);
        return process.exitValue();
    }

    String log(String service) {
        try {
            return Files.readString(directory.resolve(service + ".log"));
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    CutoverResult cutOver() {
        return coordinator.cutover(false).toCompletableFuture().join();
    }

    CutoverCoordinator coordinator() {
        return coordinator;
    }

    void stopWriting() {
        traffic.close();
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

    /** Waits until what is written comes to the target as changes. */
    void awaitStreaming() {
        await("streaming")
                .atMost(PATIENCE)
                .until(() -> number(
                                migration().source(),
                                "SELECT count(*) FROM pg_replication_slots WHERE active AND slot_name = "
                                        + Identifiers.literal(migration().slot()))
                        == 1);
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

    private String libpqUrl(EmbeddedPostgres server) {
        return libpqUrl(server, RehearsalDatabase.OPERATOR, RehearsalDatabase.PASSWORD);
    }

    private String libpqUrl(EmbeddedPostgres server, String user, String password) {
        return "postgresql://" + user + ":" + password + "@127.0.0.1:" + server.port() + "/"
                + URLEncoder.encode(database, StandardCharsets.UTF_8).replace("+", "%20");
    }

    /** Cuts over, which compares with the product's means; what was written just before may have to be applied first. */
    private void complete() {
        CutoverResult result = await("gate met")
                .atMost(PATIENCE)
                .until(
                        this::cutOver,
                        r -> r.outcome() != Outcome.REFUSED
                                || !r.reason().matches("(?s)(in state|the schema changed on the source|table ).*"));
        assertThat(result)
                .extracting(CutoverResult::outcome, CutoverResult::reason)
                .containsExactly(Outcome.COMPLETED, "");
        awaitForeignKeys();
    }

    /** Waits until those that can be are validated, which comes after the switch. */
    void awaitForeignKeys() {
        coordinator.done().toCompletableFuture().join();
    }

    /** Cuts over and compares rows and schema again. */
    void completeExactly() throws Exception {
        cutOverAndCompare();
        assertSchemasAreEqual();
    }

    /** Compares both schemas by what pg_dump writes, and as the product does. */
    void assertSchemasAreEqual() throws Exception {
        IndependentComparison.assertSchemasAreEqual(
                migration(), directory, List.of(libpqUrl(source), libpqUrl(target)));
        SchemaCompare.Result schema = compareSchemas();
        assertThat(schema.onlyOnSource()).isEmpty();
        assertThat(schema.onlyOnTarget()).isEmpty();
    }

    SchemaCompare.Result compareSchemas() throws SQLException {
        return new SchemaCompare(migration(), PostgresTools.locate(SchemaCopy.toolsVersion(migration()))).run();
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
                                "SELECT count(*) FROM pg_replication_slots WHERE active AND slot_name = '"
                                        + migration().slot() + "'")
                        == 1);
    }

    /** Cuts over and compares rows again with our own means. */
    void cutOverAndCompare() throws Exception {
        complete();
        assertSourceEqualsTarget();
    }

    /** Compares every table that is followed by its COPY text: nothing of the product takes part. */
    void assertSourceEqualsTarget() throws Exception {
        IndependentComparison.assertRowsAreEqual(migration());
    }

    @Override
    public void close() {
        if (traffic != null) {
            traffic.close();
        }
        children.values().forEach(process -> {
            process.destroyForcibly();
            process.onExit().join();
        });
        for (int i = services.size() - 1; i >= 0; i--) {
            services.get(i).close();
        }
        if (sharesBroker) {
            SharedBroker.forget(name);
        }
        servers.leave(!startedProcesses);
        if (ownsServers) {
            servers.close();
        }
    }
}
