package io.wherry.rehearsal;

import java.nio.file.Path;
import java.util.Map;

/**
 * A source and a target server, for one migration after another, each in a database of its own name. Versions are 15 and 15
 * unless {@code -Dwherry.source=11 -Dwherry.target=17} say otherwise.
 */
final class ServerPair implements AutoCloseable {
    private final ChildProcesses processes = new ChildProcesses();
    private final EmbeddedPostgres source;
    private final EmbeddedPostgres target;

    ServerPair() {
        this(Integer.getInteger("wherry.source", 15), Integer.getInteger("wherry.target", 15));
    }

    ServerPair(int sourceVersion, int targetVersion) {
        new PostgresClientInstaller(Cache.standard()).ensure(Math.max(sourceVersion, targetVersion));
        Path directory = scratch();
        source = EmbeddedPostgres.start(processes, sourceVersion, directory.resolve("source"), Map.of());
        target = EmbeddedPostgres.start(processes, targetVersion, directory.resolve("target"), Map.of());
        RehearsalDatabase.prepare(source);
        RehearsalDatabase.prepare(target);
    }

    /** A new directory, removed with the servers. */
    Path scratch() {
        return processes.temporaryDirectory("wherry-test");
    }

    EmbeddedPostgres source() {
        return source;
    }

    EmbeddedPostgres target() {
        return target;
    }

    @Override
    public void close() {
        processes.close();
    }
}
