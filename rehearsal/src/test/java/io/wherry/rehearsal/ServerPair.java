package io.wherry.rehearsal;

import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import java.util.Optional;

/**
 * A source and a target server, for one migration after another, each in a database of its own name: the shared ones, or servers that
 * a test may stop and configure. Versions are 15 and 15 unless {@code -Dwherry.source=11 -Dwherry.target=17} say otherwise.
 */
final class ServerPair implements AutoCloseable {
    private final Optional<ChildProcesses> own;
    private final List<SharedServer> shared;
    private final EmbeddedPostgres source;
    private final EmbeddedPostgres target;

    /** Servers that nobody else uses. */
    ServerPair() {
        this(sourceVersion(), targetVersion());
    }

    /** Servers that nobody else uses. */
    ServerPair(int sourceVersion, int targetVersion) {
        ensureClient(sourceVersion, targetVersion);
        ChildProcesses processes = new ChildProcesses();
        own = Optional.of(processes);
        shared = List.of();
        Path directory = processes.temporaryDirectory("wherry-test");
        source = EmbeddedPostgres.start(processes, sourceVersion, directory.resolve("source"), Map.of());
        target = EmbeddedPostgres.start(processes, targetVersion, directory.resolve("target"), Map.of());
        RehearsalDatabase.createRoles(source);
        RehearsalDatabase.createRoles(target);
    }

    private ServerPair(SharedServer source, SharedServer target) {
        own = Optional.empty();
        shared = List.of(source, target);
        this.source = source.postgres();
        this.target = target.postgres();
    }

    /** The servers of this JVM, for one migration at a time. */
    static ServerPair shared() {
        return shared(sourceVersion(), targetVersion());
    }

    /** The servers of this JVM of these versions, for one migration at a time. */
    static ServerPair shared(int sourceVersion, int targetVersion) {
        ensureClient(sourceVersion, targetVersion);
        return new ServerPair(SharedServer.source(sourceVersion), SharedServer.target(targetVersion));
    }

    private static int sourceVersion() {
        return Integer.getInteger("wherry.source", 15);
    }

    private static int targetVersion() {
        return Integer.getInteger("wherry.target", 15);
    }

    private static void ensureClient(int sourceVersion, int targetVersion) {
        new PostgresClientInstaller(Cache.standard()).ensure(Math.max(sourceVersion, targetVersion));
    }

    /** Creates an empty database on both. */
    void create(String database) {
        for (SharedServer server : shared) {
            server.requireClean();
            RehearsalDatabase.createRoles(server.postgres());
        }
        RehearsalDatabase.create(source, database);
        RehearsalDatabase.create(target, database);
    }

    /**
     * Removes from shared servers what a migration has made; servers of one test keep everything.
     *
     * @param stopped whether every service was closed in order
     */
    void leave(boolean stopped) {
        for (SharedServer server : shared) {
            server.clean(stopped);
        }
    }

    /** A new directory, removed with the servers. */
    Path scratch() {
        return own.map(processes -> processes.temporaryDirectory("wherry-test")).orElseGet(SharedServer::scratch);
    }

    EmbeddedPostgres source() {
        return source;
    }

    EmbeddedPostgres target() {
        return target;
    }

    /** Stops servers of one test; shared ones go on. */
    @Override
    public void close() {
        own.ifPresent(ChildProcesses::close);
    }
}
