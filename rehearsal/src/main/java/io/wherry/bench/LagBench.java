package io.wherry.bench;

import io.wherry.bench.BenchReport.Run;
import io.wherry.bench.PacedTransactions.Written;
import io.wherry.contract.config.Migration;
import io.wherry.contract.config.Migration.Verify;
import io.wherry.coordinator.sql.Queries;
import io.wherry.rehearsal.Waits;
import java.io.PrintWriter;
import java.sql.Connection;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.TimeUnit;
import java.util.stream.LongStream;

/**
 * How late the target is while applications write small transactions at a steady rate, and what the applications notice: Wherry, and
 * native logical replication between the same servers, in turns.
 */
public final class LagBench implements Bench {
    private static final String OURS = "Wherry";
    private static final String NATIVE = "native logical replication";
    private static final List<String> TABLES = Workload.TPCB.tables();
    private static final long FIRST_KEY = 1;
    private static final double MEDIAN_BAR = 15;
    private static final double P99_BAR = 60;
    private static final double CLIENT_BAR = 1.5;
    private static final Duration LIMIT = Duration.ofMinutes(30);
    private static final long POLL_MILLIS = 10;

    private final Options options;
    private final Results results;
    private final String subject;

    /**
     * @param rate transactions a second
     * @param seconds of writing that are measured
     * @param warmUp seconds of writing before, which are not measured
     * @param idle seconds without any writing before, of which the CPU time is measured
     * @param rows of the table of accounts
     */
    public record Options(
            int rate, int seconds, int warmUp, int idle, long rows, int rounds, int sourceVersion, int targetVersion) {}

    /** @param progress gets a line for each run */
    public LagBench(Options options, PrintWriter progress) {
        this.options = options;
        this.results = new Results("lag", progress);
        subject = "%,d transactions/s for %d s".formatted(options.rate(), options.seconds());
    }

    @Override
    public BenchReport run() throws Exception {
        results.setting("transactions/s", options.rate());
        results.setting("seconds", options.seconds());
        results.setting("seconds of writing before", options.warmUp());
        results.setting("accounts", options.rows());
        results.setting("rounds", options.rounds());
        results.note(
                "Four sessions write as pgbench's simple update does: an update and an insert in each transaction. The lag"
                        + " counts from the moment at which the session asks for its commit until a reader of the target sees the"
                        + " transaction; the reader looks about every ms.");
        results.note("Servers, broker, registry, Wherry, writers and reader share the machine.");
        results.note(
                "\"To Kafka\" is the time from the source's commit until the source-connector begins to end the Kafka"
                        + " transaction, of the last source transaction in each Kafka transaction. The rest of the lag is the end of"
                        + " the Kafka transaction, the way to the sink-applier, and its write.");
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

    private void ours(BenchServers servers, int round) throws Exception {
        String name = "ours" + round;
        servers.create(name);
        servers.run(true, name, List.of("CREATE SCHEMA bench"));
        servers.run(true, name, Workload.TPCB.creation(options.rows()));
        servers.run(true, name, List.of("VACUUM ANALYZE"));
        Migration migration = servers.migration(name, List.of("bench.*"), Verify.DEFAULT, Duration.ofSeconds(2));
        try (Pipeline pipeline = new Pipeline(migration, servers.directory())) {
            servers.processes().beforeClose(pipeline::close);
            pipeline.start();
            pipeline.awaitInSync();
            long[] measured = new long[2];
            Map<String, Double> more = write(servers, name, OURS, round, measured);
            KafkaTransactions transactions = KafkaTransactions.between(migration, measured[0], measured[1]);
            more.put("Kafka transactions/s", transactions.ages().length * 1e3 / (measured[1] - measured[0]));
            if (transactions.ages().length > 0) {
                Percentiles.of(transactions.ages()).put("to Kafka", more);
            }
        }
        servers.drop(name);
    }

    private void natively(BenchServers servers, int round) throws Exception {
        String name = "native" + round;
        servers.create(name);
        servers.onBoth(name, List.of("CREATE SCHEMA bench"));
        servers.onBoth(name, Workload.TPCB.creation(options.rows()));
        servers.onBoth(name, List.of("VACUUM ANALYZE"));
        servers.run(true, name, List.of("CREATE PUBLICATION bench FOR ALL TABLES"));
        servers.run(
                false,
                name,
                List.of("CREATE SUBSCRIPTION " + name + " CONNECTION '" + servers.subscribed(name)
                        + "' PUBLICATION bench WITH (copy_data = false)"));
        write(servers, name, NATIVE, round, new long[2]);
        servers.run(false, name, List.of("ALTER SUBSCRIPTION " + name + " DISABLE", "DROP SUBSCRIPTION " + name));
        servers.drop(name);
    }

    /** @param measured gets begin and end of the measured writing, ms since 1970 */
    private Map<String, Double> write(BenchServers servers, String name, String way, int round, long[] measured)
            throws Exception {
        Map<String, Double> more = new LinkedHashMap<>();
        servers.checkpoint();
        Cpu cpu = servers.cpu();
        if (options.idle() > 0) {
            Cpu.Used before = cpu.now();
            TimeUnit.SECONDS.sleep(options.idle());
            Cpu.Used idle = cpu.now().since(before);
            for (String process : List.of("source", "target", Cpu.OURS, "broker")) {
                more.put("idle CPU ms/s " + process, idle.of(process) * 1e3 / options.idle());
            }
        }
        long key = FIRST_KEY;
        if (options.warmUp() > 0) {
            arrived(servers, name, written(servers, name, options.warmUp(), key));
            key += PacedTransactions.SESSIONS * PacedTransactions.KEYS;
        }
        Cpu.Used before = cpu.now();
        long began = System.nanoTime();
        measured[0] = System.currentTimeMillis();
        List<Written> written;
        double seconds;
        Sightings sightings = new Sightings(servers.open(false, name), key);
        try (sightings) {
            written = written(servers, name, options.seconds(), key);
            seconds = (System.nanoTime() - began) / 1e9;
            measured[1] = System.currentTimeMillis();
            arrived(servers, name, written);
        }
        long transactions =
                written.stream().mapToLong(one -> one.asked().length).sum();
        more.put("transactions/s", transactions / seconds);
        Percentiles.of(sightings.lags(written)).put("lag", more);
        Percentiles.of(written.stream()
                        .flatMapToLong(one -> LongStream.of(one.took()))
                        .toArray())
                .put("client", more);
        results.run(new Run(
                subject,
                way,
                round,
                seconds,
                transactions,
                cpu.now().since(before).seconds(),
                more));
        try (Connection source = servers.open(true, name);
                Connection target = servers.open(false, name)) {
            results.compared(
                    subject + ", " + way + ", round " + round, Digests.of(source, TABLES), Digests.of(target, TABLES));
        }
        return more;
    }

    private List<Written> written(BenchServers servers, String name, int seconds, long key) throws Exception {
        return PacedTransactions.write(() -> servers.open(true, name), options.rate(), seconds, options.rows(), key);
    }

    /** Waits until the last transaction of each session is on the target. */
    private static void arrived(BenchServers servers, String name, List<Written> written) throws Exception {
        long[] last = written.stream()
                .mapToLong(one -> one.firstKey() + one.asked().length - 1)
                .toArray();
        String ids =
                String.join(",", Arrays.stream(last).mapToObj(Long::toString).toList());
        try (Connection target = servers.open(false, name)) {
            Waits.until(
                    "the last transactions",
                    LIMIT,
                    POLL_MILLIS,
                    () -> Queries.truth(
                            target,
                            "SELECT count(*) = " + last.length + " FROM bench.history WHERE id IN (" + ids + ")"));
        }
    }

    private void summarize() {
        List<String> values = List.of(
                "transactions/s",
                "lag p50 ms",
                "lag p99 ms",
                "lag max ms",
                "client p50 ms",
                "client p99 ms",
                "Kafka transactions/s",
                "to Kafka p50 ms",
                "to Kafka p99 ms");
        List<String> columns = new ArrayList<>(List.of("way"));
        columns.addAll(values);
        List<String> processes = List.of("source", "target", Cpu.OURS, "broker");
        processes.forEach(process -> columns.add("CPU s " + process));
        processes.forEach(process -> columns.add("idle CPU ms/s " + process));
        List<List<String>> rows = new ArrayList<>();
        for (String way : List.of(OURS, NATIVE)) {
            List<String> cells = new ArrayList<>(List.of(way));
            values.forEach(value -> cells.add(cell(median(way, value))));
            processes.forEach(process -> cells.add(
                    cell(results.median(subject, way, run -> run.cpuSeconds().getOrDefault(process, 0.0)))));
            processes.forEach(process -> cells.add(cell(median(way, "idle CPU ms/s " + process))));
            rows.add(cells);
        }
        results.table(subject + " (medians)", columns, rows);
        results.atMost(subject + ": lag, median", median(OURS, "lag p50 ms"), "ms", MEDIAN_BAR);
        results.atMost(subject + ": lag, 99 % below", median(OURS, "lag p99 ms"), "ms", P99_BAR);
        results.atMost(
                subject + ": median of a client's transaction, beside Wherry / beside native",
                median(OURS, "client p50 ms") / median(NATIVE, "client p50 ms"),
                "",
                CLIENT_BAR);
    }

    private static String cell(double value) {
        return Double.isNaN(value) ? "" : Results.number(value);
    }

    private double median(String way, String value) {
        return results.median(subject, way, run -> run.more().getOrDefault(value, Double.NaN));
    }

    /**
     * How a set of times is distributed.
     *
     * @param median ms
     * @param p99 99 % of the times are at most this, ms
     * @param longest ms
     */
    record Percentiles(double median, double p99, double longest) {
        /** @param nanos one or more times; sorted here */
        static Percentiles of(long[] nanos) {
            Arrays.sort(nanos);
            return new Percentiles(at(nanos, 0.5), at(nanos, 0.99), at(nanos, 1));
        }

        private static double at(long[] sorted, double share) {
            int index = (int) Math.ceil(share * sorted.length) - 1;
            return sorted[Math.max(0, index)] / 1e6;
        }

        /** Adds the three values under names that begin so. */
        void put(String name, Map<String, Double> values) {
            values.put(name + " p50 ms", median);
            values.put(name + " p99 ms", p99);
            values.put(name + " max ms", longest);
        }
    }
}
