package io.wherry.bench;

import io.wherry.bench.BenchReport.Run;
import io.wherry.coordinator.sql.Queries;
import io.wherry.embedded.ServerException;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;

/** Applies a backlog of updates while a pass runs at full load, and without one, in turns. */
final class BacklogBesidePass {
    private static final String WITH = "with a pass";
    private static final String WITHOUT = "without a pass";
    private static final double SPEED_BAR = 0.8;
    private static final int FULL = 100;

    private final BenchServers servers;
    private final Results results;
    private final WitnessBench.Options options;
    private final String subject;

    BacklogBesidePass(BenchServers servers, Results results, WitnessBench.Options options) {
        this.servers = servers;
        this.results = results;
        this.options = options;
        subject = "backlog of %,d updates".formatted(options.changes());
    }

    /** @param marks as for {@link LiveMigration#start} */
    void measure(String database, int marks) throws Exception {
        results.note(
                "The backlog of updates waits in the slot. Its time counts from its first change on the target to its last."
                        + " The pass reads a table that does not change, at verify.load 100, again and again, and cutover.max-lag is an"
                        + " hour: with the default the proof pauses while the target is behind, and costs nothing then.");
        try (LiveMigration live = LiveMigration.start(servers, database, true, FULL, Duration.ofHours(1), marks)) {
            for (int round = 1; round <= options.rounds(); round++) {
                drain(live, round, false);
                drain(live, round, true);
            }
        }
        summarize();
    }

    private void drain(LiveMigration live, int round, boolean pass) throws Exception {
        Pipeline pipeline = live.pipeline();
        pipeline.coordinator().proof().stop();
        Queries.execute(
                live.source(), "DELETE FROM bench.events WHERE id IN (" + Workload.FIRST + ", " + Workload.LAST + ")");
        live.awaitArrival();
        pipeline.stopStreaming();
        long written = Workload.UPDATE.write(live.source(), options.changes(), options.rows());
        servers.checkpoint();
        if (pass) {
            pipeline.coordinator().proof().resume();
        }
        pipeline.startSink();
        long begun = System.nanoTime();
        pipeline.startCapture();
        try (Passes passes = new Passes(pipeline.coordinator(), "bench.still", pass)) {
            Arrival arrival = Arrival.await(
                    new Arrival.Place(live.source(), live.slots().get(0), live.target(), Workload.UPDATE),
                    servers.cpu(),
                    begun,
                    pipeline::requireRunning,
                    passes::count);
            long compared = passes.rowsCompared();
            if (pass && compared == 0) {
                throw new ServerException("no pass ran while the backlog was applied: "
                        + pipeline.coordinator().status().proof());
            }
            results.run(new Run(
                    subject,
                    pass ? WITH : WITHOUT,
                    round,
                    arrival.seconds(),
                    written,
                    arrival.cpu().seconds(),
                    Map.of("start s", arrival.startSeconds(), "rows compared", (double) compared)));
        }
        live.compare(results, subject + ", round " + round);
    }

    private void summarize() {
        List<List<String>> rows = new ArrayList<>();
        for (String way : List.of(WITHOUT, WITH)) {
            double seconds = results.median(subject, way, Run::seconds);
            List<String> cells = new ArrayList<>(List.of(
                    way,
                    Results.number(seconds),
                    Results.number(results.median(subject, way, Run::rows) / seconds),
                    Results.number(
                            results.median(subject, way, run -> run.more().get("rows compared")))));
            for (String process : List.of("source", "target", Cpu.OURS, "broker")) {
                cells.add(Results.number(
                        results.median(subject, way, run -> run.cpuSeconds().get(process))));
            }
            rows.add(cells);
        }
        results.table(
                subject + " (medians)",
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
        double ratio = results.median(subject, WITHOUT, Run::seconds) / results.median(subject, WITH, Run::seconds);
        results.atLeast(subject + ": changes/s, with a pass / without", ratio, "", SPEED_BAR);
    }
}
