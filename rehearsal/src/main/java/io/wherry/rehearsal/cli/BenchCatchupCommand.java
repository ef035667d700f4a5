package io.wherry.rehearsal.cli;

import io.wherry.bench.Bench;
import io.wherry.bench.CatchupBench;
import io.wherry.contract.error.ConfigurationException;
import java.io.PrintWriter;
import java.util.Iterator;
import picocli.CommandLine.Command;
import picocli.CommandLine.Option;

/** {@code wherry bench catchup}. */
@Command(
        name = "catchup",
        mixinStandardHelpOptions = true,
        description = "A backlog of changes, applied by Wherry through Kafka and by native logical replication.",
        footer = {"", "Example:", "  wherry bench catchup --kind update --rows 500000 --changes 500000 --rounds 5"})
final class BenchCatchupCommand extends OneBench {
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
