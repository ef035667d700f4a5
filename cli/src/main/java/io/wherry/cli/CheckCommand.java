package io.wherry.cli;

import io.wherry.contract.config.Migration;
import io.wherry.contract.error.Finding;
import io.wherry.contract.error.Finding.Severity;
import io.wherry.contract.record.Json;
import java.io.PrintWriter;
import java.nio.charset.StandardCharsets;
import java.util.List;
import java.util.Locale;
import java.util.concurrent.Callable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.Spec;

/** {@code wherry check}: the preflight; it changes nothing. */
@Command(
        name = "check",
        mixinStandardHelpOptions = true,
        description = "Checks servers, broker and registry and reports what prevents a start; changes nothing.",
        footer = {"", "Example:", "  wherry check -f m.yaml"})
final class CheckCommand implements Callable<Integer> {
    @Mixin
    private MigrationOption migration;

    @Option(names = "--json", description = "print the findings as JSON")
    private boolean json;

    @Spec
    private CommandSpec spec;

    @Override
    public Integer call() {
        Migration read = migration.read();
        List<Finding> findings = Preflight.findings(read);
        PrintWriter out = spec.commandLine().getOut();
        if (json) {
            out.println(new String(Json.write(findings), StandardCharsets.UTF_8));
        } else {
            findings.forEach(f -> out.println(f.severity().name().toLowerCase(Locale.ROOT) + ": " + f.explained()));
        }
        boolean refused = findings.stream().anyMatch(f -> f.severity() == Severity.ERROR);
        if (!refused && !json) {
            out.println("ok: " + read.name() + " can start");
        }
        return refused ? ExitCode.CONFIGURATION : ExitCode.DONE;
    }
}
