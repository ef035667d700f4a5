package io.wherry.rehearsal.cli;

import io.wherry.cli.ExitCode;
import io.wherry.contract.error.ConfigurationException;
import io.wherry.contract.record.Json;
import io.wherry.soak.Soak;
import io.wherry.soak.SoakReport;
import java.io.IOException;
import java.io.PrintWriter;
import java.io.UncheckedIOException;
import java.nio.file.Path;
import java.sql.SQLException;
import java.util.concurrent.Callable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.Spec;

/** {@code wherry soak}: random histories under random faults, and a comparison of target and source. */
@Command(
        name = "soak",
        mixinStandardHelpOptions = true,
        description = "Migrates random histories on temporary servers while processes are killed or hang and networks"
                + " fail, and compares source and target after each run.",
        footer = {"", "Example:", "  wherry soak --runs 30 --seed 1 --report soak.json"})
public final class SoakCommand implements Callable<Integer> {
    @Option(names = "--runs", defaultValue = "30", description = "number of runs (default: ${DEFAULT-VALUE})")
    private int runs;

    @Option(
            names = "--parallel",
            defaultValue = "1",
            description =
                    "migrations at the same time, each on its own servers: a run mostly waits (default: ${DEFAULT-VALUE})")
    private int parallel;

    @Option(
            names = "--seed",
            defaultValue = "1",
            description =
                    "seed of the first migration; each further migration has the next number (default: ${DEFAULT-VALUE})")
    private long seed;

    @Option(
            names = "--runs-per-migration",
            defaultValue = "15",
            description = "maximum number of runs on one migration (default: ${DEFAULT-VALUE})")
    private int runsPerMigration;

    @Option(
            names = "--source-version",
            defaultValue = "15",
            description = "PostgreSQL 10 to 18 (default: ${DEFAULT-VALUE})")
    private int sourceVersion;

    @Option(
            names = "--target-version",
            defaultValue = "17",
            description = "PostgreSQL 11 to 18 (default: ${DEFAULT-VALUE})")
    private int targetVersion;

    @Option(
            names = "--logs",
            paramLabel = "DIR",
            defaultValue = "soak-logs",
            description = "directory for the logs of failing runs (default: ${DEFAULT-VALUE})")
    private Path logs;

    @Option(
            names = "--report",
            paramLabel = "FILE.json",
            description = "write the report to this file after each migration")
    private Path report;

    @Option(names = "--keep", description = "end at the first failure and leave everything running")
    private boolean keep;

    @Option(names = "--json", description = "print the report as JSON")
    private boolean json;

    @Spec
    private CommandSpec spec;

    @Override
    public Integer call() throws IOException, InterruptedException, SQLException {
        if (runs < 1 || parallel < 1 || seed < 0 || runsPerMigration < 1) {
            throw new ConfigurationException(
                    "soak",
                    "runs and parallel migrations must be 1 or more, and the seed 0 or more",
                    "See wherry soak --help");
        }
        PrintWriter out =
                json ? spec.commandLine().getErr() : spec.commandLine().getOut();
        SoakReport found = new Soak(
                        new Soak.Options(
                                runs,
                                parallel,
                                seed,
                                runsPerMigration,
                                sourceVersion,
                                targetVersion,
                                logs.toAbsolutePath(),
                                keep),
                        out,
                        this::write)
                .run();
        PrintWriter answer = spec.commandLine().getOut();
        answer.println(json ? Json.mapper().writeValueAsString(found) : SoakText.of(found));
        answer.flush();
        boolean differs = found.rowsLost() + found.rowsDoubled() + found.rowsDifferent() + found.outOfOrder() > 0;
        return found.clean() ? ExitCode.DONE : differs ? ExitCode.DATA_DIFFER : ExitCode.FAILED;
    }

    private void write(SoakReport found) {
        if (report == null) {
            return;
        }
        try {
            Json.mapper().writerWithDefaultPrettyPrinter().writeValue(report.toFile(), found);
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }
}
