package io.wherry.coordinator;

import io.wherry.contract.config.Flow;
import io.wherry.contract.error.ConfigurationException;
import io.wherry.contract.error.Finding;
import io.wherry.contract.error.Finding.Severity;
import io.wherry.contract.error.RetryableException;
import io.wherry.contract.error.StuckException;
import io.wherry.contract.error.WherryException;
import io.wherry.contract.name.TableId;
import io.wherry.contract.postgres.Sessions;
import io.wherry.contract.record.Order;
import io.wherry.contract.service.Ends;
import io.wherry.contract.service.Failpoints;
import io.wherry.contract.service.Service;
import io.wherry.coordinator.cutover.CutoverResult;
import io.wherry.coordinator.cutover.Force;
import io.wherry.coordinator.cutover.Story;
import io.wherry.coordinator.http.HttpApi;
import io.wherry.coordinator.journal.Journal;
import io.wherry.coordinator.machine.Coordinator;
import io.wherry.coordinator.machine.CoordinatorLoop;
import io.wherry.coordinator.machine.StateTime;
import io.wherry.coordinator.machine.Status;
import io.wherry.coordinator.machine.Totals;
import io.wherry.coordinator.preflight.TargetPreflight;
import io.wherry.coordinator.preflight.TargetTables;
import io.wherry.coordinator.proof.ProofControl;
import io.wherry.coordinator.row.DataComparison;
import io.wherry.coordinator.sql.Queries;
import io.wherry.coordinator.thread.MonotonicClock;
import io.wherry.coordinator.thread.Threads;
import io.wherry.coordinator.traffic.TrafficSwitch;
import io.wherry.coordinator.watch.Pulse;
import java.nio.file.Path;
import java.sql.Connection;
import java.sql.SQLException;
import java.util.List;
import java.util.Optional;
import java.util.OptionalLong;
import java.util.Set;
import java.util.concurrent.CompletionStage;
import java.util.concurrent.ExecutionException;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/** The service that watches a migration, declares it in sync and drives the cutover. */
public final class CutoverCoordinator implements Service, Coordinator {
    private static final Logger LOG = LoggerFactory.getLogger(CutoverCoordinator.class);

    private final Flow flow;
    private final List<? extends Service> beside;
    private final CoordinatorLoop loop;
    private final HttpApi http;

    /** @param stateDirectory where the HTTP token is kept if the configuration names no token */
    public CutoverCoordinator(Flow flow, Path stateDirectory) {
        this(flow, stateDirectory, List.of());
    }

    /** @param beside the other services of this process: if one of them hangs, the whole process must start again */
    public CutoverCoordinator(Flow flow, Path stateDirectory, List<? extends Service> beside) {
        this.flow = flow;
        this.beside = List.copyOf(beside);
        this.loop = new CoordinatorLoop(flow, TrafficSwitch.of(flow), Story.STEPS, Failpoints.armed());
        this.http = new HttpApi(flow.migration(), stateDirectory, this);
    }

    @Override
    public void start() {
        if (!hasStarted(flow)) {
            List<Finding> findings = TargetPreflight.check(flow);
            List<Finding> errors = findings.stream()
                    .filter(f -> f.severity() == Severity.ERROR)
                    .toList();
            if (!errors.isEmpty()) {
                throw new ConfigurationException(errors);
            }
            findings.forEach(f -> LOG.warn("{}", f.explained()));
        }
        http.start();
        loop.start();
    }

    /**
     * Whether the target knows this migration. Once started, a migration must continue even if the source is away: after the switch
     * row the source may be gone. False also if the target does not answer.
     */
    public static boolean hasStarted(Flow flow) {
        try (Connection target = Sessions.open(flow.migration(), flow.to(), "check")) {
            boolean known = TargetTables.exists(target, "wherry.migration")
                    && Queries.strings(target, "SELECT name FROM wherry.migration")
                            .contains(flow.migration().name());
            return known && Journal.read(target).isPresent();
        } catch (SQLException e) {
            LOG.debug("Target not readable; the preflight will give the reason", e);
            return false;
        }
    }

    @Override
    public CompletionStage<Void> done() {
        return loop.done();
    }

    @Override
    public Status status() {
        return loop.status();
    }

    @Override
    public Pulse pulse() {
        return loop.pulse();
    }

    @Override
    public Optional<String> hangs() {
        return loop.pulse().hangs(MonotonicClock.millis()).or(() -> beside.stream()
                .flatMap(service -> service.hangs().stream())
                .findFirst());
    }

    /** Each stay in a state so far, in order. */
    public List<StateTime> states() {
        return loop.states();
    }

    /** Heartbeat latency from source to target in ms: 0.5 for the median; empty before the first. */
    public OptionalLong latency(double fraction) {
        return loop.latencies().percentile(fraction);
    }

    /** The result of the last comparison inside a cutover; empty before the first. */
    public Optional<DataComparison> comparison() {
        return loop.comparison();
    }

    /** Sums over the load. */
    public Totals totals() {
        return loop.totals();
    }

    /** Port the HTTP API listens on. */
    public int httpPort() {
        return http.port();
    }

    @Override
    public CompletionStage<CutoverResult> cutover(boolean dryRun, Set<Force> forced) {
        return loop.cutover(dryRun, forced);
    }

    @Override
    public CompletionStage<Boolean> abort() {
        return loop.abort();
    }

    @Override
    public List<TableId> retry(Optional<String> table) throws SQLException {
        return order(Order.Kind.RETRY, table);
    }

    @Override
    public List<TableId> reload(Optional<String> table) throws SQLException {
        return order(Order.Kind.RELOAD, table);
    }

    @Override
    public ProofControl proof() {
        return loop.proof();
    }

    /** Waits for the coordinator's thread, which gives the order. */
    private List<TableId> order(Order.Kind kind, Optional<String> table) throws SQLException {
        try {
            return loop.order(kind, table).toCompletableFuture().get();
        } catch (ExecutionException e) {
            if (e.getCause() instanceof SQLException failed) {
                throw failed;
            }
            if (e.getCause() instanceof WherryException failed) {
                throw failed;
            }
            throw new IllegalStateException(e.getCause());
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
            throw new RetryableException("order", table.orElse("all tables"), "interrupted", "Ask again", e);
        }
    }

    @Override
    public void close() {
        try {
            Threads.closeWithin("cutover-coordinator", Ends.LIMIT.multipliedBy(2), () -> {
                loop.close();
                http.close();
            });
        } catch (StuckException e) {
            LOG.error("{}", e.explained());
        }
    }
}
