package io.wherry.rehearsal.cli;

import io.wherry.bench.Bench;
import io.wherry.bench.BenchReport;
import io.wherry.cli.ExitCode;
import io.wherry.contract.error.ConfigurationException;
import io.wherry.contract.record.Json;
import java.io.PrintWriter;
import java.nio.file.Path;
import java.util.concurrent.Callable;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.Spec;

/** What all benches have in common. */
abstract class OneBench implements Callable<Integer> {
    @Option(
            names = "--source-version",
            defaultValue = "15",
            description = "PostgreSQL 10 to 18 (default: ${DEFAULT-VALUE})")
    int sourceVersion;

    @Option(
            names = "--target-version",
            defaultValue = "15",
            description = "PostgreSQL 11 to 18 (default: ${DEFAULT-VALUE})")
    int targetVersion;

    @Option(names = "--json", description = "print the report as JSON")
    private boolean json;

    @Option(names = "--report", paramLabel = "FILE.json", description = "write the report to this file")
    private Path report;

    @Spec
    private CommandSpec spec;

    abstract Bench bench(PrintWriter progress);

    /** @throws ConfigurationException unless each is 1 or more */
    void atLeastOne(long... values) {
        for (long value : values) {
            if (value < 1) {
                throw new ConfigurationException(
                        spec.qualifiedName(),
                        "numbers of rows, rounds and seconds, and rates, must be 1 or more",
                        "See " + spec.qualifiedName() + " --help");
            }
        }
    }

    @Override
    public Integer call() throws Exception {
        if (sourceVersion < 10 || targetVersion < sourceVersion || targetVersion > 18) {
            throw new ConfigurationException(
                    spec.qualifiedName(),
                    "versions must be 10 to 18, and the target's not the older one",
                    "See " + spec.qualifiedName() + " --help");
        }
        PrintWriter out = spec.commandLine().getOut();
        BenchReport found = bench(json ? spec.commandLine().getErr() : out).run();
        if (report != null) {
            Json.mapper().writerWithDefaultPrettyPrinter().writeValue(report.toFile(), found);
        }
        out.println(json ? Json.mapper().writeValueAsString(found) : BenchText.of(found));
        out.flush();
        return found.equal() ? ExitCode.DONE : ExitCode.DATA_DIFFER;
    }
}
