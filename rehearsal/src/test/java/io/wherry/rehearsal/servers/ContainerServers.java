package io.wherry.rehearsal.servers;

import io.wherry.embedded.ChildProcesses;
import io.wherry.embedded.EmbeddedPostgres;
import io.wherry.embedded.PostgresServer;
import io.wherry.embedded.ServerException;
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
import org.testcontainers.containers.GenericContainer;
import org.testcontainers.containers.wait.strategy.Wait;
import org.testcontainers.images.builder.Transferable;
import org.testcontainers.kafka.KafkaContainer;
import org.testcontainers.lifecycle.Startables;
import org.testcontainers.postgresql.PostgreSQLContainer;

/** Servers in containers of the Docker engine of this machine, with the official images. */
final class ContainerServers implements TestServers {
    private static final String KAFKA = "apache/kafka:4.3.1";
    private static final String REGISTRY = "apicurio/apicurio-registry:3.3.3";
    /** On each container, so that {@code docker ps --filter label=io.wherry.test} finds what a killed run has left. */
    private static final Map<String, String> LABEL = Map.of("io.wherry.test", "true");

    private static final Duration START_LIMIT = Duration.ofMinutes(5);
    private static final int POSTGRES_PORT = 5432;
    private static final int REGISTRY_PORT = 8080;
    // Sorting in parallel needs more than Docker's 64 MiB.
    private static final long SHARED_MEMORY_BYTES = 256L << 20;
    private static final String SUPERUSER = "postgres";
    private static final String CONFLUENT_API = "/apis/ccompat/v7";
    // The settings of the embedded broker; the image's own are for one node already.
    private static final Map<String, String> BROKER_SETTINGS = Map.of(
            "KAFKA_OFFSETS_TOPIC_NUM_PARTITIONS", "4",
            "KAFKA_TRANSACTION_STATE_LOG_NUM_PARTITIONS", "4",
            "KAFKA_GROUP_INITIAL_REBALANCE_DELAY_MS", "0",
            "KAFKA_AUTO_CREATE_TOPICS_ENABLE", "false",
            "KAFKA_LOG_RETENTION_MS", "-1",
            "KAFKA_TRANSACTION_MAX_TIMEOUT_MS", "86400000",
            "KAFKA_LOG_CLEANER_DEDUPE_BUFFER_SIZE", "4194304",
            "KAFKA_HEAP_OPTS", "-Xmx512m",
            "KAFKA_JVM_PERFORMANCE_OPTS", "-XX:+UseSerialGC -XX:TieredStopAtLevel=1");

    private final ChildProcesses directories = new ChildProcesses();

    ContainerServers() {}

    private record Server(int major, int port) implements PostgresServer {

        @Override
        public String superuser() {
            return SUPERUSER;
        }

        @Override
        public String password() {
            return SUPERUSER;
        }
    }

    @Override
    public PostgresServer postgres(String name, int major, Map<String, String> settings) {
        PostgreSQLContainer container = owned(new PostgreSQLContainer("postgres:" + major))
                .withDatabaseName(SUPERUSER)
                .withUsername(SUPERUSER)
                .withPassword(SUPERUSER)
                .withEnv("POSTGRES_INITDB_ARGS", "--encoding=UTF8 --locale=C")
                // "Whatever the role's stored password is", SCRAM included, so that restored roles can log in too.
                .withEnv("POSTGRES_HOST_AUTH_METHOD", "md5")
                .withSharedMemorySize(SHARED_MEMORY_BYTES)
                .withCommand(command(settings));
        container.start();
        Server server = new Server(major, container.getMappedPort(POSTGRES_PORT));
        String directory = sharedDirectory(server) + "/extension/";
        TestExtension.files(major)
                .forEach((file, text) -> container.copyFileToContainer(Transferable.of(text), directory + file));
        return server;
    }

    private static String sharedDirectory(Server server) {
        try (Connection connection = DriverManager.getConnection(server.jdbcUrl(SUPERUSER), SUPERUSER, SUPERUSER);
                Statement statement = connection.createStatement();
                ResultSet row = statement.executeQuery("SELECT setting FROM pg_config WHERE name = 'SHAREDIR'")) {
            row.next();
            return row.getString(1);
        } catch (SQLException e) {
            throw new ServerException("Cannot ask PostgreSQL " + server.major() + ": " + e.getMessage(), e);
        }
    }

    private static String[] command(Map<String, String> settings) {
        List<String> command = new ArrayList<>(List.of("postgres"));
        List.of(EmbeddedPostgres.REHEARSAL_SETTINGS, settings)
                .forEach(some -> some.forEach((name, value) -> command.addAll(List.of("-c", name + "=" + value))));
        return command.toArray(String[]::new);
    }

    @Override
    public Broker broker() {
        KafkaContainer kafka = owned(new KafkaContainer(KAFKA)).withEnv(BROKER_SETTINGS);
        GenericContainer<?> registry = owned(new GenericContainer<>(REGISTRY))
                .withExposedPorts(REGISTRY_PORT)
                .waitingFor(Wait.forHttp(CONFLUENT_API + "/subjects").withStartupTimeout(START_LIMIT));
        Startables.deepStart(kafka, registry).join();
        return new Broker(
                Map.of("bootstrap.servers", kafka.getBootstrapServers()),
                "http://127.0.0.1:" + registry.getMappedPort(REGISTRY_PORT) + CONFLUENT_API,
                (mainClass, arguments) -> tool(kafka, mainClass, arguments));
    }

    // Within the container, since the image has the tools. The listener for other brokers is reachable there.
    private static List<String> tool(KafkaContainer kafka, String mainClass, String... arguments) {
        List<String> command = new ArrayList<>(List.of("docker", "exec", kafka.getContainerId()));
        command.addAll(List.of("/opt/kafka/bin/kafka-run-class.sh", mainClass, "--bootstrap-server", "localhost:9093"));
        command.addAll(List.of(arguments));
        return command;
    }

    /** Removed with this owner, also at Ctrl-C and at the end of the JVM; Testcontainers' own helper does it after a kill. */
    private <C extends GenericContainer<?>> C owned(C container) {
        container.withLabels(LABEL).withStartupTimeout(START_LIMIT);
        directories.beforeClose(container::stop);
        return container;
    }

    @Override
    public Path temporaryDirectory(String prefix) {
        return directories.temporaryDirectory(prefix);
    }

    @Override
    public void close() {
        directories.close();
    }
}
