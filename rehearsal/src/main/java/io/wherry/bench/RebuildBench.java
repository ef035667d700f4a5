package io.wherry.bench;

import io.wherry.bench.BenchReport.Run;
import io.wherry.cli.rebuild.Following;
import io.wherry.cli.rebuild.Progress;
import io.wherry.cli.rebuild.Rebuild;
import io.wherry.cli.rebuild.Wanted;
import io.wherry.contract.config.Endpoint;
import io.wherry.contract.config.Flow;
import io.wherry.contract.config.Migration;
import io.wherry.contract.config.Migration.Verify;
import io.wherry.contract.kafka.TopicTail;
import io.wherry.contract.name.Identifiers;
import io.wherry.contract.record.SchemaHistory;
import io.wherry.rehearsal.Waits;
import java.io.PrintWriter;
import java.sql.Connection;
import java.sql.SQLException;
import java.time.Duration;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/** A rebuild of one table of narrow rows from the topics, beside the first load that filled the topics. */
public final class RebuildBench implements Bench {
    private static final String SOURCE = "rebuild";
    private static final String SMALL = "rebuild_one";
    private static final String TABLE = "bench.narrow";
    private static final String OURS = "rebuild";
    private static final String PEER = "first load";
    private static final String ONE_ROW = ", one row only";
    private static final Duration LIMIT = Duration.ofMinutes(10);
    private static final long POLL_MILLIS = 200;
    private static final String READ = "the goal and the checks";
    private static final String SCHEMA = "tables";
    private static final String LOAD = "load";
    private static final String INDEX = "indexes and changes";
    private static final String END = "the end's statements";
    private static final double TIME_BAR = 0.8;

    private final Options options;
    private final Results results;

    /** @param rows of the table */
    public record Options(long rows, int rounds, int sourceVersion, int targetVersion) {}

    /** @param progress gets a line for each run */
    public RebuildBench(Options options, PrintWriter progress) {
        this.options = options;
        this.results = new Results("rebuild", progress);
    }

    @Override
    public BenchReport run() throws Exception {
        results.setting("rows", options.rows());
        results.setting("rounds", options.rounds());
        results.note(
                "Servers, broker and registry run before the time begins. The first load's time counts from the start of the"
                        + " services until all rows are loaded and indexed; the rebuild's from its call to its return, in the same"
                        + " process, while the services of the first load are stopped.");
        results.note("Each rebuild reads the topics that the first load of its round has filled.");
        try (BenchServers servers = new BenchServers(options.sourceVersion(), options.targetVersion(), true)) {
            servers.describe(results);
            fill(servers, SOURCE, options.rows());
            fill(servers, SMALL, 1);
            for (int round = 1; round <= options.rounds(); round++) {
                // First, so that the classes of both ways are loaded before the rows count.
                measure(servers, SMALL, 1, ONE_ROW, round);
                measure(servers, SOURCE, options.rows(), "", round);
            }
        }
        summarize();
        return results.report();
    }

    private static void fill(BenchServers servers, String database, long rows) throws SQLException {
        servers.create(database);
        servers.run(
                true,
                database,
                List.of(
                        "CREATE SCHEMA bench",
                        "CREATE TABLE " + TABLE + " (id bigint PRIMARY KEY, account int NOT NULL, kind text NOT NULL,"
                                + " amount numeric(12,2) NOT NULL)",
                        "INSERT INTO " + TABLE + " SELECT n, n % 1000, 'kind ' || n % 7, n % 100000 / 7.0"
                                + " FROM generate_series(1, " + rows + ") AS n",
                        "VACUUM ANALYZE"));
    }

    private String subject() {
        return "narrow, %,d rows".formatted(options.rows());
    }

    private void measure(BenchServers servers, String from, long rows, String suffix, int round) throws Exception {
        String name = from.replace("_", "") + round;
        servers.createOnTarget(name);
        servers.createOnTarget(name + "again");
        Migration migration = servers.migration(name, from, List.of("bench.*"), Verify.DEFAULT, Duration.ofSeconds(2));
        load(servers, migration, from, rows, PEER + suffix, round);
        rebuild(servers, migration, from, rows, OURS + suffix, round);
        servers.run(
                true,
                from,
                List.of("DROP PUBLICATION IF EXISTS "
                        + Identifiers.quote(
                                Flow.first(migration).groups().get(0).publication())));
        servers.dropSlots(from);
        servers.dropOn(false, name);
        servers.dropOn(false, name + "again");
    }

    private void load(BenchServers servers, Migration migration, String from, long rows, String way, int round)
            throws Exception {
        servers.checkpoint();
        Cpu cpu = servers.cpu();
        Cpu.Used before = cpu.now();
        long began = System.nanoTime();
        try (Pipeline pipeline = new Pipeline(migration, servers.directory())) {
            servers.processes().beforeClose(pipeline::close);
            pipeline.start();
            pipeline.awaitLoaded();
            double seconds = (System.nanoTime() - began) / 1e9;
            results.run(new Run(
                    subject(),
                    way,
                    round,
                    seconds,
                    rows,
                    cpu.now().since(before).seconds(),
                    Map.of()));
            awaitWhole(pipeline, migration);
        }
        compare(servers, from, migration.name(), way, round);
    }

    /** Waits until the coordinator has noted the topics that hold rows: a rebuild is refused before. */
    private static void awaitWhole(Pipeline pipeline, Migration migration) throws Exception {
        pipeline.awaitInSync();
        Waits.until("the topics are noted", LIMIT, POLL_MILLIS, () -> {
            SchemaHistory history = new SchemaHistory();
            try (TopicTail tail = new TopicTail(migration, migration.topics().control())) {
                tail.readAll(history::see);
            }
            return history.topics().stream()
                    .anyMatch(seen -> seen.topics().keySet().stream().anyMatch(topic -> topic.endsWith(".narrow")));
        });
    }

    private void rebuild(BenchServers servers, Migration migration, String from, long rows, String way, int round)
            throws Exception {
        String name = migration.name() + "again";
        Endpoint target = new Endpoint(
                migration.target().url().replace("/" + migration.name(), "/" + name),
                migration.target().user(),
                migration.target().password());
        servers.checkpoint();
        Cpu cpu = servers.cpu();
        Cpu.Used before = cpu.now();
        Parts parts = new Parts();
        long began = System.nanoTime();
        parts.begin(READ);
        new Rebuild(migration, new Wanted(target, null, false, List.of()), parts).run();
        double seconds = (System.nanoTime() - began) / 1e9;
        parts.begin("");
        results.run(new Run(
                subject(), way, round, seconds, rows, cpu.now().since(before).seconds(), parts.seconds()));
        compare(servers, from, name, way, round);
    }

    private void compare(BenchServers servers, String from, String to, String way, int round) throws SQLException {
        try (Connection source = servers.open(true, from);
                Connection target = servers.open(false, to)) {
            results.compared(
                    subject() + ", " + way + ", round " + round,
                    Digests.of(source, List.of(TABLE)),
                    Digests.of(target, List.of(TABLE)));
        }
    }

    /** How long the parts of a rebuild took. A part begins when the rebuild first shows it; used by one thread. */
    private static final class Parts implements Rebuild.Teller {
        private final Map<String, Long> begun = new LinkedHashMap<>();

        void begin(String part) {
            begun.putIfAbsent(part, System.nanoTime());
        }

        @Override
        public void following(Following following) {
            throw new IllegalStateException("a rebuild with an end does not follow");
        }

        @Override
        public void step(String step) {
            if (step.equals("making the tables")) {
                begin(SCHEMA);
            }
        }

        @Override
        public void progress(Progress progress) {
            boolean loaded = progress.chunksWanted() > 0 && progress.chunks() == progress.chunksWanted();
            begin(progress.tables() == progress.tablesWanted() ? END : loaded ? INDEX : LOAD);
        }

        Map<String, Double> seconds() {
            Map<String, Double> seconds = new LinkedHashMap<>();
            List<Map.Entry<String, Long>> all = new ArrayList<>(begun.entrySet());
            for (int i = 0; i + 1 < all.size(); i++) {
                seconds.put(
                        all.get(i).getKey(),
                        (all.get(i + 1).getValue() - all.get(i).getValue()) / 1e9);
            }
            return seconds;
        }
    }

    private void summarize() {
        List<List<String>> rows = new ArrayList<>();
        for (String way : List.of(PEER, OURS, PEER + ONE_ROW, OURS + ONE_ROW)) {
            List<String> cells = new ArrayList<>(List.of(way, Results.number(median(way))));
            for (String process : List.of("source", "target", Cpu.OURS, "broker")) {
                cells.add(Results.number(
                        results.median(subject(), way, run -> run.cpuSeconds().getOrDefault(process, 0.0))));
            }
            rows.add(cells);
        }
        results.table(
                subject() + " (medians)",
                List.of("way", "s", "CPU s source", "CPU s target", "CPU s Wherry", "CPU s broker"),
                rows);
        results.atMost(
                subject() + ": time, rebuild / first load, both without their start",
                (median(OURS) - median(OURS + ONE_ROW)) / (median(PEER) - median(PEER + ONE_ROW)),
                "",
                TIME_BAR);
        results.figure(subject() + ": time, rebuild / first load, with their start", median(OURS) / median(PEER), "");
        for (String part : List.of(READ, SCHEMA, LOAD, INDEX, END)) {
            results.figure(
                    subject() + ": of the rebuild's time, " + part,
                    results.median(subject(), OURS, run -> run.more().getOrDefault(part, 0.0)),
                    "s");
        }
    }

    private double median(String way) {
        return results.median(subject(), way, Run::seconds);
    }
}
