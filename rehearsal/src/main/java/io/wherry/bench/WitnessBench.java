package io.wherry.bench;

import io.wherry.bench.BenchReport.Run;
import io.wherry.contract.config.Migration;
import io.wherry.contract.config.Migration.Verify;
import io.wherry.coordinator.sql.Queries;
import io.wherry.embedded.ServerException;
import java.io.PrintWriter;
import java.sql.Connection;
import java.sql.SQLException;
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
    private static final Duration LIMIT = Duration.ofMinutes(30);
    private static final long POLL_MILLIS = 50;
    private static final String DATABASE = "witness";
    private static final String ON = "witness on";
    private static final String OFF = "witness off";
    private static final String WITH = "with a pass";
    private static final String WITHOUT = "without a pass";
    private static final double SPEED_BAR = 0.8;
    private static final long FIRST_KEY = 1_000_000_000_000L;

    private final Options options;
    private final Results results;
    private int marks;

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
        results.note(
                "The backlog of updates waits in the slot. Its time counts from its first change on the target to its last."
                        + " The pass runs at verify.load 100, again and again, and cutover.max-lag is an hour: with the default the"
                        + " proof pauses while the target is behind, and costs nothing then.");
        results.note("Both servers, the broker, the registry, Wherry and the writers share the machine.");
        try (BenchServers servers = new BenchServers(options.sourceVersion(), options.targetVersion(), true)) {
            servers.describe(results);
            servers.create(DATABASE);
            servers.run(true, DATABASE, List.of("CREATE SCHEMA bench"));
            servers.run(true, DATABASE, Workload.UPDATE.creation(options.rows()));
            servers.run(
                    true,
                    DATABASE,
                    List.of(
                            "CREATE TABLE bench.still (LIKE bench.events INCLUDING ALL)",
                            "INSERT INTO bench.still SELECT * FROM bench.events",
                            "VACUUM ANALYZE"));
            for (int round = 1; round <= options.rounds(); round++) {
                steady(servers, round, false);
                steady(servers, round, true);
            }
            backlogs(servers);
        }
        summarizeWitness();
        summarizePass();
        return results.report();
    }

    private String writing() {
        return "%,d rows/s for %d s".formatted(options.rate(), options.seconds());
    }

    private String backlog() {
        return "backlog of %,d updates".formatted(options.changes());
    }

    /** Applications write; the witness reads along, or not. */
    private void steady(BenchServers servers, int round, boolean witness) throws Exception {
        Migration migration = servers.migration(
                DATABASE,
                List.of("bench.*"),
                new Verify(witness, 50, Verify.DEFAULT.wholeWithin(), Verify.DEFAULT.maxAge()),
                Duration.ofSeconds(2));
        List<String> slots = BenchServers.slots(migration);
        try (Pipeline pipeline = new Pipeline(migration, servers.directory());
                Connection source = servers.open(true, DATABASE);
                Connection target = servers.open(false, DATABASE)) {
            servers.processes().beforeClose(pipeline::close);
            pipeline.start();
            pipeline.awaitInSync();
            if (witness) {
                awaitProof(pipeline, source, slots.get(1));
                pipeline.coordinator().proof().stop();
            }
            servers.checkpoint();
            try (SlotSampler sampler = new SlotSampler(servers.open(true, DATABASE), slots)) {
                Cpu cpu = servers.cpu();
                Cpu.Used before = cpu.now();
                long began = System.nanoTime();
                long rows = PacedWriter.write(
                        () -> servers.open(true, DATABASE),
                        options.rate(),
                        options.seconds(),
                        FIRST_KEY + (2L * round + (witness ? 1 : 0)) * FIRST_KEY);
                double seconds = (System.nanoTime() - began) / 1e9;
                arrived(pipeline, source, target);
                Map<String, Double> more = new LinkedHashMap<>();
                more.put("rows/s", rows / seconds);
                more.put("s behind at the end", (System.nanoTime() - began) / 1e9 - seconds);
                add(more, "changes", sampler.of(slots.get(0)).orElseThrow());
                if (witness) {
                    add(more, "witness", sampler.of(slots.get(1)).orElseThrow());
                }
                results.run(new Run(
                        writing(),
                        witness ? ON : OFF,
                        round,
                        seconds,
                        rows,
                        cpu.now().since(before).seconds(),
                        more));
            }
            compare(writing() + ", round " + round, source, target);
        }
    }

    private static void add(Map<String, Double> more, String slot, SlotSampler.Seen seen) {
        more.put("CPU s of the wal sender of the " + slot, seen.cpuSeconds());
        more.put("MB kept for the " + slot + " at most", seen.mostRetained() / 1e6);
    }

    private static void awaitProof(Pipeline pipeline, Connection source, String slot) throws Exception {
        Waits.until("the witness", LIMIT, POLL_MILLIS, () -> {
            pipeline.requireRunning();
            return Queries.truth(
                            source,
                            "SELECT EXISTS (SELECT FROM pg_replication_slots WHERE active AND slot_name = '" + slot
                                    + "')")
                    && pipeline.coordinator().status().proof().tables() > 0;
        });
    }

    /** Everything that was committed is on the target. */
    private void arrived(Pipeline pipeline, Connection source, Connection target) throws Exception {
        int mark = -100 - marks++;
        Queries.execute(source, Workload.UPDATE.marker("bench.events", mark));
        Waits.until("the end of the changes", LIMIT, POLL_MILLIS, () -> {
            pipeline.requireRunning();
            return Queries.truth(target, "SELECT EXISTS (SELECT FROM bench.events WHERE id = " + mark + ")");
        });
    }

    private void compare(String subject, Connection source, Connection target) throws SQLException {
        List<String> tables = List.of("bench.events", "bench.still");
        results.compared(subject, Digests.of(source, tables), Digests.of(target, tables));
    }

    private void backlogs(BenchServers servers) throws Exception {
        Migration migration = servers.migration(
                DATABASE,
                List.of("bench.*"),
                new Verify(true, 100, Verify.DEFAULT.wholeWithin(), Verify.DEFAULT.maxAge()),
                Duration.ofHours(1));
        try (Pipeline pipeline = new Pipeline(migration, servers.directory());
                Connection source = servers.open(true, DATABASE);
                Connection target = servers.open(false, DATABASE)) {
            servers.processes().beforeClose(pipeline::close);
            pipeline.start();
            pipeline.awaitInSync();
            awaitProof(pipeline, source, BenchServers.slots(migration).get(1));
            for (int round = 1; round <= options.rounds(); round++) {
                drain(servers, pipeline, round, false, source, target);
                drain(servers, pipeline, round, true, source, target);
            }
        }
    }

    private void drain(
            BenchServers servers, Pipeline pipeline, int round, boolean pass, Connection source, Connection target)
            throws Exception {
        pipeline.coordinator().proof().stop();
        Queries.execute(source, "DELETE FROM bench.events WHERE id IN (" + Workload.FIRST + ", " + Workload.LAST + ")");
        arrived(pipeline, source, target);
        pipeline.stopStreaming();
        long written = Workload.UPDATE.write(source, options.changes(), options.rows());
        servers.checkpoint();
        if (pass) {
            pipeline.coordinator().proof().resume();
        }
        pipeline.startSink();
        long begun = System.nanoTime();
        pipeline.startCapture();
        try (Passes passes = new Passes(pipeline.coordinator(), "bench.still", pass)) {
            Arrival arrival = Arrival.await(target, Workload.UPDATE, servers.cpu(), begun, pipeline::requireRunning);
            long compared = passes.rowsCompared();
            if (pass && compared == 0) {
                throw new ServerException("no pass ran while the backlog was applied: "
                        + pipeline.coordinator().status().proof());
            }
            results.run(new Run(
                    backlog(),
                    pass ? WITH : WITHOUT,
                    round,
                    arrival.seconds(),
                    written,
                    arrival.cpu().seconds(),
                    Map.of("start s", arrival.startSeconds(), "rows compared", (double) compared)));
        }
        compare(backlog() + ", round " + round, source, target);
    }

    private void summarizeWitness() {
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
                writing() + " (medians)",
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
        double written = results.median(writing(), ON, Run::rows);
        results.figure(writing() + ": CPU of the witness' wal sender", sender, "s");
        results.figure(writing() + ": the same a million rows", sender / written * 1e6, "s");
        results.figure(
                writing() + ": log kept for the witness at most", median(ON, "MB kept for the witness at most"), "MB");
        results.figure(
                writing() + ": CPU of the source, witness on / off",
                results.median(writing(), ON, run -> run.cpuSeconds().get("source"))
                        / results.median(writing(), OFF, run -> run.cpuSeconds().get("source")),
                "");
    }

    private double median(String way, String value) {
        return results.median(writing(), way, run -> run.more().get(value));
    }

    private String cell(String way, String value) {
        return Results.number(median(way, value));
    }

    private String cpu(String way, String process) {
        return Results.number(
                results.median(writing(), way, run -> run.cpuSeconds().get(process)));
    }

    private void summarizePass() {
        List<List<String>> rows = new ArrayList<>();
        for (String way : List.of(WITHOUT, WITH)) {
            double seconds = results.median(backlog(), way, Run::seconds);
            List<String> cells = new ArrayList<>(List.of(
                    way,
                    Results.number(seconds),
                    Results.number(results.median(backlog(), way, Run::rows) / seconds),
                    Results.number(
                            results.median(backlog(), way, run -> run.more().get("rows compared")))));
            for (String process : List.of("source", "target", Cpu.OURS, "broker")) {
                cells.add(Results.number(
                        results.median(backlog(), way, run -> run.cpuSeconds().get(process))));
            }
            rows.add(cells);
        }
        results.table(
                backlog() + " (medians)",
                List.of(
                        "way",
                        "s",
                        "changes/s",
                        "rows compared meanwhile",
                        "CPU s source",
                        "CPU s target",
                        "CPU s Wherry",
                        "CPU s broker"),
                rows);
        double ratio = results.median(backlog(), WITHOUT, Run::seconds) / results.median(backlog(), WITH, Run::seconds);
        results.atLeast(backlog() + ": changes/s, with a pass / without", ratio, "", SPEED_BAR);
    }
}
