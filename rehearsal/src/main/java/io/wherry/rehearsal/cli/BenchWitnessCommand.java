package io.wherry.rehearsal.cli;

import io.wherry.bench.Bench;
import io.wherry.bench.WitnessBench;
import java.io.PrintWriter;
import picocli.CommandLine.Command;
import picocli.CommandLine.Option;

/** {@code wherry bench witness}. */
@Command(
        name = "witness",
        mixinStandardHelpOptions = true,
        description =
                "What the proof costs: the witness on the source while applications write, and a pass at full load"
                        + " while a backlog is applied; each with and without.",
        footer = {"", "Example:", "  wherry bench witness --rate 10000 --seconds 60 --rounds 3"})
final class BenchWitnessCommand extends OneBench {
    @Option(
            names = "--rate",
            defaultValue = "10000",
            description = "rows a second, in transactions of ten (default: ${DEFAULT-VALUE})")
    private int rate;

    @Option(
            names = "--seconds",
            defaultValue = "60",
            description = "of writing in each run (default: ${DEFAULT-VALUE})")
    private int seconds;

    @Option(
            names = "--rows",
            defaultValue = "500000",
            description = "rows of each of the two tables (default: ${DEFAULT-VALUE})")
    private long rows;

    @Option(
            names = "--changes",
            defaultValue = "500000",
            description = "updates of the backlog (default: ${DEFAULT-VALUE})")
    private long changes;

    @Option(
            names = "--rounds",
            defaultValue = "3",
            description = "runs of each way, in turns (default: ${DEFAULT-VALUE})")
    private int rounds;

    @Override
    Bench bench(PrintWriter progress) {
        atLeastOne(rate, seconds, rows, changes, rounds);
        return new WitnessBench(
                new WitnessBench.Options(rate, seconds, rows, changes, rounds, sourceVersion, targetVersion), progress);
    }
}
