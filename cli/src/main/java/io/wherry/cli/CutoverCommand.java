package io.wherry.cli;

import com.fasterxml.jackson.databind.JsonNode;
import io.wherry.cli.CoordinatorClient.Answer;
import io.wherry.contract.config.Migration;
import io.wherry.coordinator.cutover.Force;
import java.io.PrintWriter;
import java.util.EnumSet;
import java.util.Set;
import java.util.concurrent.Callable;
import java.util.stream.Collectors;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.Spec;

/** {@code wherry cutover}: fence, drain, verify, switch. After any failure before the switch row, the source serves. */
@Command(
        name = "cutover",
        mixinStandardHelpOptions = true,
        description = "Hands traffic over to the target; aborts on any failure before the point of no return.",
        footer = {
            "",
            "Examples:",
            "  wherry cutover -f m.yaml --dry-run",
            "  wherry cutover -f m.yaml --yes",
            "  wherry cutover -f m.yaml --force verify"
        })
final class CutoverCommand implements Callable<Integer> {
    @Mixin
    private MigrationOption migration;

    @Option(names = "--dry-run", description = "print the plan, change nothing")
    private boolean dryRun;

    @Option(names = "--yes", description = "do not ask for confirmation")
    private boolean yes;

    @Option(
            names = "--force",
            paramLabel = "CHECK",
            description =
                    "verify: begin although the comparison in the window is expected to take more than half of"
                            + " cutover.max-downtime, or a proof is older than verify.max-age; rows that differ still prevent the cutover")
    private Set<Force> forced = EnumSet.noneOf(Force.class);

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
            out.println("nothing was done; use --yes to cut over without a confirmation");
            return ExitCode.CONFIGURATION;
        }
        Answer answer = client.order("/api/cutover?dryRun=" + dryRun + force());
        return print(answer, out);
    }

    private String force() {
        return forced.stream().map(force -> "&force=" + force.text()).collect(Collectors.joining());
    }

    private static boolean agreed(Migration migration) {
        if (System.console() == null) {
            return false;
        }
        String answer = System.console()
                .readLine(
                        "Cut %s over from %s to %s? Type the migration's name: ",
                        migration.name(), migration.source(), migration.target());
        return migration.name().equals(answer);
    }

    private int print(Answer answer, PrintWriter out) {
        JsonNode result = answer.body();
        if (json) {
            out.println(result);
        } else {
            result.path("plan").forEach(step -> out.println("  " + step.asText()));
            out.println(answer.failed() ? answer.message() : summary(result));
        }
        return switch (result.path("outcome").asText()) {
            case "COMPLETED", "PLANNED" -> ExitCode.DONE;
            case "REFUSED" -> ExitCode.NOT_IN_SYNC;
            case "ABORTED" -> ExitCode.ABORTED;
            default -> ExitCode.FAILED;
        };
    }

    private static String summary(JsonNode result) {
        String reason = result.path("reason").asText();
        return switch (result.path("outcome").asText()) {
            case "COMPLETED" ->
                String.format(
                        "completed: the target serves; window %.2f s",
                        result.path("windowSeconds").asDouble());
            case "REFUSED" -> "refused, nothing was done: " + reason;
            case "ABORTED" -> "aborted, the source serves: " + reason;
            default -> "this is the plan; nothing was done";
        };
    }
}
