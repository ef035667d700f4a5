package io.wherry.embedded;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.sql.Connection;
import java.sql.DriverManager;
import java.sql.SQLException;
import java.sql.Statement;
import java.time.Duration;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.stream.Collectors;

/**
 * A PostgreSQL server with its own data directory, on 127.0.0.1 only, never run as root.
 *
 * <p>Only one thread at a time may call the methods. The server ends with its {@link ChildProcesses}.
 */
public final class EmbeddedPostgres implements PostgresServer, AutoCloseable {
    /** Settings that a migration needs on both sides; the settings given at the start may override each of them. */
    public static final Map<String, String> REHEARSAL_SETTINGS = Map.of(
            "wal_level", "logical",
            "max_wal_senders", "10",
            "max_replication_slots", "10",
            "max_connections", "200",
            "max_prepared_transactions", "10");

    private static final String SUPERUSER = "postgres";
    private static final String PASSWORD = "postgres";
    private static final Duration INITDB_LIMIT = Duration.ofMinutes(2);
    private static final Duration STOP_LIMIT = Duration.ofMinutes(1);
    // Recovery after a crash replays up to a checkpoint's worth of WAL before the server accepts the first connection.
    private static final Duration START_LIMIT = Duration.ofMinutes(3);

    private final ChildProcesses children;
    private final Path installation;
    private final int major;
    private final Path directory;
    private final int port;
    private Child server;

    private EmbeddedPostgres(ChildProcesses children, Path installation, int major, Path directory, int port) {
        this.children = children;
        this.installation = installation;
        this.major = major;
        this.directory = directory;
        this.port = port;
    }

    /**
     * Starts a server and returns when it accepts connections. Uses the data directory that an earlier start left in {@code
     * directory}, otherwise creates a new one: UTF-8, locale C.
     *
     * @param major 10 to 18, or 9 for 9.6
     * @param directory holds the data ({@code data}) and the log ({@code postgres.log}); if Wherry runs as root, every user must
     *     be allowed to enter the directory
     * @param settings for {@code postgresql.conf}, added to {@link #REHEARSAL_SETTINGS}
     * @throws ServerException when the server cannot be downloaded or does not start; shows the end of its log
     */
    public static EmbeddedPostgres start(
            ChildProcesses children, int major, Path directory, Map<String, String> settings) {
        Path installation = new PostgresBinaries(Cache.standard()).installation(major);
        Path absolute = directory.toAbsolutePath();
        EmbeddedPostgres postgres = new EmbeddedPostgres(children, installation, major, absolute, FreePorts.next());
        try {
            postgres.prepare(settings);
        } catch (IOException e) {
            throw new ServerException("Cannot prepare PostgreSQL " + major + " in " + absolute + ": " + e, e);
        }
        postgres.launch();
        return postgres;
    }

    private Path data() {
        return directory.resolve("data");
    }

    private void prepare(Map<String, String> settings) throws IOException {
        Directories.create(directory);
        if (!Files.exists(data().resolve("PG_VERSION"))) {
            initialise();
        }
        Map<String, String> all = new LinkedHashMap<>(REHEARSAL_SETTINGS);
        all.putAll(settings);
        all.put("listen_addresses", "127.0.0.1");
        all.put("port", Integer.toString(port));
        all.put("unix_socket_directories", "");
        Files.writeString(
                data().resolve("wherry.conf"),
                all.entrySet().stream()
                        .map(entry -> entry.getKey() + " = '" + entry.getValue().replace("'", "''") + "'\n")
                        .collect(Collectors.joining()));
    }

    private void initialise() throws IOException {
        Directories.create(data());
        Unprivileged.own(data());
        Path passwordFile = Files.writeString(directory.resolve("password"), PASSWORD + "\n");
        List<String> command = List.of(
                installation.resolve("bin/initdb").toString(),
                "-D",
                data().toString(),
                "-U",
                SUPERUSER,
                "-A",
                major < 10 ? "md5" : "scram-sha-256",
                "--pwfile=" + passwordFile,
                "-E",
                "UTF8",
                "--locale=C",
                "-N");
        Command.run(
                Unprivileged.command(command),
                directory,
                directory.resolve("initdb.log"),
                INITDB_LIMIT,
                "If Wherry runs as root, the server runs as the user nobody, who must be allowed to enter " + directory
                        + " and " + installation + ".");
        Files.delete(passwordFile);
        Files.writeString(data().resolve("postgresql.conf"), "include 'wherry.conf'\n", StandardOpenOption.APPEND);
        // md5 here means "whatever the role's stored password is", SCRAM included, so that restored roles can log in
        // too.
        Files.writeString(
                data().resolve("pg_hba.conf"),
                "host all all 127.0.0.1/32 md5\nhost replication all 127.0.0.1/32 md5\n");
    }

    private void launch() {
        List<String> command = List.of(installation.resolve("bin/postgres").toString(), "-D", data().toString());
        server = children.start(
                "PostgreSQL " + major,
                Unprivileged.command(command),
                directory,
                directory.resolve("postgres.log"),
                "INT",
                "QUIT");
        Waiting.until(START_LIMIT, server, this::acceptsConnections);
    }

    private boolean acceptsConnections() {
        try (Connection connection = DriverManager.getConnection(jdbcUrl("postgres"), SUPERUSER, PASSWORD)) {
            return connection.isValid(5);
        } catch (SQLException e) {
            // Not yet: Waiting asks again, and reports the server's log when the time is up.
            return false;
        }
    }

    @Override
    public int port() {
        return port;
    }

    @Override
    public int major() {
        return major;
    }

    @Override
    public String superuser() {
        return SUPERUSER;
    }

    @Override
    public String password() {
        return PASSWORD;
    }

    /** The server's log file. */
    public Path log() {
        return directory.resolve("postgres.log");
    }

    /** Ends all sessions, writes a checkpoint and stops. */
    public void stop() {
        server.stop(STOP_LIMIT);
    }

    /** Kills every process of the server at once, as the machine's out-of-memory killer might do. */
    public void kill() {
        server.kill();
    }

    /** Hangs the server with all its processes and connections, until {@link #resume()}. */
    public void suspend() {
        server.suspend();
    }

    /** Continues after {@link #suspend()}. */
    public void resume() {
        server.resume();
    }

    /** Number of the postmaster's process. */
    public long pid() {
        return server.pid();
    }

    /** Whether the server's process lives. */
    public boolean isRunning() {
        return server.isAlive();
    }

    /** Starts the server again on the same port and data directory; stops it first if it runs. */
    public void restart() {
        stop();
        launch();
    }

    /**
     * Copies the data directory. The server is stopped for the copy, and runs again when this method returns.
     *
     * @return the copy, for {@link #comeBackAs}
     * @throws ServerException when the disk is full, or the server does not start again
     */
    public Path copyOfData() {
        Path copy = directory.resolve("data-" + System.nanoTime());
        stop();
        copy(data(), copy);
        launch();
        return copy;
    }

    /** Kills the server and starts it with an earlier copy of its data: commits since that copy are lost. */
    public void comeBackAs(Path copy) {
        kill();
        try {
            Directories.delete(data());
        } catch (IOException e) {
            throw new ServerException("Cannot remove " + data() + ": " + e, e);
        }
        copy(copy, data());
        launch();
    }

    /**
     * As {@link #comeBackAs}, but as a standby that is promoted: on another timeline, with the slots of the copy.
     *
     * @throws ServerException when the server does not start
     */
    public void failOverTo(Path copy) {
        try {
            Files.createFile(copy.resolve("standby.signal"));
        } catch (IOException e) {
            throw new ServerException("Cannot write to " + copy + ": " + e, e);
        }
        comeBackAs(copy);
        try (Connection connection = DriverManager.getConnection(jdbcUrl("postgres"), SUPERUSER, PASSWORD);
                Statement statement = connection.createStatement()) {
            statement.execute("SELECT pg_promote()");
        } catch (SQLException e) {
            throw new ServerException("Cannot promote the standby: " + e.getMessage(), e);
        }
    }

    private void copy(Path from, Path to) {
        Command.run(
                List.of("cp", "-a", from.toString(), to.toString()),
                directory,
                directory.resolve("copy.log"),
                START_LIMIT,
                "Check that the disk has room for a copy of " + from);
    }

    @Override
    public void close() {
        stop();
    }
}
