package io.wherry.rehearsal;

import com.sun.net.httpserver.HttpExchange;
import com.sun.net.httpserver.HttpsConfigurator;
import com.sun.net.httpserver.HttpsServer;
import io.wherry.contract.config.Endpoint;
import io.wherry.contract.name.Identifiers;
import java.io.IOException;
import java.io.InputStream;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpRequest.BodyPublishers;
import java.net.http.HttpResponse;
import java.net.http.HttpResponse.BodyHandlers;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.KeyStore;
import java.util.Base64;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import javax.net.ssl.KeyManagerFactory;
import javax.net.ssl.SSLContext;

/** Two PostgreSQL servers that take TLS connections only, a broker with SASL over TLS, a registry with a login behind TLS. */
final class SecureServers implements AutoCloseable {
    static final String SOURCE_PASSWORD = "s3cret 'source' Zq1";
    static final String TARGET_PASSWORD = "s3cret-target-Zq2";
    static final String KAFKA_PASSWORD = "s3cret-kafka-Zq3";
    static final String REGISTRY_PASSWORD = "s3cret-registry-Zq4";

    private final ChildProcesses processes = new ChildProcesses();
    private final Path directory = processes.temporaryDirectory("wherry-secure");
    private final ExecutorService threads = Executors.newCachedThreadPool();
    private final HttpClient client = HttpClient.newHttpClient();
    private final TestCertificates certificates;
    private final EmbeddedPostgres source;
    private final EmbeddedPostgres target;
    private final int kafkaPort = FreePorts.next();
    private final URI registryBehind;
    private final HttpsServer registry;

    SecureServers() throws Exception {
        new PostgresClientInstaller(Cache.standard()).ensure(15);
        certificates = new TestCertificates(Files.createDirectory(directory.resolve("certificates")));
        source = postgres("source", SOURCE_PASSWORD);
        target = postgres("target", TARGET_PASSWORD);
        kafka();
        // Started by the first who asks; a request that had to wait for that would time out.
        registryBehind = URI.create(SharedBroker.registryUrl());
        registry = HttpsServer.create(new InetSocketAddress(InetAddress.getLoopbackAddress(), 0), 0);
        registry.setHttpsConfigurator(new HttpsConfigurator(tls()));
        registry.createContext("/", this::forward);
        registry.setExecutor(threads);
        registry.start();
    }

    private EmbeddedPostgres postgres(String side, String password) throws Exception {
        Path key = Files.copy(Path.of(certificates.path("server.key")), directory.resolve(side + ".key"));
        Unprivileged.own(key);
        Path certificate = Files.copy(Path.of(certificates.path("server.crt")), directory.resolve(side + ".crt"));
        EmbeddedPostgres server = EmbeddedPostgres.start(
                processes,
                15,
                directory.resolve(side),
                Map.of("ssl", "on", "ssl_key_file", key.toString(), "ssl_cert_file", certificate.toString()));
        FileMigration.execute(
                new Endpoint(server.jdbcUrl("postgres"), server.superuser(), server.password()),
                List.of(
                        "CREATE ROLE wherry SUPERUSER LOGIN PASSWORD " + Identifiers.literal(password),
                        "CREATE DATABASE shop TEMPLATE template0 ENCODING 'UTF8'"));
        Files.writeString(
                directory.resolve(side).resolve("data/pg_hba.conf"),
                "hostssl all all 127.0.0.1/32 scram-sha-256\nhostssl replication all 127.0.0.1/32 scram-sha-256\n");
        server.restart();
        return server;
    }

    private void kafka() throws IOException {
        Path home = Files.createDirectory(directory.resolve("kafka"));
        int broker = FreePorts.next();
        String controller = ",CONTROLLER://127.0.0.1:" + FreePorts.next();
        Files.writeString(
                home.resolve("server.properties"), "listeners=BROKER://127.0.0.1:" + broker + controller + "\n");
        Map<String, String> settings = new HashMap<>();
        settings.put("listeners", "BROKER://127.0.0.1:" + broker + controller + ",SECURE://127.0.0.1:" + kafkaPort);
        settings.put("advertised.listeners", "BROKER://127.0.0.1:" + broker + ",SECURE://localhost:" + kafkaPort);
        settings.put(
                "listener.security.protocol.map", "BROKER:SASL_PLAINTEXT,CONTROLLER:SASL_PLAINTEXT,SECURE:SASL_SSL");
        settings.put(
                "listener.name.secure.plain.sasl.jaas.config",
                "org.apache.kafka.common.security.plain.PlainLoginModule required user_wherry=\"" + KAFKA_PASSWORD
                        + "\";");
        settings.put("ssl.keystore.location", certificates.path("server.p12"));
        settings.put("ssl.keystore.type", "PKCS12");
        settings.put("ssl.keystore.password", TestCertificates.STORE_PASSWORD);
        EmbeddedKafka.start(processes, home, settings, Optional.empty());
    }

    private SSLContext tls() throws Exception {
        KeyStore store = KeyStore.getInstance("PKCS12");
        char[] password = TestCertificates.STORE_PASSWORD.toCharArray();
        try (InputStream in = Files.newInputStream(Path.of(certificates.path("server.p12")))) {
            store.load(in, password);
        }
        KeyManagerFactory keys = KeyManagerFactory.getInstance(KeyManagerFactory.getDefaultAlgorithm());
        keys.init(store, password);
        SSLContext context = SSLContext.getInstance("TLS");
        context.init(keys.getKeyManagers(), null, null);
        return context;
    }

    /** To the registry that all tests share, for those who log in. */
    private void forward(HttpExchange exchange) throws IOException {
        byte[] body = exchange.getRequestBody().readAllBytes();
        String login = "Basic "
                + Base64.getEncoder().encodeToString(("wherry:" + REGISTRY_PASSWORD).getBytes(StandardCharsets.UTF_8));
        try (exchange) {
            if (!login.equals(exchange.getRequestHeaders().getFirst("Authorization"))) {
                exchange.sendResponseHeaders(401, -1);
                return;
            }
            HttpRequest request = HttpRequest.newBuilder(registryBehind.resolve(exchange.getRequestURI()))
                    .method(exchange.getRequestMethod(), BodyPublishers.ofByteArray(body))
                    .header("Content-Type", "application/vnd.schemaregistry.v1+json")
                    .build();
            HttpResponse<byte[]> answer = client.send(request, BodyHandlers.ofByteArray());
            exchange.getResponseHeaders().set("Content-Type", "application/vnd.schemaregistry.v1+json");
            exchange.sendResponseHeaders(answer.statusCode(), answer.body().length == 0 ? -1 : answer.body().length);
            exchange.getResponseBody().write(answer.body());
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
        }
    }

    /**
     * A migration's file.
     *
     * @param authority whom to trust: {@code ca}, or {@code foreign}, which has signed nothing
     * @param host name of all servers: the certificate is for {@code localhost}, not for {@code 127.0.0.1}
     */
    String file(String authority, String host, int httpPort) {
        return """
                name: secure
                source: {url: "jdbc:postgresql://%2$s:%3$d/shop?sslmode=verify-full&sslrootcert=%1$s.crt", user: wherry, password: "${env:SOURCE_PASSWORD}"}
                target: {url: "jdbc:postgresql://%2$s:%4$d/shop?sslmode=verify-full&sslrootcert=%1$s.crt", user: wherry, password: "${env:TARGET_PASSWORD}"}
                kafka:
                  bootstrap.servers: "%2$s:%5$d"
                  security.protocol: SASL_SSL
                  sasl.mechanism: PLAIN
                  sasl.jaas.config: 'org.apache.kafka.common.security.plain.PlainLoginModule required username="wherry" password="${env:KAFKA_PASSWORD}";'
                  ssl.truststore.location: "%1$s.p12"
                  ssl.truststore.password: "${env:STORE_PASSWORD}"
                registry:
                  url: "https://%2$s:%6$d/apis/ccompat/v7"
                  user: wherry
                  password: "${env:REGISTRY_PASSWORD}"
                  ssl.truststore.location: "%1$s.p12"
                  ssl.truststore.password: "${env:STORE_PASSWORD}"
                cutover: {stable-for: 1s, max-downtime: 1m}
                http: {listen: "127.0.0.1:%7$d", token: "${env:WHERRY_TOKEN}"}
                """.formatted(
                        certificates.path(authority),
                        host,
                        source.port(),
                        target.port(),
                        kafkaPort,
                        registry.getAddress().getPort(),
                        httpPort);
    }

    /** What the file refers to. */
    static Map<String, String> environment(String token) {
        return Map.of(
                "SOURCE_PASSWORD", SOURCE_PASSWORD,
                "TARGET_PASSWORD", TARGET_PASSWORD,
                "KAFKA_PASSWORD", KAFKA_PASSWORD,
                "REGISTRY_PASSWORD", REGISTRY_PASSWORD,
                "STORE_PASSWORD", TestCertificates.STORE_PASSWORD,
                "WHERRY_TOKEN", token);
    }

    EmbeddedPostgres source() {
        return source;
    }

    EmbeddedPostgres target() {
        return target;
    }

    Path directory() {
        return directory;
    }

    @Override
    public void close() {
        if (registry != null) {
            registry.stop(0);
        }
        threads.shutdownNow();
        processes.close();
    }
}
