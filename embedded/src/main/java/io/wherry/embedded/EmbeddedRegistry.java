package io.wherry.embedded;

import java.io.IOException;
import java.io.InputStream;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import java.util.zip.GZIPInputStream;

/**
 * A schema registry that speaks Confluent's protocol (Apicurio), in a child JVM, on 127.0.0.1 only.
 *
 * <p>The registry has no login: any user of this machine can register schemas. So the sink-applier trusts no schema. Only the
 * user who runs Wherry may read the registry's files.
 *
 * <p>Schemas and their ids are stored under the given directory and are available again at the next start there. Only one thread
 * at a time may call the methods. The registry ends with its {@link ChildProcesses}.
 */
public final class EmbeddedRegistry implements AutoCloseable {
    /** The newest release line that runs on Java 17. */
    private static final String VERSION = "2.6.13.Final";

    private static final String TEMPORARY = "tmp";
    private static final Duration START_LIMIT = Duration.ofMinutes(2);
    private static final Duration STOP_LIMIT = Duration.ofSeconds(30);

    private final ChildProcesses children;
    private final Path installation;
    private final Path directory;
    private final int port;
    private final HttpClient client =
            HttpClient.newBuilder().connectTimeout(Duration.ofSeconds(5)).build();
    private Child server;

    private EmbeddedRegistry(ChildProcesses children, Path installation, Path directory, int port) {
        this.children = children;
        this.installation = installation;
        this.directory = directory;
        this.port = port;
    }

    /**
     * Starts a registry and returns at once: it takes 5 to 20 s until {@link #awaitReady()} returns. Uses the data that an
     * earlier start left in {@code directory}, on a new port.
     *
     * @throws ServerException when the registry cannot be downloaded or started
     */
    public static EmbeddedRegistry start(ChildProcesses children, Path directory) {
        Cache cache = Cache.standard();
        Path installation = cache.entry("apicurio-registry/" + VERSION, partial -> {
            Path archive =
                    new MavenArtifacts(cache).artifact("io.apicurio:apicurio-registry-app:" + VERSION + ":tar.gz:all");
            try (InputStream stream = new GZIPInputStream(Files.newInputStream(archive), 1 << 16)) {
                Archives.unpackTar(stream, partial);
            }
        });
        Path absolute = directory.toAbsolutePath();
        try {
            Directories.createPrivate(absolute);
            // Files that a killed registry has left are removed.
            Directories.delete(absolute.resolve(TEMPORARY));
            Directories.createPrivate(absolute.resolve(TEMPORARY));
        } catch (IOException e) {
            throw new ServerException("Cannot create the registry's directory " + absolute + ": " + e, e);
        }
        EmbeddedRegistry registry = new EmbeddedRegistry(children, installation, absolute, FreePorts.next());
        registry.launch();
        return registry;
    }

    private void launch() {
        List<String> command = JavaCommand.of(
                "-Xmx256m",
                "-XX:+UseSerialGC",
                "-XX:TieredStopAtLevel=1",
                "-XX:+ExitOnOutOfMemoryError",
                "-Djava.io.tmpdir=" + directory.resolve(TEMPORARY),
                "-Dquarkus.http.host=127.0.0.1",
                "-Dquarkus.http.port=" + port,
                // A write delay of 0: by default H2 writes half a second after the commit. After a kill, an id that a
                // client had got and had put into records would be lost, or given to another schema.
                "-Dquarkus.datasource.jdbc.url=jdbc:h2:file:" + directory.resolve("registry") + ";WRITE_DELAY=0",
                "-Dquarkus.datasource.jdbc.initial-size=1",
                "-Dquarkus.datasource.jdbc.min-size=1",
                "-Dquarkus.datasource.jdbc.max-size=8",
                "-jar",
                installation
                        .resolve("apicurio-registry-app-" + VERSION + "-runner.jar")
                        .toString());
        server = children.startPrivate("The schema registry", command, directory, log());
    }

    /**
     * Returns when the registry answers.
     *
     * @throws ServerException when the registry does not start; shows the end of its log
     */
    public void awaitReady() {
        Waiting.until(START_LIMIT, server, this::answers);
    }

    private boolean answers() {
        HttpRequest request = HttpRequest.newBuilder(URI.create(url() + "/subjects"))
                .timeout(Duration.ofSeconds(10))
                .build();
        try {
            return client.send(request, HttpResponse.BodyHandlers.discarding()).statusCode() == 200;
        } catch (IOException e) {
            // Not yet: Waiting asks again, and reports the registry's log when the time is up.
            return false;
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
            return false;
        }
    }

    /** The base address for Confluent's clients. */
    public String url() {
        return "http://127.0.0.1:" + port + "/apis/ccompat/v7";
    }

    /** The registry's log file. */
    public Path log() {
        return directory.resolve("registry.log");
    }

    /** Stops the registry in order. */
    public void stop() {
        server.stop(STOP_LIMIT);
    }

    /** Kills the registry, as the machine's out-of-memory killer might do. */
    public void kill() {
        server.kill();
    }

    /** Starts the registry again on the same port and data and waits until it answers; stops it first if it runs. */
    public void restart() {
        stop();
        launch();
        awaitReady();
    }

    @Override
    public void close() {
        stop();
    }
}
