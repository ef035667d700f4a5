package io.wherry.soak;

import io.wherry.embedded.Directories;
import java.io.IOException;
import java.io.PrintWriter;
import java.nio.file.Path;
import java.sql.SQLException;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.concurrent.TimeUnit;
import java.util.function.Consumer;

/** Runs of random histories under random faults, in episodes of one migration each. */
public final class Soak {
    private final Options options;
    private final PrintWriter out;
    private final Consumer<SoakReport> soFar;
    private SoakReport total = SoakReport.none();
    private long seed;
    private int given;

    /**
     * @param parallel migrations at the same time, each on its own servers
     * @param seed of the first episode; each further episode has the next number
     * @param runsAnEpisode maximum number of runs on one migration
     * @param logs directory for the logs of failing runs
     * @param keep leave everything running at the first failure
     */
    public record Options(
            int runs,
            int parallel,
            long seed,
            int runsAnEpisode,
            int sourceVersion,
            int targetVersion,
            Path logs,
            boolean keep) {}

    /**
     * @param out gets one line for each run
     * @param soFar gets the report of all finished migrations after each migration: a soak of hours may be stopped
     */
    public Soak(Options options, PrintWriter out, Consumer<SoakReport> soFar) {
        this.options = options;
        this.out = out;
        this.soFar = soFar;
        this.seed = options.seed();
    }

    /** @throws InterruptedException when the soak is stopped */
    public SoakReport run() throws InterruptedException, SQLException, IOException {
        ExecutorService lanes = Executors.newFixedThreadPool(options.parallel());
        try {
            List<Future<Void>> ends = new ArrayList<>();
            for (int lane = 0; lane < options.parallel(); lane++) {
                ends.add(lanes.submit(this::lane));
            }
            for (Future<Void> end : ends) {
                end.get();
            }
            return total();
        } catch (ExecutionException e) {
            throw new IllegalStateException("The soak itself failed", e.getCause());
        } finally {
            // The other threads end their servers.
            lanes.shutdownNow();
            lanes.awaitTermination(1, TimeUnit.MINUTES);
        }
    }

    /** Runs migrations one after another, on its own servers. */
    private Void lane() throws InterruptedException, SQLException, IOException {
        try (SoakServers servers = new SoakServers(options.sourceVersion(), options.targetVersion())) {
            for (Share share = next(); share.runs() > 0; share = next()) {
                SoakReport report = episode(servers, share.seed(), share.runs());
                if (options.keep() && !report.clean()) {
                    servers.processes().keep();
                }
                done(share, report);
            }
        }
        return null;
    }

    private synchronized SoakReport total() {
        return total;
    }

    /** Runs of one migration. */
    private record Share(long seed, int runs) {}

    private synchronized Share next() {
        int evenly = (options.runs() + options.parallel() - 1) / options.parallel();
        int runs = Math.min(Math.min(options.runsAnEpisode(), evenly), options.runs() - given);
        given += runs;
        return new Share(seed++, runs);
    }

    /**
     * The next migration gets the runs that a failed one did not do; no migration gets them if the failed one is kept running.
     */
    private synchronized void done(Share share, SoakReport report) {
        given = options.keep() && !report.clean() ? options.runs() : given - (share.runs() - report.runs());
        total = total.plus(report);
        soFar.accept(total);
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
