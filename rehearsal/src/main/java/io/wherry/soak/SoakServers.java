package io.wherry.soak;

import io.wherry.contract.config.Endpoint;
import io.wherry.contract.name.Identifiers;
import io.wherry.embedded.Cache;
import io.wherry.embedded.ChildProcesses;
import io.wherry.embedded.EmbeddedKafka;
import io.wherry.embedded.EmbeddedPostgres;
import io.wherry.embedded.EmbeddedRegistry;
import io.wherry.embedded.FreePorts;
import io.wherry.rehearsal.PostgresClientInstaller;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Path;
import java.sql.Connection;
import java.sql.DriverManager;
import java.sql.ResultSet;
import java.sql.SQLException;
import java.sql.Statement;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Optional;

/** The servers of a soak, used by one episode after another, and the network between them and the services. */
final class SoakServers implements AutoCloseable {
    private static final int DISK_MEBIBYTES = 640;

    private final ChildProcesses processes = new ChildProcesses();
    private final EmbeddedPostgres source;
    private final EmbeddedPostgres target;
    private final EmbeddedKafka kafka;
    private final EmbeddedRegistry registry;
    private final Optional<SmallDisk> targetDisk;
    private final Optional<SmallDisk> brokerDisk;
    private final TcpProxy sourceProxy;
    private final TcpProxy targetProxy;
    private final TcpProxy kafkaProxy;

    SoakServers(int sourceVersion, int targetVersion) {
        try {
            Path directory = processes.temporaryDirectory("wherry-soak");
            registry = EmbeddedRegistry.start(processes, directory.resolve("registry"));
            new PostgresClientInstaller(Cache.standard()).ensure(Math.max(sourceVersion, targetVersion));
            // A client that hangs longer than this loses its stream. A hung source-connector meets this time-out.
            Map<String, String> settings = Map.of("wal_sender_timeout", "5s");
            source = EmbeddedPostgres.start(processes, sourceVersion, directory.resolve("source"), settings);
            targetDisk = SmallDisk.mount(processes, directory.resolve("target"), DISK_MEBIBYTES);
            brokerDisk = SmallDisk.mount(processes, directory.resolve("kafka"), DISK_MEBIBYTES);
            target = EmbeddedPostgres.start(
                    processes, targetVersion, directory.resolve("target"), Map.of("max_wal_size", "96MB"));
            sourceProxy = new TcpProxy(source.port());
            targetProxy = new TcpProxy(target.port());
            int behind = FreePorts.next();
            kafkaProxy = new TcpProxy(behind);
            kafka = EmbeddedKafka.start(
                    processes,
                    directory.resolve("kafka"),
                    Map.of(),
                    Optional.of(new EmbeddedKafka.Proxied(behind, kafkaProxy.port())));
            registry.awaitReady();
        } catch (IOException | RuntimeException e) {
            processes.close();
            throw e instanceof RuntimeException known ? known : new UncheckedIOException((IOException) e);
        }
    }

    ChildProcesses processes() {
        return processes;
    }

    EmbeddedPostgres source() {
        return source;
    }

    EmbeddedPostgres target() {
        return target;
    }

    EmbeddedKafka kafka() {
        return kafka;
    }

    EmbeddedRegistry registry() {
        return registry;
    }

    /** The disk of the target's data; empty when no disk can be filled on this machine. */
    Optional<SmallDisk> targetDisk() {
        return targetDisk;
    }

    /** As {@link #targetDisk}, for the broker. */
    Optional<SmallDisk> brokerDisk() {
        return brokerDisk;
    }

    TcpProxy sourceProxy() {
        return sourceProxy;
    }

    TcpProxy targetProxy() {
        return targetProxy;
    }

    TcpProxy kafkaProxy() {
        return kafkaProxy;
    }

    /** A login that bypasses the proxy, so that no fault of the network affects it. */
    static Endpoint direct(EmbeddedPostgres server, String database) {
        return new Endpoint(server.jdbcUrl(database), server.superuser(), server.password());
    }

    /** Runs statements on a server, each in a transaction of its own. */
    static void execute(EmbeddedPostgres server, String database, String... statements) throws SQLException {
        try (Connection session = open(server, database);
                Statement statement = session.createStatement()) {
            for (String sql : statements) {
                statement.execute(sql);
            }
        }
    }

    static Connection open(EmbeddedPostgres server, String database) throws SQLException {
        return DriverManager.getConnection(server.jdbcUrl(database), server.superuser(), server.password());
    }

    void createDatabases(String name) throws SQLException {
        for (EmbeddedPostgres server : new EmbeddedPostgres[] {source, target}) {
            execute(server, "postgres", "CREATE DATABASE " + Identifiers.quote(name) + " TEMPLATE template0");
        }
    }

    /** Removes the databases, slots and prepared transactions that an episode leaves behind. */
    void dropDatabases(String name, String slot) throws SQLException {
        String ended =
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = " + Identifiers.literal(name);
        rollbackPrepared(name);
        for (EmbeddedPostgres server : new EmbeddedPostgres[] {source, target}) {
            execute(
                    server,
                    "postgres",
                    ended,
                    "SELECT pg_drop_replication_slot(slot_name) FROM pg_replication_slots WHERE NOT active AND slot_name LIKE "
                            + Identifiers.literal(slot + "%"),
                    "DROP DATABASE IF EXISTS " + Identifiers.quote(name));
        }
    }

    /**
     * A history that was cut short leaves prepared transactions. The database cannot be dropped with them, and that failure must
     * not hide the first one.
     */
    private void rollbackPrepared(String name) throws SQLException {
        List<String> statements = new ArrayList<>();
        try (Connection session = open(source, "postgres");
                Statement statement = session.createStatement();
                ResultSet row = statement.executeQuery(
                        "SELECT gid FROM pg_prepared_xacts WHERE database = " + Identifiers.literal(name))) {
            while (row.next()) {
                statements.add("ROLLBACK PREPARED " + Identifiers.literal(row.getString(1)));
            }
        }
        if (!statements.isEmpty()) {
            execute(source, name, statements.toArray(String[]::new));
        }
    }

    @Override
    public void close() {
        sourceProxy.close();
        targetProxy.close();
        kafkaProxy.close();
        processes.close();
    }
}
