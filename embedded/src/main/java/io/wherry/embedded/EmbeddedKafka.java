package io.wherry.embedded;

import java.io.IOException;
import java.io.InputStream;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.SecureRandom;
import java.time.Duration;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.HexFormat;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Properties;
import java.util.concurrent.ExecutionException;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import java.util.stream.Collectors;
import org.apache.kafka.clients.admin.Admin;
import org.apache.kafka.clients.admin.AdminClientConfig;
import org.apache.kafka.common.Uuid;

/**
 * A Kafka broker of one node: broker and controller in one child JVM, on 127.0.0.1 only. Each client logs in with a secret that
 * the first start creates. The secret is in files that only the user who runs Wherry may read, and in no command line.
 *
 * <p>Topics are stored under the given directory and are available again at the next start there. Only one thread at a time may
 * call the methods. The broker ends with its {@link ChildProcesses}.
 */
public final class EmbeddedKafka implements AutoCloseable {
    private static final String VERSION = "4.3.1";
    private static final List<String> JARS = List.of(
            "org.apache.kafka:kafka_2.13:" + VERSION,
            "org.apache.kafka:kafka-tools:" + VERSION,
            "org.apache.logging.log4j:log4j-slf4j-impl:2.25.4");
    private static final String CLIENT_FILE = "client.properties";
    private static final String TEMPORARY = "tmp";
    private static final int SECRET_BYTES = 24;
    private static final Duration FORMAT_LIMIT = Duration.ofMinutes(1);
    private static final Duration START_LIMIT = Duration.ofMinutes(2);
    private static final Duration STOP_LIMIT = Duration.ofSeconds(30);

    private final ChildProcesses children;
    private final Path libraries;
    private final Path directory;
    private final Ports ports;
    private final KafkaConfiguration configuration;
    private Child server;

    private record Ports(int broker, int controller) {}

    /**
     * A second listener for clients that come through a proxy: the broker tells each client the address to use next.
     *
     * @param port where the broker listens
     * @param proxyPort where the proxy listens, on 127.0.0.1
     */
    public record Proxied(int port, int proxyPort) {}

    private EmbeddedKafka(
            ChildProcesses children,
            Path libraries,
            Path directory,
            Ports ports,
            Optional<Proxied> proxied,
            String secret) {
        this.children = children;
        this.libraries = libraries;
        this.directory = directory;
        this.ports = ports;
        this.configuration = new KafkaConfiguration(ports.broker(), ports.controller(), proxied, secret, data());
    }

    /** As {@link #start(ChildProcesses, Path, Map, Optional)} without settings and proxy. */
    public static EmbeddedKafka start(ChildProcesses children, Path directory) {
        return start(children, directory, Map.of(), Optional.empty());
    }

    /**
     * Starts a broker and returns when it serves. Uses the data that an earlier start left in {@code directory}, and the same
     * ports if they are still free.
     *
     * @param settings broker properties that are added to Wherry's
     * @throws ServerException when the broker cannot be downloaded or does not start; shows the end of its log
     */
    public static EmbeddedKafka start(
            ChildProcesses children, Path directory, Map<String, String> settings, Optional<Proxied> proxied) {
        Path libraries = new MavenArtifacts(Cache.standard()).libraries("kafka-" + VERSION, JARS);
        Path absolute = directory.toAbsolutePath();
        EmbeddedKafka kafka;
        try {
            Directories.createPrivate(absolute);
            // The broker's libraries unpack native code here; a broker that was killed may have left some, which is
            // removed.
            Directories.delete(absolute.resolve(TEMPORARY));
            Directories.createPrivate(absolute.resolve(TEMPORARY));
            kafka = new EmbeddedKafka(
                    children,
                    libraries,
                    absolute,
                    ports(absolute.resolve("server.properties")),
                    proxied,
                    secret(absolute.resolve(CLIENT_FILE)));
            kafka.prepare(settings);
        } catch (IOException e) {
            throw new ServerException("Cannot prepare Kafka in " + absolute + ": " + e, e);
        }
        kafka.launch();
        return kafka;
    }

    private static Ports ports(Path configuration) throws IOException {
        if (Files.exists(configuration)) {
            Properties earlier = new Properties();
            try (InputStream stream = Files.newInputStream(configuration)) {
                earlier.load(stream);
            }
            List<Integer> used = new ArrayList<>();
            for (String listener : earlier.getProperty("listeners", "").split(",")) {
                used.add(Integer.parseInt(listener.substring(listener.lastIndexOf(':') + 1)));
            }
            if (used.stream().allMatch(FreePorts::isFree)) {
                return new Ports(used.get(0), used.get(1));
            }
        }
        return new Ports(FreePorts.next(), FreePorts.next());
    }

    /** The ports of an earlier start, if there was one: other processes on this machine may know them. */
    private static String secret(Path clientFile) throws IOException {
        if (Files.exists(clientFile)) {
            Properties earlier = new Properties();
            try (InputStream stream = Files.newInputStream(clientFile)) {
                earlier.load(stream);
            }
            Matcher known = Pattern.compile("password=\"([0-9a-f]+)\"")
                    .matcher(earlier.getProperty(KafkaConfiguration.JAAS, ""));
            if (known.find()) {
                return known.group(1);
            }
        }
        byte[] random = new byte[SECRET_BYTES];
        new SecureRandom().nextBytes(random);
        return HexFormat.of().formatHex(random);
    }

    private void prepare(Map<String, String> settings) throws IOException {
        Map<String, String> all = configuration.broker();
        all.putAll(settings);
        Directories.writePrivate(configurationFile(), text(all));
        Directories.writePrivate(clientFile(), text(clientProperties()));
        try (InputStream logging = EmbeddedKafka.class.getResourceAsStream("kafka-log4j2.xml")) {
            Directories.writePrivate(
                    directory.resolve("log4j2.xml"), new String(logging.readAllBytes(), StandardCharsets.UTF_8));
        }
        if (!Files.exists(data().resolve("meta.properties"))) {
            List<String> format = java("kafka.tools.StorageTool");
            format.addAll(List.of(
                    "format",
                    "-t",
                    Uuid.randomUuid().toString(),
                    "-c",
                    configurationFile().toString()));
            Command.run(
                    ChildProcesses.privately(format),
                    directory,
                    Directories.writePrivate(directory.resolve("format.log"), ""),
                    FORMAT_LIMIT,
                    "Remove " + directory + " to start with an empty broker.");
        }
    }

    private static String text(Map<String, String> properties) {
        return properties.entrySet().stream()
                .map(entry -> entry.getKey() + "=" + entry.getValue() + "\n")
                .collect(Collectors.joining());
    }

    private Path configurationFile() {
        return directory.resolve("server.properties");
    }

    private Path data() {
        return directory.resolve("data");
    }

    // Serial: with G1 at this heap size, each block of 512 KiB or more is humongous.
    // In runs of minutes the second compiler took more CPU than it saved; a broker of hours was not measured.
    private List<String> java(String... arguments) {
        List<String> command = JavaCommand.of(
                "-Xmx512m",
                "-XX:TieredStopAtLevel=1",
                "-XX:+UseSerialGC",
                "-XX:+ExitOnOutOfMemoryError",
                "-Djava.io.tmpdir=" + directory.resolve(TEMPORARY),
                "-Dlog4j2.configurationFile=" + directory.resolve("log4j2.xml").toUri(),
                "-cp",
                libraries.resolve("*").toString());
        command.addAll(List.of(arguments));
        return command;
    }

    private void launch() {
        server = children.startPrivate(
                "Kafka", java("kafka.Kafka", configurationFile().toString()), directory, log());
        // An Admin client that is refused logs a complaint at each try: wait for the port first.
        Waiting.until(START_LIMIT, server, () -> FreePorts.isServed(ports.broker()));
        Map<String, Object> properties = new HashMap<>(clientProperties());
        properties.put(AdminClientConfig.DEFAULT_API_TIMEOUT_MS_CONFIG, 60_000);
        try (Admin admin = Admin.create(properties)) {
            Waiting.until(START_LIMIT, server, () -> serves(admin));
        }
    }

    private static boolean serves(Admin admin) {
        try {
            return !admin.describeCluster().nodes().get().isEmpty();
        } catch (ExecutionException e) {
            // Not yet: Waiting asks again, and reports the broker's log when the time is up.
            return false;
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
            return false;
        }
    }

    /** For {@code bootstrap.servers} of clients; it stays the same until another broker starts in the directory. */
    public String bootstrapServers() {
        return "127.0.0.1:" + ports.broker();
    }

    /** The properties that a client needs to connect and log in. */
    public Map<String, String> clientProperties() {
        return configuration.client();
    }

    /** File with {@link #clientProperties()}, for Kafka's own tools; only the user who runs Wherry may read it. */
    public Path clientFile() {
        return directory.resolve(CLIENT_FILE);
    }

    /**
     * The command line of one of Kafka's own tools, of the broker's version.
     *
     * @param mainClass of the tool; it logs in with {@link #clientFile()}
     */
    public List<String> tool(String mainClass, String... arguments) {
        List<String> command = java(mainClass);
        command.addAll(List.of(
                "--bootstrap-server",
                bootstrapServers(),
                "--command-config",
                clientFile().toString()));
        command.addAll(List.of(arguments));
        return command;
    }

    /** The broker's log file. */
    public Path log() {
        return directory.resolve("kafka.log");
    }

    /** Stops the broker in order. */
    public void stop() {
        server.stop(STOP_LIMIT);
    }

    /** Kills the broker, as the machine's out-of-memory killer might do. */
    public void kill() {
        server.kill();
    }

    /** Hangs the broker with all its processes and connections, until {@link #resume()}. */
    public void suspend() {
        server.suspend();
    }

    /** Continues after {@link #suspend()}. */
    public void resume() {
        server.resume();
    }

    /** Whether the broker's process lives. */
    public boolean isRunning() {
        return server.isAlive();
    }

    /** Starts the broker again with the same ports and data; stops it first if it runs. */
    public void restart() {
        stop();
        launch();
    }

    @Override
    public void close() {
        stop();
    }
}
