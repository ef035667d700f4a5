package io.wherry.rehearsal.cli;

import io.wherry.bench.Bench;
import io.wherry.bench.LagBench;
import java.io.PrintWriter;
import picocli.CommandLine.Command;
import picocli.CommandLine.Option;

/** {@code wherry bench lag}. */
@Command(
        name = "lag",
        mixinStandardHelpOptions = true,
        description =
                "How late the target is while applications write small transactions at a steady rate, and what the"
                        + " applications notice: Wherry through Kafka, and native logical replication.",
        footer = {"", "Example:", "  wherry bench lag --rate 1000 --seconds 60 --rounds 5"})
final class BenchLagCommand extends OneBench {
    @Option(names = "--rate", defaultValue = "1000", description = "transactions a second (default: ${DEFAULT-VALUE})")
    private int rate;

    @Option(
            names = "--seconds",
            defaultValue = "60",
            description = "of writing that are measured in each run (default: ${DEFAULT-VALUE})")
    private int seconds;

    @Option(
            names = "--warm-up",
            defaultValue = "20",
            description = "seconds of writing before, which are not measured; 0 for none (default: ${DEFAULT-VALUE})")
    private int warmUp;

    @Option(
            names = "--idle",
            defaultValue = "10",
            description = "seconds without writing before, of which the CPU time is measured; 0 for none (default:"
                    + " ${DEFAULT-VALUE})")
    private int idle;

    @Option(names = "--rows", defaultValue = "100000", description = "accounts (default: ${DEFAULT-VALUE})")
    private long rows;

    @Option(
            names = "--rounds",
            defaultValue = "5",
            description = "runs of each way, in turns (default: ${DEFAULT-VALUE})")
    private int rounds;

    @Override
    Bench bench(PrintWriter progress) {
        atLeastOne(rate, seconds, warmUp + 1, idle + 1, rows, rounds);
        return new LagBench(
                new LagBench.Options(rate, seconds, warmUp, idle, rows, rounds, sourceVersion, targetVersion),
                progress);
    }
}
