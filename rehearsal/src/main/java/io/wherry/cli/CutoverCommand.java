package io.wherry.cli;

import com.fasterxml.jackson.databind.JsonNode;
import io.wherry.cli.CoordinatorClient.Answer;
import io.wherry.contract.Migration;
import java.io.PrintWriter;
import java.util.concurrent.Callable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.Spec;

/** {@code wherry cutover}: fence, drain, verify, switch; any failure before the switch row leaves the source serving. */
@Command(
        name = "cutover",
        mixinStandardHelpOptions = true,
        description = "Hands traffic over to the target; aborts on any failure before the point of no return.",
        footer = {"", "Examples:", "  wherry cutover -f m.yaml --dry-run", "  wherry cutover -f m.yaml --yes"})
final class CutoverCommand implements Callable<Integer> {
    @Mixin
    private MigrationOption migration;

    @Option(names = "--dry-run", description = "print the plan, change nothing")
    private boolean dryRun;

    @Option(names = "--yes", description = "do not ask")
    private boolean yes;

    @Option(names = "--json", description = "print the result as JSON")
    private boolean json;

    @Spec
    private CommandSpec spec;

    @Override
    public Integer call() {
        Migration read = migration.read();
        CoordinatorClient client = new CoordinatorClient(read, migration.directory(read));
        PrintWriter out = spec.commandLine().getOut();
        if (!dryRun && !yes && !agreed(read)) {
            out.println("nothing was done; say --yes to cut over without being asked");
            return ExitCode.CONFIGURATION;
        }
        Answer answer = client.order("/api/cutover?dryRun=" + dryRun);
        return print(answer, out);
    }

    private static boolean agreed(Migration migration) {
        if (System.console() == null) {
            return false;
        }
        String answer = System.console()
                .readLine("Cut %s over from %s to %s? Type the name: ", migration.name(), migration.source(),
                        migration.target());
        return migration.name().equals(answer);
    }

    private int print(Answer answer, PrintWriter out) {
        JsonNode result = answer.body();
        if (json) {
            out.println(result);
        } else {
            out.println(result.path("outcome").asText("refused") + ": " + answer.message());
            result.path("plan").forEach(step -> out.println("  " + step.asText()));
        }
        return switch (result.path("outcome").asText()) {
            case "COMPLETED", "PLANNED" -> ExitCode.DONE;
            case "NOT_IN_SYNC" -> ExitCode.NOT_IN_SYNC;
            case "DATA_DIFFER" -> ExitCode.DATA_DIFFER;
            case "ABORTED" -> ExitCode.ABORTED;
            case "NEEDS_HUMAN" -> ExitCode.NEEDS_HUMAN;
            default -> ExitCode.FAILED;
        };
    }
}
