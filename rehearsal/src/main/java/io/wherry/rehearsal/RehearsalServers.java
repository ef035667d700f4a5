package io.wherry.rehearsal;

import io.wherry.contract.config.Endpoint;
import io.wherry.contract.config.Migration;
import io.wherry.contract.config.Migration.Apply;
import io.wherry.contract.config.Migration.Cutover;
import io.wherry.contract.config.Migration.FenceMode;
import io.wherry.contract.config.Migration.Http;
import io.wherry.contract.config.Migration.Load;
import io.wherry.contract.config.Migration.Switch;
import io.wherry.contract.config.Migration.Tables;
import io.wherry.contract.config.Migration.TargetSchemaMode;
import io.wherry.contract.config.Migration.Views;
import io.wherry.coordinator.dump.PostgresTools;
import io.wherry.embedded.Cache;
import io.wherry.embedded.ChildProcesses;
import io.wherry.embedded.EmbeddedKafka;
import io.wherry.embedded.EmbeddedPostgres;
import io.wherry.embedded.EmbeddedRegistry;
import io.wherry.embedded.FreePorts;
import io.wherry.embedded.ServerException;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import java.util.Map;
import java.util.Optional;

/** The temporary servers of one rehearsal, filled and ready, and the migration between them. */
public final class RehearsalServers implements AutoCloseable {
    /** Name of the migration and of the databases. */
    public static final String NAME = "shop";

    private final ChildProcesses processes = new ChildProcesses();
    private final Path directory = processes.temporaryDirectory("wherry-rehearsal");
    private final PostgresTools tools;
    private final EmbeddedPostgres source;
    private final EmbeddedPostgres target;
    private final EmbeddedKafka kafka;
    private final EmbeddedRegistry registry;
    private final Migration migration;

    /**
     * Starts everything; after a failure, stops what has started.
     *
     * @param rows of the sample, when there is no dump
     */
    public RehearsalServers(int sourceVersion, int targetVersion, Optional<Path> dump, long rows) {
        this(sourceVersion, targetVersion, dump, rows, Views.IN_WINDOW);
    }

    /** @param views when the migration refreshes the target's materialized views */
    public RehearsalServers(int sourceVersion, int targetVersion, Optional<Path> dump, long rows, Views views) {
        try {
            registry = EmbeddedRegistry.start(processes, directory.resolve("registry"));
            tools = new PostgresClientInstaller(Cache.standard()).ensure(Math.max(sourceVersion, targetVersion));
            source = server("source", sourceVersion);
            target = server("target", targetVersion);
            for (EmbeddedPostgres server : List.of(source, target)) {
                RehearsalDatabase.createRoles(server);
                RehearsalDatabase.create(server, NAME);
            }
            RehearsalDatabase.fill(source, NAME, dump, rows, tools);
            kafka = EmbeddedKafka.start(processes, directory.resolve("kafka"));
            registry.awaitReady();
            migration = describe(views);
        } catch (RuntimeException e) {
            processes.close();
            throw e;
        }
    }

    private EmbeddedPostgres server(String side, int version) {
        return EmbeddedPostgres.start(processes, version, directory.resolve(side), Map.of());
    }

    /** The migration as its file would describe it; a command that writes {@link #trafficFile()} switches the traffic. */
    public Migration migration() {
        return migration;
    }

    private Migration describe(Views views) {
        List<String> command = List.of(
                "sh",
                "-c",
                "printf %s \"$WHERRY_TARGET_URL\" > \"$0.new\" && mv \"$0.new\" \"$0\"",
                trafficFile().toString());
        return new Migration(
                NAME,
                RehearsalDatabase.endpoint(source, NAME, RehearsalDatabase.OPERATOR),
                RehearsalDatabase.endpoint(target, NAME, RehearsalDatabase.OPERATOR),
                TargetSchemaMode.CREATE,
                new Tables(List.of("*"), List.of()),
                kafka.clientProperties(),
                Optional.of(registry.url()),
                new Load(2),
                new Apply(2, Map.of()),
                new Cutover(
                        Duration.ofSeconds(2),
                        Duration.ofSeconds(3),
                        Duration.ofMinutes(2),
                        views,
                        FenceMode.NO_LOGIN,
                        List.of(),
                        new Switch.Command(command)),
                new Http("127.0.0.1", FreePorts.next(), Optional.empty()));
    }

    /** The file that names the applications' database: until it exists, the source. */
    public Endpoint application() {
        Endpoint endpoint = RehearsalDatabase.endpoint(source, NAME, RehearsalDatabase.APPLICATION);
        try {
            return Files.exists(trafficFile())
                    ? new Endpoint(Files.readString(trafficFile()), endpoint.user(), endpoint.password())
                    : endpoint;
        } catch (IOException e) {
            throw new ServerException("Cannot read " + trafficFile() + ": " + e.getMessage(), e);
        }
    }

    private Path trafficFile() {
        return directory.resolve("traffic-url");
    }

    /** Scratch space, removed with the servers. */
    public Path directory() {
        return directory;
    }

    public ChildProcesses processes() {
        return processes;
    }

    public EmbeddedPostgres source() {
        return source;
    }

    public EmbeddedPostgres target() {
        return target;
    }

    public EmbeddedKafka kafka() {
        return kafka;
    }

    @Override
    public void close() {
        processes.close();
    }
}
