package io.wherry.bench;

import io.wherry.bench.BenchReport.Run;
import java.io.PrintWriter;
import java.time.Duration;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/**
 * What the proof costs: the witness on the source while applications write, and a pass at full load while a backlog is applied.
 * Each is measured with and without, in turns.
 */
public final class WitnessBench implements Bench {
    private static final String DATABASE = "witness";
    private static final String ON = "witness on";
    private static final String OFF = "witness off";
    private static final int HALF = 50;
    private static final int MARKS_APART = 1_000;
    private static final long FIRST_KEY = 1_000_000_000_000L;

    private final Options options;
    private final Results results;
    private final String subject;

    /**
     * @param rate rows a second
     * @param seconds of writing in each run
     * @param rows of each of two tables: one that changes, one that the pass reads
     * @param changes of the backlog
     */
    public record Options(
            int rate, int seconds, long rows, long changes, int rounds, int sourceVersion, int targetVersion) {}

    /** @param progress gets a line for each run */
    public WitnessBench(Options options, PrintWriter progress) {
        this.options = options;
        this.results = new Results("witness", progress);
        subject = "%,d rows/s for %d s".formatted(options.rate(), options.seconds());
    }

    @Override
    public BenchReport run() throws Exception {
        results.setting("rows/s", options.rate());
        results.setting("seconds", options.seconds());
        results.setting("rows of each table", options.rows());
        results.setting("changes of the backlog", options.changes());
        results.setting("rounds", options.rounds());
        results.note(
                "Applications write transactions of ten rows over four sessions, inserts and updates by turns. Passes and"
                        + " rechecks are stopped meanwhile, so that the difference is the witness alone.");
        results.note("Both servers, the broker, the registry, Wherry and the writers share the machine.");
        try (BenchServers servers = new BenchServers(options.sourceVersion(), options.targetVersion(), true)) {
            servers.describe(results);
            LiveMigration.create(servers, DATABASE, options.rows());
            for (int round = 1; round <= options.rounds(); round++) {
                steady(servers, round, false);
                steady(servers, round, true);
            }
            summarize();
            new BacklogBesidePass(servers, results, options).measure(DATABASE, 0);
        }
        return results.report();
    }

    /** Applications write; the witness reads along, or not. */
    private void steady(BenchServers servers, int round, boolean witness) throws Exception {
        int number = 2 * round + (witness ? 1 : 0);
        try (LiveMigration live =
                LiveMigration.start(servers, DATABASE, witness, HALF, Duration.ofSeconds(2), number * MARKS_APART)) {
            if (witness) {
                live.pipeline().coordinator().proof().stop();
            }
            servers.checkpoint();
            List<String> slots = live.slots();
            try (SlotSampler sampler = new SlotSampler(servers.open(true, DATABASE), slots)) {
                Cpu cpu = servers.cpu();
                Cpu.Used before = cpu.now();
                long began = System.nanoTime();
                long rows = PacedWriter.write(
                        () -> servers.open(true, DATABASE), options.rate(), options.seconds(), number * FIRST_KEY);
                double seconds = (System.nanoTime() - began) / 1e9;
                live.awaitArrival();
                Map<String, Double> more = new LinkedHashMap<>();
                more.put("rows/s", rows / seconds);
                more.put("s behind at the end", (System.nanoTime() - began) / 1e9 - seconds);
                add(more, "changes", sampler.of(slots.get(0)).orElseThrow());
                if (witness) {
                    add(more, "witness", sampler.of(slots.get(1)).orElseThrow());
                }
                results.run(new Run(
                        subject,
                        witness ? ON : OFF,
                        round,
                        seconds,
                        rows,
                        cpu.now().since(before).seconds(),
                        more));
            }
            live.compare(results, subject + ", round " + round);
        }
    }

    private static void add(Map<String, Double> more, String slot, SlotSampler.Seen seen) {
        more.put("CPU s of the wal sender of the " + slot, seen.cpuSeconds());
        more.put("MB kept for the " + slot + " at most", seen.mostRetained() / 1e6);
    }

    private void summarize() {
        List<List<String>> rows = new ArrayList<>();
        for (String way : List.of(OFF, ON)) {
            rows.add(List.of(
                    way,
                    cell(way, "rows/s"),
                    cell(way, "CPU s of the wal sender of the changes"),
                    way.equals(ON) ? cell(way, "CPU s of the wal sender of the witness") : "",
                    cell(way, "MB kept for the changes at most"),
                    way.equals(ON) ? cell(way, "MB kept for the witness at most") : "",
                    cpu(way, "source"),
                    cpu(way, Cpu.OURS),
                    cell(way, "s behind at the end")));
        }
        results.table(
                subject + " (medians)",
                List.of(
                        "way",
                        "rows/s written",
                        "CPU s wal sender, changes",
                        "CPU s wal sender, witness",
                        "MB of log kept at most, changes",
                        "MB of log kept at most, witness",
                        "CPU s source",
                        "CPU s Wherry",
                        "s behind at the end"),
                rows);
        double sender = median(ON, "CPU s of the wal sender of the witness");
        double written = results.median(subject, ON, Run::rows);
        results.figure(subject + ": CPU of the witness' wal sender", sender, "s");
        results.figure(subject + ": the same a million rows", sender / written * 1e6, "s");
        results.figure(
                subject + ": log kept for the witness at most", median(ON, "MB kept for the witness at most"), "MB");
        results.figure(
                subject + ": CPU of the source, witness on / off",
                results.median(subject, ON, run -> run.cpuSeconds().get("source"))
                        / results.median(subject, OFF, run -> run.cpuSeconds().get("source")),
                "");
    }

    private double median(String way, String value) {
        return results.median(subject, way, run -> run.more().get(value));
    }

    private String cell(String way, String value) {
        return Results.number(median(way, value));
    }

    private String cpu(String way, String process) {
        return Results.number(
                results.median(subject, way, run -> run.cpuSeconds().get(process)));
    }
}
