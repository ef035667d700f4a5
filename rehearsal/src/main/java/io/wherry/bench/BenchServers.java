package io.wherry.bench;

import io.wherry.contract.config.Endpoint;
import io.wherry.contract.config.Flow;
import io.wherry.contract.config.Migration;
import io.wherry.contract.config.Migration.Apply;
import io.wherry.contract.config.Migration.Cutover;
import io.wherry.contract.config.Migration.FenceMode;
import io.wherry.contract.config.Migration.Http;
import io.wherry.contract.config.Migration.Load;
import io.wherry.contract.config.Migration.Switch;
import io.wherry.contract.config.Migration.Tables;
import io.wherry.contract.config.Migration.TargetSchemaMode;
import io.wherry.contract.config.Migration.Verify;
import io.wherry.contract.name.Identifiers;
import io.wherry.coordinator.dump.PostgresTools;
import io.wherry.coordinator.sql.Queries;
import io.wherry.embedded.Cache;
import io.wherry.embedded.ChildProcesses;
import io.wherry.embedded.EmbeddedKafka;
import io.wherry.embedded.EmbeddedPostgres;
import io.wherry.embedded.EmbeddedRegistry;
import io.wherry.embedded.FreePorts;
import io.wherry.rehearsal.PostgresClientInstaller;
import io.wherry.rehearsal.RehearsalDatabase;
import java.nio.file.Path;
import java.sql.Connection;
import java.sql.DriverManager;
import java.sql.SQLException;
import java.time.Duration;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;

/**
 * The temporary servers of a bench. Each run gets a pair of new databases, so that the runs of all ways begin with the same data on
 * the same servers.
 */
final class BenchServers implements AutoCloseable {
    /** Beyond the settings of rehearsals: no checkpoint begins in the middle of a run because of the size of the log. */
    private static final Map<String, String> SETTINGS = Map.of("max_wal_size", "8GB", "checkpoint_timeout", "1h");

    private final ChildProcesses processes = new ChildProcesses();
    private final Path directory = processes.temporaryDirectory("wherry-bench");
    private final EmbeddedPostgres source;
    private final EmbeddedPostgres target;
    private final PostgresTools tools;
    private final Optional<EmbeddedKafka> kafka;
    private final Optional<EmbeddedRegistry> registry;

    /**
     * Starts the servers; after a failure, stops what has started.
     *
     * @param pipeline whether a broker and a registry are needed too
     */
    BenchServers(int sourceVersion, int targetVersion, boolean pipeline) {
        try {
            registry = pipeline
                    ? Optional.of(EmbeddedRegistry.start(processes, directory.resolve("registry")))
                    : Optional.empty();
            tools = new PostgresClientInstaller(Cache.standard()).ensure(Math.max(sourceVersion, targetVersion));
            source = EmbeddedPostgres.start(processes, sourceVersion, directory.resolve("source"), SETTINGS);
            target = EmbeddedPostgres.start(processes, targetVersion, directory.resolve("target"), SETTINGS);
            RehearsalDatabase.createRoles(source);
            RehearsalDatabase.createRoles(target);
            kafka = pipeline
                    ? Optional.of(EmbeddedKafka.start(processes, directory.resolve("kafka")))
                    : Optional.empty();
            registry.ifPresent(EmbeddedRegistry::awaitReady);
        } catch (RuntimeException e) {
            processes.close();
            throw e;
        }
    }

    /** Says what the servers are. */
    void describe(Results results) throws SQLException {
        for (boolean onSource : new boolean[] {true, false}) {
            try (Connection server = open(onSource, "postgres")) {
                results.setting(
                        onSource ? "source" : "target",
                        "PostgreSQL "
                                + Queries.string(server, "SHOW server_version").orElseThrow());
            }
        }
        results.setting("servers' settings", new LinkedHashMap<>(SETTINGS) + ", otherwise as initdb leaves them");
    }

    /** Creates an empty database of this name on both sides. */
    void create(String database) {
        RehearsalDatabase.create(source, database);
        RehearsalDatabase.create(target, database);
    }

    /** Creates an empty database of this name on the target. */
    void createOnTarget(String database) {
        RehearsalDatabase.create(target, database);
    }

    /** Runs statements in the database on both sides, so that both hold the same. */
    void onBoth(String database, List<String> statements) throws SQLException {
        run(true, database, statements);
        run(false, database, statements);
    }

    /** Runs statements, each in a transaction of its own. */
    void run(boolean onSource, String database, List<String> statements) throws SQLException {
        try (Connection connection = open(onSource, database)) {
            for (String sql : statements) {
                Queries.execute(connection, sql);
            }
        }
    }

    /** Drops both databases and their slots. */
    void drop(String database) throws SQLException {
        dropSlots(database);
        dropOn(true, database);
        dropOn(false, database);
    }

    /** Drops a database of one side, with the sessions in it. */
    void dropOn(boolean onSource, String database) throws SQLException {
        try (Connection server = open(onSource, "postgres")) {
            Queries.strings(
                    server, "SELECT pg_terminate_backend(pid)::text FROM pg_stat_activity WHERE datname = ?", database);
            Queries.execute(server, "DROP DATABASE " + Identifiers.quote(database));
        }
    }

    /** Drops the slots of a database of the source that no process reads. */
    void dropSlots(String database) throws SQLException {
        try (Connection server = open(true, "postgres")) {
            Queries.strings(
                    server,
                    "SELECT pg_drop_replication_slot(slot_name)::text FROM pg_replication_slots"
                            + " WHERE database = ? AND NOT active AND NOT temporary",
                    database);
        }
    }

    /** A session of the bench's own, in auto-commit mode. */
    Connection open(boolean onSource, String database) throws SQLException {
        return DriverManager.getConnection(
                server(onSource).jdbcUrl(database), RehearsalDatabase.OPERATOR, RehearsalDatabase.PASSWORD);
    }

    EmbeddedPostgres server(boolean onSource) {
        return onSource ? source : target;
    }

    PostgresTools tools() {
        return tools;
    }

    /** Scratch space, removed with the servers. */
    Path directory() {
        return directory;
    }

    ChildProcesses processes() {
        return processes;
    }

    /** CPU time of all servers and of this process. */
    Cpu cpu() {
        return new Cpu(() -> {
            Map<String, Long> pids = new LinkedHashMap<>();
            pids.put("source", source.pid());
            pids.put("target", target.pid());
            processes.pids().forEach((name, pid) -> {
                if (name.equals("Kafka")) {
                    pids.put("broker", pid);
                } else if (name.contains("registry")) {
                    pids.put("registry", pid);
                }
            });
            return pids;
        });
    }

    /** Nothing that the servers still have to write disturbs the next run. */
    void checkpoint() throws SQLException {
        run(true, "postgres", List.of("CHECKPOINT"));
        run(false, "postgres", List.of("CHECKPOINT"));
    }

    /**
     * A migration of the database of that name, with the default settings but these.
     *
     * @param tables patterns
     * @param maxLag the proof pauses while the lag is above this
     */
    Migration migration(String database, List<String> tables, Verify verify, Duration maxLag) {
        return migration(database, database, tables, verify, maxLag);
    }

    /** As above, from another database of the source. */
    Migration migration(String database, String from, List<String> tables, Verify verify, Duration maxLag) {
        return new Migration(
                database,
                endpoint(true, from),
                endpoint(false, database),
                TargetSchemaMode.CREATE,
                new Tables(tables, List.of()),
                kafka.map(EmbeddedKafka::clientProperties).orElse(Map.of()),
                registry.map(EmbeddedRegistry::url),
                Map.of(),
                new Load(4),
                new Apply(4, Map.of()),
                verify,
                new Cutover(
                        maxLag, Duration.ofSeconds(1), Duration.ofMinutes(2), FenceMode.NO_LOGIN, new Switch.None()),
                new Http("127.0.0.1", FreePorts.next(), Optional.empty()),
                Map.of());
    }

    /** For programs that take one text; the password is in the environment variable PGPASSWORD. */
    String uri(boolean onSource, String database) {
        return "postgresql://" + RehearsalDatabase.OPERATOR + "@127.0.0.1:"
                + server(onSource).port() + "/" + database;
    }

    /** The connection of a subscription on the target. */
    String subscribed(String database) {
        return "host=127.0.0.1 port=" + source.port() + " dbname=" + database + " user=" + RehearsalDatabase.OPERATOR
                + " password=" + RehearsalDatabase.PASSWORD;
    }

    private Endpoint endpoint(boolean onSource, String database) {
        return RehearsalDatabase.endpoint(server(onSource), database, RehearsalDatabase.OPERATOR);
    }

    /** Names of the migration's slots on the source: that of the changes, and those of witnesses. */
    static List<String> slots(Migration migration) {
        String slot = Flow.first(migration).groups().get(0).slot();
        return List.of(slot, slot + "_witness", slot + "_witness2");
    }

    @Override
    public void close() {
        processes.close();
    }
}
