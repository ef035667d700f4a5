package io.wherry.bench;

import io.wherry.bench.BenchReport.Run;
import io.wherry.contract.config.Flow;
import io.wherry.contract.config.Migration;
import io.wherry.contract.config.Migration.Verify;
import io.wherry.contract.name.Identifiers;
import io.wherry.coordinator.machine.Totals;
import io.wherry.coordinator.sql.Queries;
import io.wherry.embedded.ServerException;
import io.wherry.rehearsal.RehearsalDatabase;
import io.wherry.rehearsal.Waits;
import java.io.IOException;
import java.io.PrintWriter;
import java.nio.file.Path;
import java.sql.Connection;
import java.sql.SQLException;
import java.time.Duration;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;

/** The full load of one table of narrow rows, beside a pipe of pg_dump and pg_restore and beside the copy of a native subscription. */
public final class LoadBench implements Bench {
    private static final String SOURCE = "load";
    private static final String SMALL = "load_one";
    private static final String TABLE = "bench.narrow";
    private static final String OURS = "Wherry";
    private static final String START = "Wherry, one row only";
    private static final String PIPE = "pg_dump to pg_restore";
    private static final String NATIVE = "native copy";
    private static final Duration LIMIT = Duration.ofHours(4);
    private static final long POLL_MILLIS = 20;
    private static final double TIME_BAR = 1.1;
    private static final String CREATION = "CREATE TABLE " + TABLE
            + " (id bigint PRIMARY KEY, account int NOT NULL, kind text NOT NULL, amount numeric(12,2) NOT NULL)";

    private final Options options;
    private final Results results;
    private double megabytes;

    /** @param rows of the table */
    public record Options(long rows, int rounds, int sourceVersion, int targetVersion) {}

    /** @param progress gets a line for each run */
    public LoadBench(Options options, PrintWriter progress) {
        this.options = options;
        this.results = new Results("load", progress);
    }

    /**
     * A load that has ended, before anything is cleaned up.
     *
     * @param more other measured values
     */
    private record Loaded(long nanos, Cpu.Used cpu, Map<String, Double> more) {
        static Loaded now(Cpu cpu, Map<String, Double> more) {
            return new Loaded(System.nanoTime(), cpu.now(), more);
        }
    }

    private interface Load {
        Loaded run(String target, Cpu cpu) throws Exception;
    }

    @Override
    public BenchReport run() throws Exception {
        results.setting("rows", options.rows());
        results.setting("rounds", options.rounds());
        results.note(
                "Servers, broker and registry run before the time begins. Wherry's time counts from the start of the services"
                        + " until all rows are loaded and indexed and the changes are applied; the pipe's from the start of the"
                        + " programs to their end; the native copy's from CREATE SUBSCRIPTION until the table is ready.");
        results.note(
                "Wherry and the pipe build the index after the load; the native copy needs the table with its index before.");
        try (BenchServers servers = new BenchServers(options.sourceVersion(), options.targetVersion(), true)) {
            servers.describe(results);
            fill(servers, SOURCE, options.rows());
            fill(servers, SMALL, 1);
            try (Connection source = servers.open(true, SOURCE)) {
                megabytes = Queries.number(source, "SELECT pg_table_size('" + TABLE + "')") / 1e6;
            }
            for (int round = 1; round <= options.rounds(); round++) {
                measure(servers, SOURCE, OURS, round, (target, cpu) -> ours(servers, SOURCE, target, cpu));
                measure(servers, SOURCE, PIPE, round, (target, cpu) -> pipe(servers, target, cpu));
                measure(servers, SOURCE, NATIVE, round, (target, cpu) -> natively(servers, target, cpu));
                measure(servers, SMALL, START, round, (target, cpu) -> ours(servers, SMALL, target, cpu));
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
                        CREATION,
                        "INSERT INTO bench.narrow SELECT n, n % 1000, 'kind ' || n % 7, n % 100000 / 7.0"
                                + " FROM generate_series(1, " + rows + ") AS n",
                        "VACUUM ANALYZE"));
    }

    private String subject() {
        return "narrow, %,d rows".formatted(options.rows());
    }

    private void measure(BenchServers servers, String from, String way, int round, Load load) throws Exception {
        String name = "load" + round + way.toLowerCase(Locale.ROOT).replaceAll("[^a-z]", "");
        servers.createOnTarget(name);
        servers.checkpoint();
        Cpu cpu = servers.cpu();
        Cpu.Used before = cpu.now();
        long began = System.nanoTime();
        Loaded loaded = load.run(name, cpu);
        results.run(new Run(
                subject(),
                way,
                round,
                (loaded.nanos() - began) / 1e9,
                way.equals(START) ? 1 : options.rows(),
                loaded.cpu().since(before).seconds(),
                loaded.more()));
        try (Connection source = servers.open(true, from);
                Connection target = servers.open(false, name)) {
            results.compared(
                    subject() + ", " + way + ", round " + round,
                    Digests.of(source, List.of(TABLE)),
                    Digests.of(target, List.of(TABLE)));
        }
        if (way.equals(NATIVE)) {
            servers.run(false, name, List.of("DROP SUBSCRIPTION " + name));
        }
        servers.dropSlots(from);
        servers.dropOn(false, name);
    }

    private static Loaded ours(BenchServers servers, String from, String name, Cpu cpu) throws Exception {
        Migration migration = servers.migration(name, from, List.of("bench.*"), Verify.DEFAULT, Duration.ofSeconds(2));
        Loaded loaded;
        try (Pipeline pipeline = new Pipeline(migration, servers.directory())) {
            servers.processes().beforeClose(pipeline::close);
            pipeline.start();
            pipeline.awaitLoaded();
            loaded = Loaded.now(cpu, new LinkedHashMap<>());
            Totals totals = pipeline.coordinator().totals();
            loaded.more().put("load s", totals.loadSeconds());
            loaded.more().put("index s", totals.indexSeconds());
        }
        servers.run(
                true,
                from,
                List.of("DROP PUBLICATION IF EXISTS "
                        + Identifiers.quote(
                                Flow.first(migration).groups().get(0).publication())));
        return loaded;
    }

    private static Loaded pipe(BenchServers servers, String name, Cpu cpu) throws IOException, InterruptedException {
        List<ProcessBuilder> programs = List.of(
                program(
                        servers.tools().pgDump(),
                        "--format=custom",
                        "--compress=0",
                        "--schema=bench",
                        "--dbname=" + servers.uri(true, SOURCE)),
                program(servers.tools().pgRestore(), "--exit-on-error", "--dbname=" + servers.uri(false, name)));
        for (Process process : ProcessBuilder.startPipeline(programs)) {
            int code = process.waitFor();
            if (code != 0) {
                throw new ServerException("the pipe of pg_dump and pg_restore ended with exit code " + code);
            }
        }
        return Loaded.now(cpu, Map.of());
    }

    private static Loaded natively(BenchServers servers, String name, Cpu cpu) throws Exception {
        servers.run(
                true,
                SOURCE,
                List.of("DROP PUBLICATION IF EXISTS bench", "CREATE PUBLICATION bench FOR TABLE " + TABLE));
        servers.run(false, name, List.of("CREATE SCHEMA bench", CREATION));
        try (Connection target = servers.open(false, name)) {
            Queries.execute(
                    target,
                    "CREATE SUBSCRIPTION " + name + " CONNECTION '" + servers.subscribed(SOURCE)
                            + "' PUBLICATION bench");
            Waits.until("the native copy", LIMIT, POLL_MILLIS, () -> ready(target));
            return Loaded.now(cpu, Map.of());
        }
    }

    private static ProcessBuilder program(Path path, String... arguments) {
        List<String> command = new ArrayList<>(List.of(path.toString()));
        command.addAll(List.of(arguments));
        ProcessBuilder builder = new ProcessBuilder(command).redirectError(ProcessBuilder.Redirect.INHERIT);
        builder.environment().put("PGPASSWORD", RehearsalDatabase.PASSWORD);
        return builder;
    }

    private static boolean ready(Connection target) throws SQLException {
        return Queries.truth(
                target, "SELECT count(*) > 0 AND bool_and(srsubstate IN ('r', 's')) FROM pg_subscription_rel");
    }

    private void summarize() {
        List<List<String>> rows = new ArrayList<>();
        for (String way : List.of(OURS, START, PIPE, NATIVE)) {
            double seconds = median(way);
            boolean all = !way.equals(START);
            List<String> cells = new ArrayList<>(List.of(
                    way,
                    Results.number(seconds),
                    all ? Results.number(options.rows() / seconds) : "",
                    all ? Results.number(megabytes / seconds) : ""));
            for (String process : List.of("source", "target", Cpu.OURS, "broker", Cpu.TOOLS)) {
                cells.add(Results.number(
                        results.median(subject(), way, run -> run.cpuSeconds().getOrDefault(process, 0.0))));
            }
            rows.add(cells);
        }
        results.table(
                subject() + ", " + Results.number(megabytes) + " MB (medians)",
                List.of(
                        "way",
                        "s",
                        "rows/s",
                        "MB/s",
                        "CPU s source",
                        "CPU s target",
                        "CPU s Wherry",
                        "CPU s broker",
                        "CPU s tools"),
                rows);
        double better = Math.min(median(PIPE), median(NATIVE));
        results.atMost(
                subject() + ": time, Wherry without its start / the better of pipe and native",
                Math.max(0, median(OURS) - median(START)) / better,
                "",
                TIME_BAR);
        results.figure(subject() + ": time, Wherry with its start / the better of both", median(OURS) / better, "");
        results.figure(
                subject() + ": of Wherry's time, load",
                results.median(subject(), OURS, run -> run.more().get("load s")),
                "s");
        results.figure(
                subject() + ": of Wherry's time, indexes",
                results.median(subject(), OURS, run -> run.more().get("index s")),
                "s");
    }

    private double median(String way) {
        return results.median(subject(), way, Run::seconds);
    }
}
