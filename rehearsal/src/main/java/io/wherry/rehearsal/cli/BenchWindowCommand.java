package io.wherry.rehearsal.cli;

import io.wherry.bench.Bench;
import io.wherry.bench.WindowBench;
import io.wherry.contract.config.Migration.Views;
import java.io.PrintWriter;
import java.util.List;
import picocli.CommandLine.Command;
import picocli.CommandLine.Option;

/** {@code wherry bench window}. */
@Command(
        name = "window",
        mixinStandardHelpOptions = true,
        description =
                "The window of a cutover under live traffic, several times on the same data; the last one is a real"
                        + " cutover, the target refuses the switch row of the others.",
        footer = {"", "Example:", "  wherry bench window --rows 1000000,10000000 --rate 1000"})
final class BenchWindowCommand extends OneBench {
    @Option(
            names = "--rows",
            split = ",",
            defaultValue = "1000000",
            description =
                    "rows of the sample database; several numbers, several migrations (default: ${DEFAULT-VALUE})")
    private List<Long> rows;

    @Option(names = "--rate", defaultValue = "1000", description = "transactions a second (default: ${DEFAULT-VALUE})")
    private int rate;

    @Option(
            names = "--windows",
            defaultValue = "10",
            description = "windows of each migration (default: ${DEFAULT-VALUE})")
    private int windows;

    @Option(
            names = "--leave-keyless",
            description =
                    "the traffic leaves tables without a key alone, so that the window need not compare them whole")
    private boolean leaveKeyless;

    @Option(
            names = "--views-after",
            description = "with cutover.materialized-views: after, so that the window does not refresh them")
    private boolean viewsAfter;

    @Override
    Bench bench(PrintWriter progress) {
        atLeastOne(rate, windows);
        rows.forEach(this::atLeastOne);
        return new WindowBench(
                new WindowBench.Options(
                        rows,
                        rate,
                        windows,
                        viewsAfter ? Views.AFTER : Views.IN_WINDOW,
                        !leaveKeyless,
                        sourceVersion,
                        targetVersion),
                progress);
    }
}
