package io.wherry.cli;

import com.fasterxml.jackson.databind.JsonNode;
import io.wherry.contract.config.Migration;
import io.wherry.contract.error.ConfigurationException;
import java.io.PrintWriter;
import java.util.concurrent.Callable;
import java.util.concurrent.TimeUnit;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.Spec;

/** A command that prints the status, or a part of it, once or again and again. */
abstract class StatusView implements Callable<Integer> {
    private static final int PERIOD_SECONDS = 2;

    @Mixin
    private MigrationOption migration;

    @Option(names = "--watch", description = "repeat every two seconds, until Ctrl-C")
    private boolean watch;

    @Option(names = "--json", description = "print as JSON")
    private boolean json;

    @Option(names = "--show-values", description = "with passwords and values of rows in messages; needs the token")
    private boolean showValues;

    @Spec
    private CommandSpec spec;

    /** What {@code --json} prints. */
    abstract JsonNode json(JsonNode status);

    /** What is printed for people; ends with a line end. */
    abstract String text(JsonNode status);

    @Override
    public final Integer call() throws InterruptedException {
        Migration read = migration.read();
        CoordinatorClient client = new CoordinatorClient(read, migration.directory(read));
        PrintWriter out = spec.commandLine().getOut();
        while (true) {
            JsonNode status = status(client);
            out.println(json ? json(status).toString() : text(status).stripTrailing());
            if (!watch) {
                out.flush();
                return ExitCode.DONE;
            }
            if (!json) {
                out.println();
            }
            out.flush();
            TimeUnit.SECONDS.sleep(PERIOD_SECONDS);
        }
    }

    private JsonNode status(CoordinatorClient client) {
        CoordinatorClient.Answer answer = client.read("/api/status", showValues);
        if (answer.failed()) {
            throw new ConfigurationException(
                    "http",
                    answer.body().path("error").asText(),
                    answer.body().path("remedy").asText());
        }
        return answer.body();
    }
}
