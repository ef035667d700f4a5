package io.wherry.rehearsal;

import io.wherry.cli.Preflight;
import io.wherry.cli.Progress;
import io.wherry.cli.Services;
import io.wherry.contract.config.Flow;
import io.wherry.contract.config.Migration;
import io.wherry.contract.postgres.Sessions;
import io.wherry.coordinator.CutoverCoordinator;
import io.wherry.coordinator.cutover.CutoverResult;
import io.wherry.coordinator.cutover.CutoverResult.Outcome;
import io.wherry.coordinator.dump.PostgresTools;
import io.wherry.coordinator.journal.State;
import io.wherry.coordinator.machine.Status;
import io.wherry.coordinator.machine.Totals;
import io.wherry.coordinator.row.DataComparison;
import io.wherry.coordinator.schema.SchemaCompare;
import io.wherry.coordinator.schema.SchemaCopy;
import io.wherry.embedded.EmbeddedPostgres;
import io.wherry.embedded.ServerException;
import io.wherry.rehearsal.RehearsalReport.StateSeconds;
import java.io.PrintWriter;
import java.nio.file.Path;
import java.sql.Connection;
import java.sql.SQLException;
import java.time.Duration;
import java.util.List;
import java.util.Optional;
import java.util.OptionalLong;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import java.util.function.BooleanSupplier;
import java.util.stream.Stream;

/** A whole migration on temporary servers: fill, write, migrate, cut over, check, report. */
public final class Rehearsal implements AutoCloseable {
    private static final Duration IN_SYNC_LIMIT = Duration.ofHours(6);
    private static final Duration AFTER_SWITCH = Duration.ofSeconds(3);
    private static final long POLL_MILLIS = 50;

    private final Options options;
    private final PrintWriter out;
    private RehearsalServers servers;
    private Services services;

    /**
     * @param rows of the sample, approximately
     * @param rate transactions a second
     * @param dump plain SQL to load instead of the sample
     * @param seed of the traffic
     * @param json progress as JSON lines
     */
    public record Options(
            long rows, int rate, int sourceVersion, int targetVersion, Optional<Path> dump, long seed, boolean json) {}

    public Rehearsal(Options options, PrintWriter out) {
        this.options = options;
        this.out = out;
    }

    private Traffic traffic(Connection owner) throws SQLException {
        Traffic.createLedger(owner, servers.application().user());
        return new Traffic(servers::application, owner, options.seed(), options.rate());
    }

    /** Runs the whole migration and returns its report; servers and services stay up until {@link #close}. */
    public RehearsalReport run() {
        long started = System.nanoTime();
        say("starting PostgreSQL " + options.sourceVersion() + " and " + options.targetVersion()
                + ", Kafka and a schema registry; filling the source");
        servers =
                new RehearsalServers(options.sourceVersion(), options.targetVersion(), options.dump(), options.rows());
        Migration migration = servers.migration();
        Preflight.require(migration);
        try (Connection owner = Sessions.open(migration, migration.source(), "rehearsal");
                Traffic traffic = traffic(owner)) {
            traffic.start();
            services = new Services(migration, servers.directory().resolve("state"));
            // Also at Ctrl-C, the services end before the servers that they use.
            servers.processes().beforeClose(services::close);
            try (Progress progress = new Progress(out, services.coordinator()::status, options.json())) {
                services.start();
                progress.start();
                return migrate(migration, traffic, started);
            }
        } catch (SQLException e) {
            throw new ServerException("Rehearsal failed: " + e.getMessage(), e);
        }
    }

    private RehearsalReport migrate(Migration migration, Traffic traffic, long started) throws SQLException {
        await("in sync", IN_SYNC_LIMIT, () -> services.coordinator().status().state() == State.IN_SYNC);
        await("the proof of equality", IN_SYNC_LIMIT, new ProofAwaited(() -> services.coordinator()
                .status()
                .proof()));
        long switchStarted = System.nanoTime();
        CutoverResult result =
                services.coordinator().cutover(false).toCompletableFuture().join();
        long written = traffic.acknowledged();
        long until = System.nanoTime() + AFTER_SWITCH.toNanos();
        await(
                "writes after the switch",
                Duration.ofMinutes(1),
                () -> System.nanoTime() > until && (written == 0 || traffic.acknowledged() > written));
        traffic.close();
        boolean switched = result.outcome() == Outcome.COMPLETED;
        List<String> schema = switched ? schemaDifferences(migration) : List.of();
        try (Connection serving =
                Sessions.open(migration, switched ? migration.target() : migration.source(), "rehearsal ledger")) {
            return report(traffic, serving, result, schema, started, switchStarted);
        }
    }

    private RehearsalReport report(
            Traffic traffic,
            Connection serving,
            CutoverResult result,
            List<String> schema,
            long started,
            long switchStarted)
            throws SQLException {
        CutoverCoordinator coordinator = services.coordinator();
        Totals totals = coordinator.totals();
        Optional<DataComparison> comparison = coordinator.comparison();
        return new RehearsalReport(
                options.sourceVersion(),
                options.targetVersion(),
                options.seed(),
                result.outcome() + (result.reason().isEmpty() ? "" : ": " + result.reason()),
                totals.rowsLoaded(),
                totals.bytesLoaded(),
                totals.loadSeconds(),
                totals.indexSeconds(),
                coordinator.status().tables().stream()
                        .map(Status.TableStatus::applied)
                        .mapToLong(a -> a.insert() + a.update() + a.delete())
                        .sum(),
                comparison.map(c -> c.tables().size()).orElse(0),
                comparison.map(DataComparison::rowsCompared).orElse(0L),
                comparison.map(DataComparison::rowsDifferent).orElse(0L),
                schema,
                traffic.acknowledged(),
                traffic.lost(serving),
                traffic.log().refusedCount(),
                traffic.log().inDoubtCount(),
                traffic.log().longestGapMillis(switchStarted),
                latency(0.5),
                latency(0.99),
                services.blockBytesPeak(),
                (System.nanoTime() - started) / 1e9,
                coordinator.states().stream()
                        .map(state -> new StateSeconds(state.state().name(), state.seconds()))
                        .toList());
    }

    private Long latency(double fraction) {
        OptionalLong millis = services.coordinator().latency(fraction);
        return millis.isPresent() ? millis.getAsLong() : null;
    }

    private static List<String> schemaDifferences(Migration migration) throws SQLException {
        SchemaCompare.Result found = new SchemaCompare(
                        Flow.first(migration), PostgresTools.locate(SchemaCopy.toolsVersion(Flow.first(migration))))
                .run();
        return Stream.concat(
                        found.onlyOnSource().stream().map(s -> "only on source: " + s),
                        found.onlyOnTarget().stream().map(s -> "only on target: " + s))
                .toList();
    }

    private void await(String what, Duration limit, BooleanSupplier reached) {
        long end = System.nanoTime() + limit.toNanos();
        while (!reached.getAsBoolean()) {
            if (services.done().toCompletableFuture().isCompletedExceptionally()) {
                Services.await(services);
            }
            if (System.nanoTime() > end) {
                throw new ServerException("not reached within " + limit.toSeconds() + " s: " + what);
            }
            try {
                TimeUnit.MILLISECONDS.sleep(POLL_MILLIS);
            } catch (InterruptedException e) {
                Thread.currentThread().interrupt();
                throw new ServerException("interrupted while waiting for " + what, e);
            }
        }
    }

    /** Prints the addresses of all servers and blocks until Ctrl-C. */
    public void keep() throws InterruptedException {
        say(kept());
        new CountDownLatch(1).await();
    }

    /** The addresses of all servers, with commands to look into them. */
    String kept() {
        return "kept until Ctrl-C\n  source: " + psql(servers.source()) + "\n  target: " + psql(servers.target())
                + "\n  broker: " + servers.kafka().bootstrapServers() + ", login in "
                + servers.kafka().clientFile()
                + "\n  status: http://127.0.0.1:"
                + servers.migration().http().port() + "/api/status";
    }

    /** With Wherry's own role: the fence keeps the applications' role out of the side that does not serve. */
    private static String psql(EmbeddedPostgres server) {
        return "psql postgresql://" + RehearsalDatabase.OPERATOR + ":" + RehearsalDatabase.PASSWORD + "@127.0.0.1:"
                + server.port() + "/" + RehearsalServers.NAME;
    }

    private void say(String text) {
        if (!options.json()) {
            out.println(text);
            out.flush();
        }
    }

    @Override
    public void close() {
        if (services != null) {
            services.close();
        }
        if (servers != null) {
            servers.close();
        }
    }
}
