package io.wherry.rehearsal.cli;

import io.wherry.cli.ExitCode;
import io.wherry.contract.error.ConfigurationException;
import io.wherry.contract.record.Json;
import io.wherry.rehearsal.Rehearsal;
import io.wherry.rehearsal.RehearsalReport;
import java.io.IOException;
import java.io.PrintWriter;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Optional;
import java.util.concurrent.Callable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.Spec;

/** {@code wherry rehearse}: a whole migration on temporary servers with live traffic. */
@Command(
        name = "rehearse",
        mixinStandardHelpOptions = true,
        description = "Runs a whole migration on temporary embedded servers with live traffic, and reports the result.",
        footer = {
            "",
            "Examples:",
            "  wherry rehearse --rows 200000 --rate 500 --report r.json",
            "  wherry rehearse --dump shop.sql --source-version 15 --target-version 17"
        })
public final class RehearseCommand implements Callable<Integer> {
    @Option(
            names = "--rows",
            defaultValue = "100000",
            description = "rows of the sample database (default: ${DEFAULT-VALUE})")
    private long rows;

    @Option(names = "--rate", defaultValue = "200", description = "transactions a second (default: ${DEFAULT-VALUE})")
    private int rate;

    @Option(
            names = "--source-version",
            defaultValue = "11",
            description = "PostgreSQL 10 to 18 (default: ${DEFAULT-VALUE})")
    private int sourceVersion;

    @Option(
            names = "--target-version",
            defaultValue = "17",
            description = "PostgreSQL 11 to 18 (default: ${DEFAULT-VALUE})")
    private int targetVersion;

    @Option(
            names = "--dump",
            paramLabel = "FILE.sql",
            description = "load this dump instead of the sample (plain pg_dump)")
    private Path dump;

    @Option(names = "--report", paramLabel = "FILE.json", description = "write the report to this file")
    private Path report;

    @Option(names = "--seed", defaultValue = "1", description = "seed of the traffic (default: ${DEFAULT-VALUE})")
    private long seed;

    @Option(names = "--keep", description = "leave everything running at the end, until Ctrl-C")
    private boolean keep;

    @Option(names = "--json", description = "print the report as JSON and the progress as JSON lines")
    private boolean json;

    @Spec
    private CommandSpec spec;

    @Override
    public Integer call() throws IOException, InterruptedException {
        if (dump != null && !Files.isReadable(dump)) {
            throw new ConfigurationException("--dump", dump + " cannot be read", "Give a plain SQL dump");
        }
        if (rate < 1
                || rows < 1
                || sourceVersion < 10
                || sourceVersion > 18
                || targetVersion < sourceVersion
                || targetVersion > 18) {
            throw new ConfigurationException(
                    "rehearse",
                    "rows and rate must be 1 or more, versions 10 to 18, the target's version not the older one",
                    "See wherry rehearse --help");
        }
        PrintWriter out = spec.commandLine().getOut();
        Rehearsal.Options options =
                new Rehearsal.Options(rows, rate, sourceVersion, targetVersion, Optional.ofNullable(dump), seed, json);
        try (Rehearsal rehearsal = new Rehearsal(options, out)) {
            RehearsalReport found = rehearsal.run();
            if (report != null) {
                Json.mapper().writerWithDefaultPrettyPrinter().writeValue(report.toFile(), found);
            }
            out.println(json ? Json.mapper().writeValueAsString(found) : RehearsalText.of(found));
            out.flush();
            if (keep) {
                rehearsal.keep();
            }
            return exitCode(found);
        }
    }

    private static int exitCode(RehearsalReport found) {
        if (found.succeeded()) {
            return ExitCode.DONE;
        }
        return found.rowsDifferent() > 0 || !found.schemaDifferences().isEmpty() || found.acknowledgedWritesLost() > 0
                ? ExitCode.DATA_DIFFER
                : ExitCode.FAILED;
    }
}
