package io.wherry.coordinator.machine;

import io.wherry.contract.record.SourceStatus;
import io.wherry.coordinator.schema.SchemaDrift;
import io.wherry.coordinator.watch.Latencies;
import io.wherry.coordinator.watch.Observation;
import io.wherry.coordinator.watch.Observation.TargetSeen;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/** What the coordinator knows so far. Used by its thread only. */
final class Facts {
    private static final Logger LOG = LoggerFactory.getLogger(Facts.class);
    private static final long FAILURE_MILLIS = 3_000;

    private final LagFacts lags;
    private final TableFacts tables = new TableFacts();
    private SchemaDrift drift = SchemaDrift.NONE;
    private String sourceProblem;
    private List<String> sourceWaits = List.of();
    private List<String> restoring = List.of();
    private String lost;
    private String failure;
    private long failureSeenMillis;

    Facts(Latencies latencies) {
        this.lags = new LagFacts(latencies);
    }

    LagFacts lags() {
        return lags;
    }

    TableFacts tables() {
        return tables;
    }

    void see(TargetSeen seen, long nowMillis) {
        tables.see(seen.relations(), drift.gone());
        lags.see(seen, nowMillis);
        lost = seen.lost();
    }

    void see(SourceStatus status) {
        tables.see(status);
        sourceProblem = status.problem();
        sourceWaits = status.waitsFor();
    }

    void see(Observation.IdentitiesTaken taken) {
        restoring = taken.restoring();
    }

    void see(SchemaDrift seen) {
        if (!seen.obstacles().equals(drift.obstacles())) {
            seen.obstacles().forEach(obstacle -> LOG.warn("{}", obstacle));
        }
        drift = seen;
        tables.gone(seen.gone());
    }

    void see(Observation.Failed failed, long nowMillis) {
        failure = failed.problem();
        failureSeenMillis = nowMillis;
    }

    /** How the tables of both sides differ. */
    SchemaDrift drift() {
        return drift;
    }

    /** The statements that restore replica identities on the source. */
    List<String> restoring() {
        return restoring;
    }

    /** Commits that the target has lost, as text; null = none. */
    String lost() {
        return lost;
    }

    /** What the source-connector waits for, and what the source refuses because of Wherry; the worst first. */
    List<String> sourceWaits() {
        return sourceWaits;
    }

    /** Why the target cannot be in sync, whatever the lag; empty = no reason is known. */
    Optional<String> obstacle(long nowMillis) {
        return halted().or(() -> drift.obstacles().stream().findFirst())
                .or(tables::replaced)
                .or(() -> recentFailure(nowMillis));
    }

    private Optional<String> recentFailure(long nowMillis) {
        return failure != null && nowMillis - failureSeenMillis < FAILURE_MILLIS
                ? Optional.of(failure)
                : Optional.empty();
    }

    /** What has stopped until the operator acts. */
    Optional<String> halted() {
        return Optional.ofNullable(sourceProblem).or(this::slotProblem).or(tables::halted);
    }

    private Optional<String> slotProblem() {
        return lags.slotProblem(tables.planned());
    }

    /** What the operator can do about problems that stop the migration. */
    List<String> remedies() {
        List<String> remedies = new ArrayList<>();
        if (sourceProblem != null || slotProblem().isPresent()) {
            remedies.add("wherry reload --all");
        }
        if (lost != null) {
            remedies.add(
                    "the target lost commits that it had confirmed (" + lost
                            + "); Wherry applied them again from Kafka. Check that each replica that may be promoted is a synchronous one");
        }
        remedies.addAll(tables.remedies());
        return remedies;
    }
}
