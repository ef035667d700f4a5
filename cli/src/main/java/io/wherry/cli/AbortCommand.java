package io.wherry.cli;

import io.wherry.cli.CoordinatorClient.Answer;
import io.wherry.contract.config.Migration;
import java.util.concurrent.Callable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.Spec;

/** {@code wherry abort}: ends a cutover in progress, so that the source serves again. */
@Command(
        name = "abort",
        mixinStandardHelpOptions = true,
        description = "Ends a cutover in progress before its point of no return; the source serves again.",
        footer = {"", "Example:", "  wherry abort -f m.yaml"})
final class AbortCommand implements Callable<Integer> {
    @Mixin
    private MigrationOption migration;

    @Option(names = "--json", description = "print the result as JSON")
    private boolean json;

    @Spec
    private CommandSpec spec;

    @Override
    public Integer call() {
        Migration read = migration.read();
        Answer answer = new CoordinatorClient(read, migration.directory(read)).order("/api/abort");
        boolean aborting = answer.body().path("aborting").asBoolean();
        String text = answer.failed()
                ? answer.message()
                : aborting ? "aborting, the source will serve again" : "there is no cutover to abort";
        spec.commandLine().getOut().println(json ? answer.body() : text);
        return aborting ? ExitCode.DONE : ExitCode.FAILED;
    }
}
