package io.wherry.rehearsal.cli;

import io.wherry.bench.Bench;
import io.wherry.bench.PassBench;
import java.io.PrintWriter;
import picocli.CommandLine.Command;
import picocli.CommandLine.Option;

/** {@code wherry bench pass}. */
@Command(
        name = "pass",
        mixinStandardHelpOptions = true,
        description =
                "A pass of the proof at full load, beside count(*), pg_dump to nowhere and a plain md5 aggregate.",
        footer = {"", "Example:", "  wherry bench pass --rows 1000000 --wide-rows 200000 --rounds 5"})
final class BenchPassCommand extends OneBench {
    @Option(
            names = "--rows",
            defaultValue = "1000000",
            description = "rows of the narrow table (default: ${DEFAULT-VALUE})")
    private long rows;

    @Option(
            names = "--wide-rows",
            defaultValue = "200000",
            description = "rows of the table with texts of 1 kB (default: ${DEFAULT-VALUE})")
    private long wideRows;

    @Option(
            names = "--rounds",
            defaultValue = "5",
            description = "runs of each way, in turns (default: ${DEFAULT-VALUE})")
    private int rounds;

    @Override
    Bench bench(PrintWriter progress) {
        atLeastOne(rows, wideRows, rounds);
        return new PassBench(new PassBench.Options(rows, wideRows, rounds, sourceVersion, targetVersion), progress);
    }
}
