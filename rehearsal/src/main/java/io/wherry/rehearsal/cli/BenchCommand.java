package io.wherry.rehearsal.cli;

import io.wherry.bench.Bench;
import io.wherry.bench.BenchReport;
import io.wherry.bench.CatchupBench;
import io.wherry.bench.PassBench;
import io.wherry.bench.WindowBench;
import io.wherry.bench.WitnessBench;
import io.wherry.cli.ExitCode;
import io.wherry.contract.error.ConfigurationException;
import io.wherry.contract.record.Json;
import java.io.PrintWriter;
import java.nio.file.Path;
import java.util.Iterator;
import java.util.List;
import java.util.concurrent.Callable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.Spec;

/** {@code wherry bench}: measurements of Wherry beside what others do for the same, on servers of its own. */
@Command(
        name = "bench",
        mixinStandardHelpOptions = true,
        description =
                "Measures Wherry beside what others do for the same, on temporary embedded servers of its own. Both run"
                        + " in turns, and both sides are compared after each run. Figures count only on a machine that does nothing else.",
        subcommands = {
            BenchCommand.PassCommand.class,
            BenchCommand.WindowCommand.class,
            BenchCommand.WitnessCommand.class,
            BenchCommand.CatchupCommand.class
        },
        footer = {"", "Example:", "  wherry bench pass --rows 1000000"})
public final class BenchCommand implements Runnable {
    @Spec
    private CommandSpec spec;

    @Override
    public void run() {
        spec.commandLine().usage(spec.commandLine().getOut());
    }

    /** What all benches have in common. */
    abstract static class OneBench implements Callable<Integer> {
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

    /** {@code wherry bench pass}. */
    @Command(
            name = "pass",
            mixinStandardHelpOptions = true,
            description =
                    "A pass of the proof at full load, beside count(*), pg_dump to nowhere and a plain md5 aggregate.",
            footer = {"", "Example:", "  wherry bench pass --rows 1000000 --wide-rows 200000 --rounds 5"})
    static final class PassCommand extends OneBench {
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

    /** {@code wherry bench window}. */
    @Command(
            name = "window",
            mixinStandardHelpOptions = true,
            description =
                    "The window of a cutover under live traffic, several times on the same data; the last one is a real"
                            + " cutover, the target refuses the switch row of the others.",
            footer = {"", "Example:", "  wherry bench window --rows 1000000,10000000 --rate 1000"})
    static final class WindowCommand extends OneBench {
        @Option(
                names = "--rows",
                split = ",",
                defaultValue = "1000000",
                description =
                        "rows of the sample database; several numbers, several migrations (default: ${DEFAULT-VALUE})")
        private List<Long> rows;

        @Option(
                names = "--rate",
                defaultValue = "1000",
                description = "transactions a second (default: ${DEFAULT-VALUE})")
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

        @Override
        Bench bench(PrintWriter progress) {
            atLeastOne(rate, windows);
            rows.forEach(this::atLeastOne);
            return new WindowBench(
                    new WindowBench.Options(rows, rate, windows, !leaveKeyless, sourceVersion, targetVersion),
                    progress);
        }
    }

    /** {@code wherry bench witness}. */
    @Command(
            name = "witness",
            mixinStandardHelpOptions = true,
            description =
                    "What the proof costs: the witness on the source while applications write, and a pass at full load"
                            + " while a backlog is applied; each with and without.",
            footer = {"", "Example:", "  wherry bench witness --rate 10000 --seconds 60 --rounds 3"})
    static final class WitnessCommand extends OneBench {
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
                    new WitnessBench.Options(rate, seconds, rows, changes, rounds, sourceVersion, targetVersion),
                    progress);
        }
    }

    /** {@code wherry bench catchup}. */
    @Command(
            name = "catchup",
            mixinStandardHelpOptions = true,
            description = "A backlog of changes, applied by Wherry through Kafka and by native logical replication.",
            footer = {"", "Example:", "  wherry bench catchup --kind update --rows 500000 --changes 500000 --rounds 5"})
    static final class CatchupCommand extends OneBench {
        @Option(
                names = "--kind",
                defaultValue = "insert",
                description = "${COMPLETION-CANDIDATES} (default: ${DEFAULT-VALUE})",
                completionCandidates = Kinds.class)
        private String kind;

        @Option(
                names = "--rows",
                defaultValue = "500000",
                description = "rows of the table before the backlog, 2000 or more (default: ${DEFAULT-VALUE})")
        private long rows;

        @Option(
                names = "--changes",
                defaultValue = "1000000",
                description = "rows that the backlog changes (default: ${DEFAULT-VALUE})")
        private long changes;

        @Option(
                names = "--rounds",
                defaultValue = "5",
                description = "runs of each way, in turns (default: ${DEFAULT-VALUE})")
        private int rounds;

        /** For the help. */
        static final class Kinds implements Iterable<String> {
            @Override
            public Iterator<String> iterator() {
                return CatchupBench.kinds().iterator();
            }
        }

        @Override
        Bench bench(PrintWriter progress) {
            atLeastOne(rows / 2_000, changes, rounds);
            if (!CatchupBench.kinds().contains(kind)) {
                throw new ConfigurationException(
                        "--kind", "'" + kind + "' is not a kind of changes", "Give one of " + CatchupBench.kinds());
            }
            return new CatchupBench(
                    new CatchupBench.Options(kind, rows, changes, rounds, sourceVersion, targetVersion), progress);
        }
    }
}
