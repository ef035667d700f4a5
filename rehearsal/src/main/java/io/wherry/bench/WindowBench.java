package io.wherry.bench;

import io.wherry.bench.BenchReport.Run;
import io.wherry.cli.Preflight;
import io.wherry.cli.Services;
import io.wherry.contract.config.Migration;
import io.wherry.contract.config.Migration.Views;
import io.wherry.contract.postgres.CatalogTable;
import io.wherry.contract.postgres.Sessions;
import io.wherry.coordinator.cutover.CutoverResult;
import io.wherry.coordinator.cutover.CutoverResult.Outcome;
import io.wherry.coordinator.journal.State;
import io.wherry.coordinator.row.DataComparison;
import io.wherry.coordinator.sql.Queries;
import io.wherry.coordinator.sql.Window.Part;
import io.wherry.embedded.ServerException;
import io.wherry.rehearsal.ProofAwaited;
import io.wherry.rehearsal.RehearsalServers;
import io.wherry.rehearsal.Traffic;
import io.wherry.rehearsal.Waits;
import io.wherry.rehearsal.WriteLog;
import java.io.PrintWriter;
import java.sql.Connection;
import java.sql.SQLException;
import java.time.Duration;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.function.Predicate;
import java.util.stream.Collectors;

/**
 * The window of a cutover under live traffic, several times on the same data. The last window is a real cutover. In each one before
 * it, the target refuses the switch row: everything up to that row is done as in a real cutover, then the transaction fails, Wherry
 * aborts, and the source serves again.
 */
public final class WindowBench implements Bench {
    private static final Duration LIMIT = Duration.ofHours(6);
    private static final long POLL_MILLIS = 50;
    private static final long STEADY_NANOS = 5_000_000_000L;
    private static final int MOST_REFUSALS = 20;
    private static final String REFUSER = "wherry_bench_refuses_the_switch";
    private static final String FENCE = "the fence";
    private static final List<String> STATES = List.of("FENCING", "DRAINING", "VERIFYING", "PREPARING_TARGET");
    private static final double CHECK_MILLIS = 200;
    private static final double SWITCH_MILLIS = 1_500;

    private final Options options;
    private final Results results;

    /**
     * @param rows of the sample database, approximately; each number is a migration of its own
     * @param rate transactions a second
     * @param windows of each migration
     * @param views when the target's materialized views are refreshed
     * @param keyless whether the traffic writes to tables without a key too, which the window then compares whole
     */
    public record Options(
            List<Long> rows,
            int rate,
            int windows,
            Views views,
            boolean keyless,
            int sourceVersion,
            int targetVersion) {}

    /** @param progress gets a line for each window */
    public WindowBench(Options options, PrintWriter progress) {
        this.options = options;
        this.results = new Results("window", progress);
    }

    @Override
    public BenchReport run() throws Exception {
        results.setting("rows", options.rows().stream().map(String::valueOf).collect(Collectors.joining(", ")));
        results.setting("transactions/s", options.rate());
        results.setting("windows", options.windows());
        results.setting("traffic on tables without key", options.keyless() ? "yes" : "no");
        results.setting("materialized views", options.views() == Views.AFTER ? "after" : "in-window");
        results.note("Windows that were real cutovers: 1 of " + options.windows()
                + " of each size, the last one. In each of the"
                + " others the target refused the switch row, after everything that comes before it; then Wherry aborted, and"
                + " the next window began when the state was IN_SYNC and the proof stood still.");
        results.note(
                "A state's time is the sum of its parts. Fence to switch row is the time from the begin of the fence to the"
                        + " end of the statement that writes the switch row. FENCING holds the opening of sessions too, during which"
                        + " applications still write.");
        results.note("Both servers, the broker, the registry, Wherry and the traffic share the machine. The traffic"
                + " begins when the target is in sync, and runs for five seconds at least before each window.");
        for (long rows : options.rows()) {
            measure(rows);
        }
        return results.report();
    }

    private void measure(long rows) throws Exception {
        results.say("starting servers, and filling the source with about " + rows + " rows");
        try (RehearsalServers servers = new RehearsalServers(
                        options.sourceVersion(), options.targetVersion(), Optional.empty(), rows, options.views());
                Connection owner =
                        Sessions.open(servers.migration(), servers.migration().source(), "bench")) {
            Migration migration = servers.migration();
            Preflight.require(migration);
            results.setting("source", "PostgreSQL " + version(owner));
            Traffic.createLedger(owner, servers.application().user());
            WriteLog log = new WriteLog();
            Predicate<CatalogTable> which =
                    table -> options.keyless() || !table.primaryKey().isEmpty();
            Traffic traffic = new Traffic(servers::application, owner, 1, options.rate(), log, which);
            try (Services services = new Services(migration, servers.directory().resolve("state"));
                    Connection target = Sessions.open(migration, migration.target(), "bench")) {
                results.setting("target", "PostgreSQL " + version(target));
                // Also at Ctrl-C, the services end before the servers that they use.
                servers.processes().beforeClose(services::close);
                try (traffic) {
                    services.start();
                    // Not during the load, which is not measured here: every transaction is remembered until the end.
                    Waits.until("in sync", LIMIT, POLL_MILLIS, () -> inSync(services));
                    traffic.start();
                    for (int window = 1; window <= options.windows(); window++) {
                        window(rows, window, services, target, log);
                    }
                }
                long lost = traffic.lost(target);
                results.compared(
                        title(rows), lost == 0 ? "" : lost + " acknowledged transactions are not on the target");
            }
        }
        summarize(rows);
    }

    private static String version(Connection server) throws SQLException {
        return Queries.string(server, "SHOW server_version").orElseThrow();
    }

    private String title(long rows) {
        return "%,d rows, %,d transactions/s".formatted(rows, options.rate());
    }

    private void window(long rows, int window, Services services, Connection target, WriteLog log) throws Exception {
        boolean real = window == options.windows();
        for (int refusals = 0; refusals < MOST_REFUSALS; refusals++) {
            long writtenBefore = log.count();
            long waitBegan = System.nanoTime();
            awaitProof(services);
            refuseSwitch(target, !real);
            long began = System.nanoTime();
            double rate = (log.count() - writtenBefore) * 1e9 / (began - waitBegan);
            CutoverResult result =
                    services.coordinator().cutover(false).toCompletableFuture().join();
            if (result.outcome() == Outcome.REFUSED) {
                results.note("A cutover was refused, and asked for again: " + result.reason());
                continue;
            }
            boolean asMeant = real
                    ? result.outcome() == Outcome.COMPLETED
                    : result.outcome() == Outcome.ABORTED && result.reason().contains(REFUSER);
            if (!asMeant) {
                throw new ServerException("window " + window + " ended otherwise than it should: " + result.outcome()
                        + " " + result.reason());
            }
            compared(rows, services);
            Map<String, Double> more = new LinkedHashMap<>();
            for (String state : STATES) {
                more.put(state + " ms", millis(result.parts(), part -> part.stage()
                        .equals(state)));
            }
            List<Part> behindFence = result.parts().stream()
                    .dropWhile(part -> !part.name().equals(FENCE))
                    .toList();
            Part last = behindFence.get(behindFence.size() - 1);
            double fenced =
                    last.beganMillis() + last.millis() - behindFence.get(0).beganMillis();
            more.put("fence to switch row ms", fenced);
            result.parts().forEach(part -> more.merge(part.stage() + ": " + named(part), part.millis(), Double::sum));
            more.put("real", real ? 1.0 : 0.0);
            more.put("transactions/s before", rate);
            if (real) {
                // The gap is known once a write has followed it.
                long acknowledged = log.count();
                Waits.until("a write after the switch", LIMIT, POLL_MILLIS, () -> log.count() > acknowledged);
                more.put("longest write gap ms", (double) log.longestGapMillis(began));
            }
            results.run(new Run(title(rows), "window", window, fenced / 1e3, rows, Map.of(), more));
            return;
        }
        throw new ServerException("a cutover was refused " + MOST_REFUSALS + " times");
    }

    /** Without the position that the window waits for, so that the same part has the same name in each window. */
    private static String named(Part part) {
        return part.name().replaceAll(" [0-9A-F]+/[0-9A-F]+$", " the fence's position");
    }

    private static double millis(List<Part> parts, Predicate<Part> which) {
        return parts.stream().filter(which).mapToDouble(Part::millis).sum();
    }

    private void awaitProof(Services services) throws Exception {
        long began = System.nanoTime();
        Waits.until("steady traffic", LIMIT, POLL_MILLIS, () -> System.nanoTime() - began > STEADY_NANOS);
        ProofAwaited still =
                new ProofAwaited(() -> services.coordinator().status().proof());
        Waits.until("in sync", LIMIT, POLL_MILLIS, () -> inSync(services));
        Waits.until("the proof", LIMIT, POLL_MILLIS, still::getAsBoolean);
        Waits.until("in sync", LIMIT, POLL_MILLIS, () -> inSync(services));
    }

    private static boolean inSync(Services services) {
        if (services.done().toCompletableFuture().isCompletedExceptionally()) {
            Services.await(services);
        }
        return services.coordinator().status().state() == State.IN_SYNC;
    }

    /** The constraint refuses no other row, and no session can leave a constraint out. */
    private static void refuseSwitch(Connection target, boolean refuse) throws SQLException {
        Queries.execute(target, "ALTER TABLE wherry.journal DROP CONSTRAINT IF EXISTS " + REFUSER);
        if (refuse) {
            Queries.execute(
                    target,
                    "ALTER TABLE wherry.journal ADD CONSTRAINT " + REFUSER + " CHECK (state <> '" + State.SWITCHING
                            + "') NOT VALID");
        }
    }

    private void compared(long rows, Services services) {
        Optional<DataComparison> found = services.coordinator().comparison();
        results.compared(
                title(rows),
                found.isEmpty()
                        ? "the window has compared nothing"
                        : found.get().equal() ? "" : found.get().differences().toString());
    }

    private void summarize(long rows) {
        String title = title(rows);
        List<Run> windows = results.of(title, "window");
        List<List<String>> cells = new ArrayList<>();
        for (Run run : windows) {
            List<String> row = new ArrayList<>();
            row.add(Integer.toString(run.round()));
            row.add(run.more().get("real") > 0 ? "real cutover" : "aborted at the switch row");
            STATES.forEach(state -> row.add(Results.number(run.more().get(state + " ms"))));
            row.add(Results.number(run.more().get("fence to switch row ms")));
            Double gap = run.more().get("longest write gap ms");
            row.add(gap == null ? "" : Results.number(gap));
            cells.add(row);
        }
        List<String> columns = new ArrayList<>(List.of("window", "ended"));
        columns.addAll(STATES);
        columns.addAll(List.of("fence to switch row", "longest write gap"));
        results.table(title + ": each window (ms)", columns, cells);
        List<String> parts = windows.stream()
                .flatMap(run -> run.more().keySet().stream())
                .filter(name -> name.contains(": "))
                .distinct()
                .collect(Collectors.toList());
        results.table(
                title + ": parts of the window (ms)",
                List.of("state", "part", "median", "most"),
                parts.stream().map(part -> partRow(part, windows)).toList());
        results.atMost(title + ": check (VERIFYING), median", median(title, "VERIFYING ms"), "ms", CHECK_MILLIS);
        results.atMost(
                title + ": fence to switch row, median", median(title, "fence to switch row ms"), "ms", SWITCH_MILLIS);
        results.figure(
                title + ": transactions/s that the applications reached before the window, median",
                median(title, "transactions/s before"),
                "");
        results.figure(title + ": DRAINING, median", median(title, "DRAINING ms"), "ms");
        results.figure(title + ": PREPARING_TARGET, median", median(title, "PREPARING_TARGET ms"), "ms");
        results.figure(title + ": check / bar", median(title, "VERIFYING ms") / CHECK_MILLIS, "");
    }

    private static List<String> partRow(String part, List<Run> windows) {
        List<Double> millis =
                windows.stream().map(run -> run.more().getOrDefault(part, 0.0)).toList();
        int colon = part.indexOf(": ");
        double most = millis.stream().mapToDouble(Double::doubleValue).max().orElse(0);
        return List.of(
                part.substring(0, colon),
                part.substring(colon + 2),
                Results.number(Results.median(millis)),
                Results.number(most));
    }

    private double median(String title, String value) {
        return results.median(title, "window", run -> run.more().get(value));
    }
}
