package io.wherry.rehearsal.cli;

import io.wherry.bench.Bench;
import io.wherry.bench.RebuildBench;
import java.io.PrintWriter;
import picocli.CommandLine.Command;
import picocli.CommandLine.Option;

/** {@code wherry bench rebuild}. */
@Command(
        name = "rebuild",
        mixinStandardHelpOptions = true,
        description = "A rebuild of narrow rows from the topics, beside the first load that filled them.",
        footer = {"", "Example:", "  wherry bench rebuild --rows 2000000 --rounds 5"})
final class BenchRebuildCommand extends OneBench {
    @Option(names = "--rows", defaultValue = "2000000", description = "rows of the table (default: ${DEFAULT-VALUE})")
    private long rows;

    @Option(
            names = "--rounds",
            defaultValue = "5",
            description = "runs of each way, in turns (default: ${DEFAULT-VALUE})")
    private int rounds;

    @Override
    Bench bench(PrintWriter progress) {
        atLeastOne(rows, rounds);
        return new RebuildBench(new RebuildBench.Options(rows, rounds, sourceVersion, targetVersion), progress);
    }
}
