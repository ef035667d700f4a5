package io.wherry.bench;

import io.wherry.bench.BenchReport.Run;
import io.wherry.contract.config.Flow;
import io.wherry.contract.config.Migration;
import io.wherry.contract.config.Migration.Verify;
import io.wherry.contract.name.TableId;
import io.wherry.contract.postgres.Lsn;
import io.wherry.coordinator.proof.Proof;
import io.wherry.coordinator.recheck.DirtyKeys;
import io.wherry.coordinator.sql.BothSides;
import io.wherry.coordinator.sql.BoundSessions;
import io.wherry.coordinator.sql.Queries;
import io.wherry.coordinator.thread.Beside;
import io.wherry.embedded.ServerException;
import io.wherry.rehearsal.RehearsalDatabase;
import java.io.File;
import java.io.IOException;
import java.io.PrintWriter;
import java.sql.Connection;
import java.sql.SQLException;
import java.time.Duration;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;

/**
 * A pass of the proof over one table, beside what else reads all rows of a table: {@code SELECT count(*)}, {@code pg_dump} to
 * nowhere, and a plain aggregate over {@code md5(t::text)}. The pass works as at {@code verify.load: 100}, by the classes that the
 * coordinator uses.
 */
public final class PassBench implements Bench {
    private static final String DATABASE = "pass";
    private static final Duration LIMIT = Duration.ofHours(1);
    private static final long MOST_BYTES = 64L << 20;
    private static final int MOST_KEYS = 200_000;

    private static final String PASS = "pass of the proof";
    private static final String COUNT = "SELECT count(*)";
    private static final String DUMP = "pg_dump --data-only";
    private static final String MD5 = "md5 aggregate";
    private static final String MD5_ONE = "md5 aggregate, no parallel workers";
    private static final String MD5_BOTH = "md5 aggregate, both sides at once, no parallel workers";

    private final Options options;
    private final Results results;
    private final List<Table> tables;

    /**
     * @param rows of the narrow table
     * @param wideRows of the wide table, with texts of 1 kB and ten types
     * @param rounds that count; one round before them does not
     */
    public record Options(long rows, long wideRows, int rounds, int sourceVersion, int targetVersion) {}

    private record Table(String name, String title, long rows, List<String> creation) {}

    private interface Work {
        void run() throws Exception;
    }

    private record Way(String name, int sides, Work work) {}

    /** @param progress gets a line for each run */
    public PassBench(Options options, PrintWriter progress) {
        this.options = options;
        this.results = new Results("pass", progress);
        tables = List.of(
                new Table(
                        "bench.narrow",
                        "narrow, %,d rows".formatted(options.rows()),
                        options.rows(),
                        List.of(
                                "CREATE TABLE bench.narrow (id bigint PRIMARY KEY, account int NOT NULL, kind text NOT NULL,"
                                        + " amount numeric(12,2) NOT NULL)",
                                "INSERT INTO bench.narrow SELECT n, n % 1000, 'kind ' || n % 7, n % 100000 / 7.0"
                                        + " FROM generate_series(1, " + options.rows() + ") AS n")),
                new Table(
                        "bench.wide",
                        "wide, 1 kB of text, %,d rows".formatted(options.wideRows()),
                        options.wideRows(),
                        List.of(
                                "CREATE TABLE bench.wide (id bigint PRIMARY KEY, name varchar(40) NOT NULL, body text NOT NULL,"
                                        + " price numeric(12,2), score double precision, at timestamptz, born date, ok boolean,"
                                        + " code uuid, tags text[], profile jsonb, raw bytea)",
                                "INSERT INTO bench.wide SELECT n, 'name ' || n, (SELECT string_agg(md5((n * i)::text), '')"
                                        + " FROM generate_series(1, 32) AS i), n % 100000 / 7.0, n / 4.0,"
                                        + " timestamptz '2024-01-01+00' + n * interval '1 second', date '1950-01-01' + n % 20000,"
                                        + " n % 3 = 0, md5(n::text)::uuid, ARRAY['t' || n % 7, 'é, \"'],"
                                        + " jsonb_build_object('n', n, 'x', jsonb_build_array(n % 5, NULL)),"
                                        + " decode(md5(n::text), 'hex') FROM generate_series(1, " + options.wideRows()
                                        + ") AS n")));
    }

    @Override
    public BenchReport run() throws Exception {
        results.setting("rows", options.rows());
        results.setting("wide rows", options.wideRows());
        results.setting("rounds", options.rounds());
        results.note(
                "The pass reads both sides at the same time, one session each, and compares them. Every other way reads"
                        + " the source only, unless its name says both sides. Rows/s and MB/s are those of one side.");
        results.note(
                "Both servers, the clients and Wherry share the machine. A session on the server is one process; the server"
                        + " may give a plain aggregate parallel workers, and gives the pass none.");
        results.note(
                "One round of all ways runs before the first that counts. MB are those of the table and its TOAST.");
        try (BenchServers servers = new BenchServers(options.sourceVersion(), options.targetVersion(), false)) {
            servers.describe(results);
            servers.create(DATABASE);
            servers.onBoth(DATABASE, List.of("CREATE SCHEMA bench"));
            for (Table table : tables) {
                servers.onBoth(DATABASE, table.creation());
                servers.onBoth(DATABASE, List.of("VACUUM ANALYZE " + table.name()));
            }
            servers.checkpoint();
            for (Table table : tables) {
                measure(servers, table);
            }
        }
        return results.report();
    }

    private void measure(BenchServers servers, Table table) throws Exception {
        Migration migration = servers.migration(
                DATABASE,
                List.of(table.name()),
                new Verify(true, 100, 1, Verify.DEFAULT.wholeWithin(), Verify.DEFAULT.maxAge()),
                Duration.ofHours(1));
        Flow flow = Flow.first(migration);
        try (BoundSessions opened = new BoundSessions(flow);
                Connection source = opened.open(flow.from(), "proof");
                Connection target = opened.open(flow.to(), "proof");
                Beside beside = new Beside("bench-source");
                Connection plainSource = servers.open(true, DATABASE);
                Connection plainTarget = servers.open(false, DATABASE)) {
            BothSides sides = new BothSides(source, target, beside);
            String md5 = Digests.query(table.name());
            List<Way> ways = List.of(
                    new Way(PASS, 2, () -> pass(flow, sides, table)),
                    new Way(COUNT, 1, () -> Queries.number(plainSource, "SELECT count(*) FROM " + table.name())),
                    new Way(DUMP, 1, () -> dump(servers, table)),
                    new Way(MD5, 1, () -> Queries.string(plainSource, md5)),
                    new Way(MD5_ONE, 1, () -> alone(plainSource, md5)),
                    new Way(
                            MD5_BOTH,
                            2,
                            () -> beside.both(
                                    () -> alone(plainSource, md5), () -> alone(plainTarget, md5), (one, two) -> one)));
            double megabytes = Queries.number(plainSource, "SELECT pg_table_size('" + table.name() + "')") / 1e6;
            Cpu cpu = servers.cpu();
            for (int round = 0; round <= options.rounds(); round++) {
                for (Way way : ways) {
                    Cpu.Used before = cpu.now();
                    long began = System.nanoTime();
                    way.work().run();
                    double seconds = (System.nanoTime() - began) / 1e9;
                    if (round > 0) {
                        results.run(new Run(
                                table.title(),
                                way.name(),
                                round,
                                seconds,
                                table.rows(),
                                cpu.now().since(before).seconds(),
                                Map.of("megabytes", megabytes)));
                    }
                }
            }
            results.compared(
                    table.title() + ", by the plain aggregate",
                    Digests.of(plainSource, List.of(table.name())),
                    Digests.of(plainTarget, List.of(table.name())));
            summarize(table, ways, megabytes);
        }
    }

    private static String alone(Connection side, String sql) throws SQLException {
        Queries.execute(side, "SET max_parallel_workers_per_gather = 0");
        try {
            return Queries.string(side, sql).orElseThrow();
        } finally {
            Queries.execute(side, "RESET max_parallel_workers_per_gather");
        }
    }

    /** Turns without pauses until the table is proven, as the coordinator's thread does at full load. */
    private void pass(Flow flow, BothSides sides, Table table) throws SQLException {
        String[] name = table.name().split("\\.");
        TableId id = new TableId(name[0], name[1]);
        Lsn now = Lsn.parse(Queries.string(sides.source(), "SELECT pg_current_wal_insert_lsn()::text")
                .orElseThrow());
        Proof proof = new Proof(flow, new DirtyKeys(MOST_BYTES, MOST_KEYS), () -> now, Lsn.ZERO, Set.of(id));
        long end = System.nanoTime() + LIMIT.toNanos();
        // A table is proven while rows that seem to differ wait to be compared again.
        while (!proof.proven().contains(id) || proof.status().dirty().keys() > 0) {
            boolean worked = proof.turn(sides);
            if (!worked || System.nanoTime() > end) {
                results.compared(
                        table.title(),
                        "not proven: " + proof.status().tables().get(0).unproven());
                return;
            }
        }
        long compared = proof.status().rowsCompared();
        results.compared(
                table.title(), compared == table.rows() ? "" : "the pass has compared " + compared + " rows only");
    }

    private static void dump(BenchServers servers, Table table) throws IOException, InterruptedException {
        ProcessBuilder builder = new ProcessBuilder(
                        servers.tools().pgDump().toString(),
                        "--data-only",
                        "--table=" + table.name(),
                        "--file=/dev/null",
                        "--dbname=" + servers.uri(true, DATABASE))
                .redirectErrorStream(true)
                .redirectOutput(ProcessBuilder.Redirect.DISCARD)
                .redirectInput(ProcessBuilder.Redirect.from(new File("/dev/null")));
        builder.environment().put("PGPASSWORD", RehearsalDatabase.PASSWORD);
        int code = builder.start().waitFor();
        if (code != 0) {
            throw new ServerException("pg_dump of " + table.name() + " ended with exit code " + code);
        }
    }

    private void summarize(Table table, List<Way> ways, double megabytes) {
        List<List<String>> rows = new ArrayList<>();
        Map<String, Double> speed = new LinkedHashMap<>();
        Map<String, Double> cost = new LinkedHashMap<>();
        for (Way way : ways) {
            double seconds = results.median(table.title(), way.name(), Run::seconds);
            double used = results.median(table.title(), way.name(), run -> run.cpuSeconds().values().stream()
                    .mapToDouble(Double::doubleValue)
                    .sum());
            double perRow = used / way.sides() / table.rows() * 1e6;
            speed.put(way.name(), table.rows() * way.sides() / seconds);
            cost.put(way.name(), perRow);
            List<String> cells = new ArrayList<>(List.of(
                    way.name(),
                    Integer.toString(way.sides()),
                    Results.number(seconds),
                    Results.number(table.rows() / seconds),
                    Results.number(megabytes / seconds)));
            for (String process : List.of("source", "target", Cpu.OURS, Cpu.TOOLS)) {
                cells.add(Results.number(results.median(
                        table.title(), way.name(), run -> run.cpuSeconds().getOrDefault(process, 0.0))));
            }
            cells.add(Results.number(perRow));
            rows.add(cells);
        }
        results.table(
                table.title() + ", " + Results.number(megabytes) + " MB (medians)",
                List.of(
                        "way",
                        "sides",
                        "s",
                        "rows/s a side",
                        "MB/s a side",
                        "CPU s source",
                        "CPU s target",
                        "CPU s Wherry",
                        "CPU s tools",
                        "CPU µs a row and side"),
                rows);
        String of = table.title() + ": rows/s read by the pass (both sides) / by the ";
        results.atLeast(of + MD5, speed.get(PASS) / speed.get(MD5), "", 1);
        results.atLeast(of + MD5_BOTH, speed.get(PASS) / speed.get(MD5_BOTH), "", 1);
        results.figure(table.title() + ": rows/s of one side, pass / " + MD5, speed.get(PASS) / 2 / speed.get(MD5), "");
        results.figure(
                table.title() + ": rows/s of one side, pass / " + MD5_ONE,
                speed.get(PASS) / 2 / speed.get(MD5_ONE),
                "");
        results.figure(
                table.title() + ": CPU a row and side, pass / " + MD5_ONE, cost.get(PASS) / cost.get(MD5_ONE), "");
        results.figure(
                table.title() + ": rows/s of one side, pass / pg_dump", speed.get(PASS) / 2 / speed.get(DUMP), "");
    }
}
