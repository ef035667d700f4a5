package io.wherry.rehearsal.security;

import static org.assertj.core.api.Assertions.assertThat;
import static org.awaitility.Awaitility.await;

import com.fasterxml.jackson.databind.JsonNode;
import io.wherry.cli.Preflight;
import io.wherry.contract.config.Endpoint;
import io.wherry.contract.config.Migration;
import io.wherry.contract.config.MigrationFile;
import io.wherry.contract.error.Finding;
import io.wherry.contract.kafka.KafkaClients;
import io.wherry.contract.record.Json;
import io.wherry.embedded.EmbeddedPostgres;
import io.wherry.embedded.FreePorts;
import io.wherry.embedded.JavaCommand;
import io.wherry.rehearsal.fixture.EveryThirdDay;
import io.wherry.rehearsal.fixture.FileMigration;
import io.wherry.rehearsal.fixture.SecureServers;
import java.io.IOException;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpRequest.BodyPublishers;
import java.net.http.HttpResponse.BodyHandlers;
import java.nio.charset.StandardCharsets;
import java.nio.file.DirectoryStream;
import java.nio.file.Files;
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
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import org.apache.kafka.clients.admin.Admin;
import org.apache.kafka.clients.consumer.ConsumerRecord;
import org.apache.kafka.clients.consumer.KafkaConsumer;
import org.apache.kafka.common.TopicPartition;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;

/** Every connection uses TLS and verifies the server's name, every server has a login; and no secret is shown anywhere. */
@Tag("embedded-only")
@EveryThirdDay(1)
class SecureConnectionsTest {
    private static final String TOKEN = "s3cret-token-Zq5-0123456789";
    private static final List<String> SECRETS = List.of("s3cret", "Zq1", "Zq2", "Zq3", "Zq4", "Zq5");

    private static SecureServers servers;

    private final HttpClient client = HttpClient.newHttpClient();
    private final int port = FreePorts.next();

    @BeforeAll
    static void startServers() throws Exception {
        servers = new SecureServers();
    }

    @AfterAll
    static void stopServers() {
        servers.close();
    }

    @Test
    void anAuthorityThatIsNotTrustedIsRefusedEverywhere() {
        assertThat(refusals(servers.file("foreign", "localhost", port), TOKEN))
                .anyMatch(line -> line.matches("source .*certificat.*sslrootcert.*"))
                .anyMatch(line -> line.matches("target.*certificat.*sslrootcert.*"))
                .anyMatch(line -> line.matches("kafka .*certificat.*ssl.truststore.location.*"))
                .anyMatch(line -> line.matches("registry.*certificat.*ssl.truststore.location.*"))
                .hasSize(5);
    }

    @Test
    void aCertificateForAnotherNameIsRefusedEverywhere() {
        assertThat(refusals(servers.file("ca", "127.0.0.1", port), TOKEN))
                .anyMatch(line -> line.matches("source .*127.0.0.1.*host name in source.url.*"))
                .anyMatch(line -> line.matches("target.*127.0.0.1.*host name in target.url.*"))
                .anyMatch(line -> line.matches("kafka .*host name in kafka.bootstrap.servers.*"))
                .anyMatch(line -> line.matches("registry.*host name in registry.url.*"))
                .hasSize(5);
    }

    @Test
    void wrongLoginsAreRefusedEverywhere() {
        String file = servers.file("ca", "localhost", port)
                .replaceAll("\\$\\{env:(SOURCE|TARGET|KAFKA|REGISTRY)_PASSWORD}", "wrong");
        assertThat(refusals(file, TOKEN))
                .anyMatch(line -> line.matches("source .*password.*Correct source.user and source.password"))
                .anyMatch(line -> line.matches("target.*password.*target.user and target.password.*"))
                .anyMatch(line -> line.matches("kafka .*refuses the login.*"))
                .anyMatch(line -> line.matches("registry.*refuses the login.*"))
                .hasSize(5);
    }

    @Test
    void aWholeMigrationShowsNoSecret() throws Exception {
        FileMigration.execute(
                superuser(servers.source()),
                List.of(
                        "CREATE TABLE public.item (id int PRIMARY KEY, v text)",
                        "INSERT INTO public.item SELECT n, 'v' || n FROM generate_series(1, 2000) n"));
        Path directory = servers.directory();
        Path file = Files.writeString(directory.resolve("m.yaml"), servers.file("ca", "localhost", port));
        Path log = directory.resolve("up.log");
        StringBuilder shown = new StringBuilder();
        Set<String> commandLines = ConcurrentHashMap.newKeySet();
        CountDownLatch ended = new CountDownLatch(1);
        Thread watch = new Thread(() -> {
            try {
                do {
                    commandLines.addAll(commandLines());
                } while (!ended.await(20, TimeUnit.MILLISECONDS));
            } catch (InterruptedException e) {
                Thread.currentThread().interrupt();
            }
        });
        watch.start();
        Process up = start(
                log,
                "up",
                "-f",
                file.toString(),
                "--data",
                directory.resolve("data").toString());
        try {
            await("in sync")
                    .atMost(Duration.ofMinutes(5))
                    .pollInterval(Duration.ofMillis(200))
                    .until(() -> {
                        assertThat(up.isAlive()).as(() -> text(log)).isTrue();
                        String status = get("/api/status");
                        shown.append(status);
                        JsonNode state = status.isEmpty()
                                ? null
                                : Json.read(status.getBytes(StandardCharsets.UTF_8), JsonNode.class);
                        return state != null && state.path("state").asText().equals("IN_SYNC");
                    });
            FileMigration.execute(
                    superuser(servers.source()), List.of("UPDATE public.item SET v = 'changed' WHERE id = 7"));
            for (String path :
                    List.of("/api/status", "/api/lag", "/api/tables", "/metrics", "/readyz?verbose", "/nothing")) {
                shown.append(get(path));
            }
            assertThat(post("/api/cutover", "Bearer wrong")).contains("a token is needed");
            shown.append(post("/api/cutover", "Bearer wrong"));
            shown.append(post("/api/cutover?dryRun=true", "Bearer " + TOKEN));
            shown.append(topics());
            shown.append(database(servers.target(), "wherry"));
            String completed = post("/api/cutover", "Bearer " + TOKEN);
            assertThat(completed).contains("COMPLETED");
            shown.append(completed);
            assertThat(up.waitFor()).isZero();
        } finally {
            up.destroyForcibly();
            ended.countDown();
            watch.join();
        }
        shown.append(text(log));
        assertThat(commandLines).anyMatch(line -> line.contains("pg_dump"));
        shown.append(String.join("\n", commandLines));
        for (String secret : SECRETS) {
            assertThat(shown.indexOf(secret))
                    .as(() -> secret + " in " + shown.substring(Math.max(0, shown.indexOf(secret) - 300)))
                    .isNegative();
        }
        assertThat(number(servers.target(), "SELECT count(*) FROM public.item WHERE v = 'changed' OR v = 'v' || id"))
                .isEqualTo(2000);
    }

    /** The source is reported twice: as captured, and as the side that the target is compared with. */
    private static List<String> refusals(String file, String token) {
        return Preflight.findings(MigrationFile.parse(file, SecureServers.environment(token))).stream()
                .filter(f -> f.severity() == Finding.Severity.ERROR)
                .map(Finding::explained)
                .distinct()
                .toList();
    }

    private static Endpoint superuser(EmbeddedPostgres server) {
        return new Endpoint(
                server.jdbcUrl("shop"),
                "wherry",
                server == servers.source() ? SecureServers.SOURCE_PASSWORD : SecureServers.TARGET_PASSWORD);
    }

    /** The command line as the launcher starts it, with all of Wherry's messages in the log. */
    private static Process start(Path log, String... arguments) throws IOException {
        List<String> command = JavaCommand.of(
                "-Xmx512m",
                "-cp",
                System.getProperty("java.class.path"),
                "-Dlogback.configurationFile=logback.xml",
                "io.wherry.cli.Wherry");
        command.addAll(List.of(arguments));
        ProcessBuilder builder =
                new ProcessBuilder(command).redirectErrorStream(true).redirectOutput(log.toFile());
        builder.environment().putAll(SecureServers.environment(TOKEN));
        builder.environment().put("WHERRY_LOG", "DEBUG");
        return builder.start();
    }

    private static Set<String> commandLines() {
        Set<String> lines = ConcurrentHashMap.newKeySet();
        try (DirectoryStream<Path> processes = Files.newDirectoryStream(Path.of("/proc"), "[0-9]*")) {
            for (Path process : processes) {
                Path file = process.resolve("cmdline");
                if (Files.isReadable(file)) {
                    lines.add(new String(Files.readAllBytes(file), StandardCharsets.ISO_8859_1).replace('\0', ' '));
                }
            }
        } catch (IOException e) {
            assertThat(e).as("a process that has ended in the meantime").isNotNull();
        }
        return lines;
    }

    /** Every byte of every topic of the migration. */
    private static String topics() throws Exception {
        Migration migration = MigrationFile.parse(servers.file("ca", "localhost", 0), SecureServers.environment(TOKEN));
        StringBuilder all = new StringBuilder();
        try (Admin admin = KafkaClients.admin(migration);
                KafkaConsumer<byte[], byte[]> consumer = KafkaClients.consumer(migration, new HashMap<>())) {
            Set<String> names = admin.listTopics().names().get();
            assertThat(names)
                    .contains(migration.topics().control(), migration.topics().position());
            List<TopicPartition> partitions = new ArrayList<>();
            names.forEach(name -> consumer.partitionsFor(name)
                    .forEach(info -> partitions.add(new TopicPartition(name, info.partition()))));
            consumer.assign(partitions);
            consumer.seekToBeginning(partitions);
            Map<TopicPartition, Long> ends = consumer.endOffsets(partitions);
            while (ends.entrySet().stream().anyMatch(e -> consumer.position(e.getKey()) < e.getValue())) {
                for (ConsumerRecord<byte[], byte[]> record : consumer.poll(Duration.ofMillis(200))) {
                    for (byte[] bytes : new byte[][] {record.key(), record.value()}) {
                        all.append(bytes == null ? "" : new String(bytes, StandardCharsets.ISO_8859_1));
                    }
                    record.headers().forEach(h -> all.append(new String(h.value(), StandardCharsets.ISO_8859_1)));
                }
            }
        }
        assertThat(all).contains("v1999");
        return all.toString();
    }

    /** Every row of a schema's tables as text. */
    private static String database(EmbeddedPostgres server, String schema) throws SQLException {
        try (Connection connection = DriverManager.getConnection(
                        superuser(server).url(), "wherry", superuser(server).password());
                Statement statement = connection.createStatement();
                ResultSet row =
                        statement.executeQuery("SELECT schema_to_xml('" + schema + "', true, false, '')::text")) {
            row.next();
            return row.getString(1);
        }
    }

    private static long number(EmbeddedPostgres server, String sql) throws SQLException {
        try (Connection connection = DriverManager.getConnection(
                        superuser(server).url(), "wherry", superuser(server).password());
                Statement statement = connection.createStatement();
                ResultSet row = statement.executeQuery(sql)) {
            row.next();
            return row.getLong(1);
        }
    }

    private String get(String path) throws Exception {
        try {
            return client.send(
                            HttpRequest.newBuilder(URI.create("http://127.0.0.1:" + port + path))
                                    .build(),
                            BodyHandlers.ofString())
                    .body();
        } catch (IOException e) {
            // Not yet up.
            return "";
        }
    }

    private String post(String path, String authorization) throws Exception {
        return client.send(
                        HttpRequest.newBuilder(URI.create("http://127.0.0.1:" + port + path))
                                .header("Authorization", authorization)
                                .POST(BodyPublishers.noBody())
                                .build(),
                        BodyHandlers.ofString())
                .body();
    }

    private static String text(Path file) {
        try {
            return Files.readString(file);
        } catch (IOException e) {
            return String.valueOf(e.getMessage());
        }
    }
}
