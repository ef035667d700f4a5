package io.wherry.bench;

import io.wherry.bench.BenchReport.Run;
import io.wherry.contract.config.Migration;
import io.wherry.contract.config.Migration.Verify;
import java.io.PrintWriter;
import java.sql.Connection;
import java.sql.SQLException;
import java.time.Duration;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;

/**
 * A backlog of changes in the slot, applied by Wherry through Kafka and by native logical replication between the same two servers,
 * in turns.
 */
public final class CatchupBench implements Bench {
    private static final String OURS = "Wherry";
    private static final String NATIVE = "native logical replication";
    private static final double SPEED_BAR = 0.8;
    private static final double CPU_BAR = 14;

    private final Options options;
    private final Workload workload;
    private final Results results;

    /**
     * @param kind of the changes: {@code insert}, {@code update}, {@code mixed} or {@code tpcb}
     * @param rows of the table before the backlog
     * @param changes rows that the backlog changes
     */
    public record Options(String kind, long rows, long changes, int rounds, int sourceVersion, int targetVersion) {}

    /**
     * @param progress gets a line for each run
     * @throws IllegalArgumentException when there is no such kind
     */
    public CatchupBench(Options options, PrintWriter progress) {
        this.options = options;
        this.workload = Workload.valueOf(options.kind().toUpperCase(Locale.ROOT));
        this.results = new Results("catchup", progress);
    }

    /** The kinds of changes. */
    public static List<String> kinds() {
        return List.of(Workload.values()).stream().map(Workload::toString).toList();
    }

    @Override
    public BenchReport run() throws Exception {
        results.setting("kind", workload);
        results.setting("rows before", options.rows());
        results.setting("changes", options.changes());
        results.setting("rounds", options.rounds());
        results.note(
                "The backlog waits in the slot. The time counts from the moment at which the target shows the first"
                        + " transaction, which is small, until the target shows the last one, for both ways alike. What is read ahead"
                        + " before that moment does not count, so the table has the time since the slot was read too. What the start of"
                        + " the services, or of the subscription, took is a column of its own.");
        results.note(
                "CPU is that of the same time. Wherry's services, broker, registry and both servers share the machine.");
        if (workload == Workload.TPCB) {
            results.note("The history of tpcb has a key here, unlike pgbench's.");
        }
        try (BenchServers servers = new BenchServers(options.sourceVersion(), options.targetVersion(), true)) {
            servers.describe(results);
            for (int round = 1; round <= options.rounds(); round++) {
                ours(servers, round);
                natively(servers, round);
            }
        }
        summarize();
        return results.report();
    }

    private String subject() {
        return workload + ", %,d changes".formatted(options.changes());
    }

    private void ours(BenchServers servers, int round) throws Exception {
        String name = "ours" + round;
        servers.create(name);
        servers.run(true, name, List.of("CREATE SCHEMA bench"));
        servers.run(true, name, workload.creation(options.rows()));
        servers.run(true, name, List.of("VACUUM ANALYZE"));
        Migration migration = servers.migration(name, List.of("bench.*"), Verify.DEFAULT, Duration.ofSeconds(2));
        try (Pipeline pipeline = new Pipeline(migration, servers.directory());
                Connection source = servers.open(true, name);
                Connection target = servers.open(false, name)) {
            servers.processes().beforeClose(pipeline::close);
            pipeline.start();
            pipeline.awaitInSync();
            pipeline.stopStreaming();
            long written = workload.write(source, options.changes(), options.rows());
            servers.checkpoint();
            pipeline.startSink();
            long begun = System.nanoTime();
            pipeline.startCapture();
            done(
                    OURS,
                    round,
                    written,
                    Arrival.await(
                            new Arrival.Place(
                                    source, BenchServers.slots(migration).get(0), target, workload),
                            servers.cpu(),
                            begun,
                            pipeline::requireRunning,
                            () -> {}),
                    source,
                    target);
        }
        servers.drop(name);
    }

    private void natively(BenchServers servers, int round) throws Exception {
        String name = "native" + round;
        servers.create(name);
        servers.onBoth(name, List.of("CREATE SCHEMA bench"));
        servers.onBoth(name, workload.creation(options.rows()));
        servers.onBoth(name, List.of("VACUUM ANALYZE"));
        servers.run(true, name, List.of("CREATE PUBLICATION bench FOR ALL TABLES"));
        try (Connection source = servers.open(true, name);
                Connection target = servers.open(false, name)) {
            servers.run(
                    false,
                    name,
                    List.of("CREATE SUBSCRIPTION " + name + " CONNECTION '" + servers.subscribed(name)
                            + "' PUBLICATION bench WITH (copy_data = false, enabled = false, create_slot = true)"));
            long written = workload.write(source, options.changes(), options.rows());
            servers.checkpoint();
            long begun = System.nanoTime();
            servers.run(false, name, List.of("ALTER SUBSCRIPTION " + name + " ENABLE"));
            Arrival arrival = Arrival.await(
                    new Arrival.Place(source, name, target, workload), servers.cpu(), begun, () -> {}, () -> {});
            done(NATIVE, round, written, arrival, source, target);
            servers.run(false, name, List.of("ALTER SUBSCRIPTION " + name + " DISABLE", "DROP SUBSCRIPTION " + name));
        }
        servers.drop(name);
    }

    private void done(String way, int round, long written, Arrival arrival, Connection source, Connection target)
            throws SQLException {
        Map<String, Double> more = new LinkedHashMap<>();
        more.put("start s", arrival.startSeconds());
        more.put("s since the slot was read", arrival.sinceSlot());
        results.run(new Run(
                subject(), way, round, arrival.seconds(), written, arrival.cpu().seconds(), more));
        results.compared(
                subject() + ", " + way + ", round " + round,
                Digests.of(source, workload.tables()),
                Digests.of(target, workload.tables()));
    }

    private void summarize() {
        List<List<String>> rows = new ArrayList<>();
        for (String way : List.of(OURS, NATIVE)) {
            double seconds = results.median(subject(), way, Run::seconds);
            long changes = results.of(subject(), way).get(0).rows();
            List<String> cells = new ArrayList<>(List.of(
                    way,
                    Results.number(seconds),
                    Results.number(changes / seconds),
                    Results.number(sinceSlot(way)),
                    Results.number(
                            results.median(subject(), way, run -> run.more().get("start s")))));
            for (String process : List.of("source", "target", Cpu.OURS, "broker", "registry")) {
                cells.add(Results.number(
                        results.median(subject(), way, run -> run.cpuSeconds().getOrDefault(process, 0.0))));
            }
            cells.add(Results.number(perMillion(way)));
            rows.add(cells);
        }
        results.table(
                subject() + " (medians)",
                List.of(
                        "way",
                        "s",
                        "changes/s",
                        "s since the slot was read",
                        "start s",
                        "CPU s source",
                        "CPU s target",
                        "CPU s Wherry",
                        "CPU s broker",
                        "CPU s registry",
                        "CPU s a million changes"),
                rows);
        double ratio = results.median(subject(), NATIVE, Run::seconds) / results.median(subject(), OURS, Run::seconds);
        results.atLeast(subject() + ": changes/s, Wherry / native", ratio, "", SPEED_BAR);
        results.figure(
                subject() + ": the same by the time since the slot was read", sinceSlot(NATIVE) / sinceSlot(OURS), "");
        results.atMost(
                subject() + ": CPU of Wherry, broker and registry a million changes",
                results.median(subject(), OURS, run -> million(run, List.of(Cpu.OURS, "broker", "registry"))),
                "s",
                CPU_BAR);
        results.figure(
                subject() + ": CPU of all processes, Wherry / native", perMillion(OURS) / perMillion(NATIVE), "");
    }

    private double sinceSlot(String way) {
        return results.median(subject(), way, run -> run.more().get("s since the slot was read"));
    }

    private double perMillion(String way) {
        return results.median(
                subject(), way, run -> million(run, List.copyOf(run.cpuSeconds().keySet())));
    }

    private static double million(Run run, List<String> processes) {
        return processes.stream()
                        .mapToDouble(process -> run.cpuSeconds().getOrDefault(process, 0.0))
                        .sum()
                / run.rows()
                * 1e6;
    }
}
