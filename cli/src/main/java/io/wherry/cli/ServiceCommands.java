package io.wherry.cli;

import io.wherry.cli.log.LogFormat;
import io.wherry.contract.config.Flow;
import io.wherry.contract.config.Migration;
import io.wherry.contract.error.ConfigurationException;
import io.wherry.contract.http.ServiceHttp;
import io.wherry.contract.service.Service;
import io.wherry.coordinator.CutoverCoordinator;
import io.wherry.sink.SinkApplier;
import io.wherry.source.SourceConnector;
import java.nio.file.Path;
import java.util.Optional;
import java.util.concurrent.Callable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;

/** {@code wherry source}, {@code sink}, {@code coordinator}: one service in this process, until it ends or is stopped. */
abstract class ServiceCommands implements Callable<Integer> {
    @Mixin
    private MigrationOption migration;

    private final String name;

    /** @param name of the service, in its log */
    ServiceCommands(String name) {
        this.name = name;
    }

    abstract Service service(Migration read, Path directory);

    /** The service's own HTTP server; empty = nothing listens. */
    abstract Optional<ServiceHttp> http(Migration read, Path directory, Service service);

    @Override
    public Integer call() throws Exception {
        LogFormat.nameService(name);
        Migration read = migration.read();
        if (read.kafka().isEmpty()) {
            throw new ConfigurationException(
                    "kafka.bootstrap.servers",
                    "is missing",
                    "A service in a process of its own needs a broker and a registry that the other services can reach;"
                            + " to run all services in one process, use wherry up");
        }
        Path directory = migration.directory(read);
        try (Service service = service(read, directory);
                ServiceHttp http = http(read, directory, service).orElse(null)) {
            if (http != null) {
                http.start();
            }
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
        Source() {
            super("source-connector");
        }

        @Override
        Service service(Migration read, Path directory) {
            return new SourceConnector(Flow.first(read).groups().get(0));
        }

        @Override
        Optional<ServiceHttp> http(Migration read, Path directory, Service service) {
            return read.http()
                    .source()
                    .map(address -> new ServiceHttp("http.source", address, read, directory, service));
        }
    }

    @Command(
            name = "sink",
            mixinStandardHelpOptions = true,
            description = "Runs the sink-applier: applies load and changes to the target.",
            footer = {"", "Example:", "  wherry sink -f m.yaml"})
    static final class Sink extends ServiceCommands {
        Sink() {
            super("sink-applier");
        }

        @Override
        Service service(Migration read, Path directory) {
            return new SinkApplier(Flow.first(read));
        }

        @Override
        Optional<ServiceHttp> http(Migration read, Path directory, Service service) {
            return read.http().sink().map(address -> new ServiceHttp("http.sink", address, read, directory, service));
        }
    }

    @Command(
            name = "coordinator",
            mixinStandardHelpOptions = true,
            description = "Runs the cutover-coordinator: schema, lags, cutover, HTTP.",
            footer = {"", "Example:", "  wherry coordinator -f m.yaml"})
    static final class Coordinator extends ServiceCommands {
        Coordinator() {
            super("cutover-coordinator");
        }

        @Override
        Service service(Migration read, Path directory) {
            return new CutoverCoordinator(Flow.first(read), directory);
        }

        /** The coordinator serves its own API, at {@code http.listen}. */
        @Override
        Optional<ServiceHttp> http(Migration read, Path directory, Service service) {
            return Optional.empty();
        }
    }
}
