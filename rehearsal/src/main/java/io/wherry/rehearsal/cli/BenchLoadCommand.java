package io.wherry.rehearsal.cli;

import io.wherry.bench.Bench;
import io.wherry.bench.LoadBench;
import java.io.PrintWriter;
import picocli.CommandLine.Command;
import picocli.CommandLine.Option;

/** {@code wherry bench load}. */
@Command(
        name = "load",
        mixinStandardHelpOptions = true,
        description = "The full load of narrow rows, beside a pipe of pg_dump and pg_restore and a native copy.",
        footer = {"", "Example:", "  wherry bench load --rows 10000000 --rounds 5"})
final class BenchLoadCommand extends OneBench {
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
        return new LoadBench(new LoadBench.Options(rows, rounds, sourceVersion, targetVersion), progress);
    }
}
