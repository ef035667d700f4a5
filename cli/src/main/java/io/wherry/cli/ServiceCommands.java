package io.wherry.cli;

import io.wherry.contract.config.Flow;
import io.wherry.contract.config.Migration;
import io.wherry.contract.error.ConfigurationException;
import io.wherry.contract.service.Service;
import io.wherry.coordinator.CutoverCoordinator;
import io.wherry.sink.SinkApplier;
import io.wherry.source.SourceConnector;
import java.nio.file.Path;
import java.util.concurrent.Callable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;

/** {@code wherry source}, {@code sink}, {@code coordinator}: one service in this process, until it ends or is stopped. */
abstract class ServiceCommands implements Callable<Integer> {
    @Mixin
    private MigrationOption migration;

    abstract Service service(Migration read, Path directory);

    @Override
    public Integer call() throws Exception {
        Migration read = migration.read();
        if (read.kafka().isEmpty()) {
            throw new ConfigurationException(
                    "kafka.bootstrap.servers",
                    "is missing",
                    "A service in a process of its own needs a broker and a registry that the other services can reach;"
                            + " to run all services in one process, use wherry up");
        }
        try (Service service = service(read, migration.directory(read))) {
            Services.runUntilStopped(service);
        }
        return ExitCode.DONE;
    }

    @Command(
            name = "source",
            mixinStandardHelpOptions = true,
            description = "Runs the source-connector: captures load and changes into Kafka.",
            footer = {"", "Example:", "  wherry source -f m.yaml"})
    static final class Source extends ServiceCommands {
        @Override
        Service service(Migration read, Path directory) {
            return new SourceConnector(Flow.first(read).groups().get(0));
        }
    }

    @Command(
            name = "sink",
            mixinStandardHelpOptions = true,
            description = "Runs the sink-applier: applies load and changes to the target.",
            footer = {"", "Example:", "  wherry sink -f m.yaml"})
    static final class Sink extends ServiceCommands {
        @Override
        Service service(Migration read, Path directory) {
            return new SinkApplier(Flow.first(read));
        }
    }

    @Command(
            name = "coordinator",
            mixinStandardHelpOptions = true,
            description = "Runs the cutover-coordinator: schema, lags, cutover, HTTP.",
            footer = {"", "Example:", "  wherry coordinator -f m.yaml"})
    static final class Coordinator extends ServiceCommands {
        @Override
        Service service(Migration read, Path directory) {
            return new CutoverCoordinator(Flow.first(read), directory);
        }
    }
}
