package io.wherry.soak;

import io.wherry.rehearsal.Directories;
import java.io.IOException;
import java.io.PrintWriter;
import java.nio.file.Path;
import java.sql.SQLException;
import java.util.List;

/** Runs of random histories under random faults, in episodes of one migration each. */
public final class Soak {
    private final Options options;
    private final PrintWriter out;

    /**
     * @param seed of the first episode; each further one has the next number
     * @param runsAnEpisode most runs on one migration
     * @param logs directory for what failing runs leave behind
     * @param keep leave everything running at the first failure
     */
    public record Options(
            int runs, long seed, int runsAnEpisode, int sourceVersion, int targetVersion, Path logs, boolean keep) {}

    /** @param out for one line a run */
    public Soak(Options options, PrintWriter out) {
        this.options = options;
        this.out = out;
    }

    /** @throws InterruptedException when it is being stopped */
    public SoakReport run() throws InterruptedException, SQLException, IOException {
        SoakReport total = SoakReport.none();
        try (SoakServers servers = new SoakServers(options.sourceVersion(), options.targetVersion())) {
            long seed = options.seed();
            while (total.runs() < options.runs()) {
                int runs = Math.min(options.runsAnEpisode(), options.runs() - total.runs());
                total = total.plus(episode(servers, seed, runs));
                if (options.keep() && !total.clean()) {
                    servers.processes().keep();
                    break;
                }
                seed++;
            }
        }
        return total;
    }

    private SoakReport episode(SoakServers servers, long seed, int runs)
            throws InterruptedException, SQLException, IOException {
        SoakReport total = SoakReport.none();
        Path directory = options.logs().resolve("seed-" + seed + "-" + System.currentTimeMillis());
        Episode episode = new Episode(servers, directory, seed);
        boolean keeping = false;
        try {
            while (total.runs() < runs && total.clean()) {
                SoakReport run = episode.run();
                total = total.plus(run);
                out.println(line(seed, total.runs(), run));
                out.flush();
            }
            List<String> ended = episode.ended();
            ended.forEach(line -> out.println("  ended by itself: " + line));
            keeping = options.keep() && !total.clean();
            if (total.clean()) {
                Directories.delete(directory);
            }
            return total.ended(ended.size());
        } finally {
            if (!keeping) {
                episode.close();
            }
        }
    }

    private static String line(long seed, int number, SoakReport run) {
        String verdict =
                run.clean() ? "equal" : "FAILED: " + run.failures().get(0).problem();
        return "seed %d run %d: %s, %d transactions, %d changes, recovered in %d ms, %s"
                .formatted(
                        seed,
                        number,
                        String.join(" + ", run.faults().keySet()),
                        run.transactions(),
                        run.changes(),
                        run.longestRecoveryMillis(),
                        verdict);
    }
}
