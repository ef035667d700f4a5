package io.wherry.cli;

import io.wherry.contract.config.Migration;
import io.wherry.embedded.ChildProcesses;
import io.wherry.embedded.EmbeddedKafka;
import io.wherry.embedded.EmbeddedRegistry;
import java.nio.file.Path;

/** The broker and registry that a migration uses: the configured ones, or embedded ones whose files are in a directory. */
public final class Broker implements AutoCloseable {
    private final ChildProcesses processes;
    private final BrokerDisk disk;
    private final Migration migration;

    private Broker(ChildProcesses processes, BrokerDisk disk, Migration migration) {
        this.processes = processes;
        this.disk = disk;
        this.migration = migration;
    }

    /** Starts what is not configured. Data of an earlier start in the directory is available again. */
    public static Broker start(Migration migration, Path directory) {
        if (!migration.kafka().isEmpty()) {
            return new Broker(null, null, migration);
        }
        ChildProcesses processes = new ChildProcesses();
        try {
            EmbeddedRegistry registry = EmbeddedRegistry.start(processes, directory.resolve("registry"));
            EmbeddedKafka kafka = EmbeddedKafka.start(processes, directory.resolve("kafka"));
            registry.awaitReady();
            return new Broker(
                    processes,
                    new BrokerDisk(directory.resolve("kafka")),
                    migration.withServers(kafka.clientProperties(), registry.url()));
        } catch (RuntimeException e) {
            processes.close();
            throw e;
        }
    }

    /** The migration with broker and registry filled in. */
    public Migration migration() {
        return migration;
    }

    /** Runs {@code action} before an embedded broker is stopped, also at Ctrl-C. */
    public void beforeClose(Runnable action) {
        if (processes != null) {
            processes.beforeClose(action);
        }
    }

    @Override
    public void close() {
        if (processes != null) {
            disk.close();
            processes.close();
        }
    }
}
