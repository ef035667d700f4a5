package io.wherry.cli;

import io.wherry.contract.config.Migration;
import io.wherry.contract.error.Masking;
import java.nio.file.Path;
import java.util.concurrent.Callable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.Spec;

/** {@code wherry up}: all three services in one process, with an embedded broker and registry unless configured. */
@Command(
        name = "up",
        mixinStandardHelpOptions = true,
        description = "Runs the whole migration in this process until the cutover is complete or Ctrl-C.",
        footer = {"", "Example:", "  wherry up -f m.yaml"})
final class UpCommand implements Callable<Integer> {
    @Mixin
    private MigrationOption migration;

    @Option(names = "--json", description = "print the status as JSON lines instead of progress")
    private boolean json;

    @Spec
    private CommandSpec spec;

    @Override
    public Integer call() {
        Migration read = migration.read();
        Path directory = migration.directory(read);
        Preflight.require(read);
        try (Broker broker = Broker.start(read, directory);
                Services services = new Services(broker.migration(), directory);
                Progress progress = new Progress(spec.commandLine().getOut(), services.coordinator()::status, json)) {
            broker.beforeClose(services::close);
            progress.start();
            Services.runUntilStopped(services);
            if (!json) {
                services.coordinator().status().nextSteps().forEach(step -> spec.commandLine()
                        .getOut()
                        .println("next: " + Masking.mask(step)));
            }
        }
        return ExitCode.DONE;
    }
}
