package io.wherry.rehearsal.servers;

import io.wherry.embedded.PostgresServer;
import java.nio.file.Path;
import java.util.Map;

/**
 * Starts the servers of end-to-end tests and owns them: processes of this machine, or containers with the official images.
 * Servers and directories are removed by {@link #close()}, and at the latest when this JVM ends.
 */
public sealed interface TestServers extends AutoCloseable permits EmbeddedServers, ContainerServers {
    /** Containers with {@code -Dwherry.containers=true}, which the profile {@code containers} sets; processes otherwise. */
    static TestServers open() {
        return Boolean.getBoolean("wherry.containers") ? new ContainerServers() : new EmbeddedServers();
    }

    /**
     * Starts a server, and returns when it accepts connections: UTF-8, locale C. {@link TestExtension} is available.
     *
     * @param name of its directory or container, unique for this owner
     * @param settings added to those that a migration needs
     * @throws io.wherry.embedded.ServerException when an embedded server does not start
     */
    PostgresServer postgres(String name, int major, Map<String, String> settings);

    /** Starts a broker and a registry, and returns when both answer. */
    Broker broker();

    /** A new directory on this machine, for the tests' own files. */
    Path temporaryDirectory(String prefix);

    /** Removes the servers, their data and the directories. */
    @Override
    void close();
}
