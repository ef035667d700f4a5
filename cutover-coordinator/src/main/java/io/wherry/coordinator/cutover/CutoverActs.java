package io.wherry.coordinator.cutover;

import io.wherry.contract.config.Migration;
import io.wherry.contract.error.DataException;
import io.wherry.contract.error.RetryableException;
import io.wherry.contract.postgres.Lsn;
import io.wherry.contract.postgres.Sessions;
import io.wherry.contract.postgres.TargetState;
import io.wherry.contract.record.Heartbeat;
import io.wherry.contract.service.Effect;
import io.wherry.contract.service.Failpoints;
import io.wherry.coordinator.carry.ExtensionRows;
import io.wherry.coordinator.carry.ExtensionTables;
import io.wherry.coordinator.carry.LargeObjects;
import io.wherry.coordinator.dump.DdlStore;
import io.wherry.coordinator.dump.DeferredDdl.Ddl;
import io.wherry.coordinator.dump.DeferredDdl.Stage;
import io.wherry.coordinator.fence.Fence;
import io.wherry.coordinator.fence.FenceKeeper;
import io.wherry.coordinator.follow.SchemaWatch;
import io.wherry.coordinator.journal.Event;
import io.wherry.coordinator.journal.Journal;
import io.wherry.coordinator.row.DataComparison;
import io.wherry.coordinator.schema.SchemaDrift;
import io.wherry.coordinator.schema.Sequences;
import io.wherry.coordinator.sql.BoundSessions;
import io.wherry.coordinator.sql.Databases;
import io.wherry.coordinator.sql.Opening;
import io.wherry.coordinator.sql.Queries;
import io.wherry.coordinator.sql.Term;
import io.wherry.coordinator.sql.Window;
import io.wherry.coordinator.traffic.TrafficSwitch;
import io.wherry.coordinator.verify.DataCompare;
import io.wherry.coordinator.verify.ForeignKeyChecks;
import io.wherry.coordinator.watch.Drain;
import io.wherry.coordinator.watch.DrainProbe;
import io.wherry.coordinator.watch.Progress;
import java.sql.Connection;
import java.sql.SQLException;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import org.apache.kafka.common.TopicPartition;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * What the steps of the cutover do on both sides. Each act runs on a thread of its own, after the state was persisted; each may be ended
 * by the window.
 */
public final class CutoverActs implements AutoCloseable {
    private static final Logger LOG = LoggerFactory.getLogger(CutoverActs.class);
    private static final long POLL_MILLIS = 20;

    private final Migration migration;
    private final Term term;
    private final Progress progress;
    private final TrafficSwitch traffic;
    private final Failpoints failpoints;
    private final FenceKeeper fence;
    private final CutoverMarks marks;
    private final StateMachine machine;

    public CutoverActs(
            Migration migration,
            Term term,
            Progress progress,
            TrafficSwitch traffic,
            StateMachine machine,
            Failpoints failpoints) {
        this.migration = migration;
        this.term = term;
        this.progress = progress;
        this.traffic = traffic;
        this.failpoints = failpoints;
        this.fence = new FenceKeeper(migration, failpoints);
        this.marks = new CutoverMarks(migration);
        this.machine = machine;
    }

    /** @param row number of the journal's row that asks for the step */
    public FenceKeeper.Claim claim(long row) {
        return () -> {
            try (Connection target = Sessions.open(migration, migration.target(), "claim")) {
                term.require(target);
                Journal.requireLast(target, row);
            }
        };
    }

    /** What closes and opens the source. */
    public FenceKeeper fence() {
        return fence;
    }

    /** How the tables of both sides have come apart, now. */
    public SchemaDrift drift() throws SQLException {
        try (Connection source = openSource();
                Connection target = Sessions.open(migration, migration.target(), "cutover")) {
            return SchemaDrift.read(migration, source, target, progress.planned(), progress.names(), true, Set.of());
        }
    }

    /** Values of sequences that the target would refuse. */
    public List<String> refusedSequences() throws SQLException {
        try (Connection source = openSource();
                Connection target = Sessions.open(migration, migration.target(), "cutover")) {
            return Sequences.read(migration, source, target).refused(source);
        }
    }

    /** DRAINING: returns what the switch will be decided on, once the target has everything up to the fence. */
    Decision drain(Lsn fenceLsn, Window window) throws SQLException, InterruptedException {
        Map<TopicPartition, Long> vector = drained(fenceLsn, window);
        try (Connection target = Sessions.open(migration, migration.target(), "drain")) {
            return new Decision(fenceLsn, vector, Decision.loads(target));
        }
    }

    /** Returns where the change topics end, once the target has everything up to there and that covers the LSN. */
    private Map<TopicPartition, Long> drained(Lsn lsn, Window window) throws SQLException, InterruptedException {
        try (Connection target = Sessions.open(migration, migration.target(), "drain");
                DrainProbe probe = new DrainProbe(migration, target, progress)) {
            window.waitsFor("the source-connector to reach " + lsn);
            while (!probe.inKafka(lsn, Duration.ofMillis(POLL_MILLIS))) {
                window.check();
            }
            Map<TopicPartition, Long> vector = probe.vector();
            while (true) {
                Map<TopicPartition, Long> checkpoints = probe.checkpoints();
                if (Drain.drained(vector, checkpoints)) {
                    window.waitsFor("");
                    return vector;
                }
                window.waitsFor("the sink-applier, " + Drain.behind(vector, checkpoints) + " records behind");
                window.pause(POLL_MILLIS);
            }
        }
    }

    /** VERIFYING: every row and large object of both sides, after the last of the latter have been brought over. */
    DataComparison verify(Window window) throws SQLException, InterruptedException {
        try (BoundSessions sessions = new BoundSessions(migration, window)) {
            Opening checked = term.check(sessions::open);
            window.waitsFor("the large objects that have changed");
            new LargeObjects(migration, checked).synchronize();
            window.waitsFor("rows of extensions");
            try (Connection source = sessions.open(migration.source(), "extensions");
                    Connection target = checked.open(migration.target(), Databases.CHANGES + "extensions")) {
                target.setAutoCommit(false);
                new ExtensionRows(migration).bring(source, target, ExtensionTables.When.EARLY);
                target.commit();
            }
            window.waitsFor("the comparison of all rows");
            DataComparison comparison = new DataCompare(migration, () -> sessions).run();
            window.waitsFor("");
            return comparison;
        }
    }

    /**
     * PREPARING_TARGET: sequences, foreign keys, triggers, rules, policies and the switch row, in one transaction. Either the
     * target is complete, the switch has begun and no sink-applier can write any more, or the target is as it was.
     */
    void prepareAndCommitSwitch(Journal journal, Decision decision, Window window)
            throws SQLException, InterruptedException {
        try (Connection source = openSource();
                Connection target = term.open("prepare")) {
            // A second sentinel: what was committed behind the fence, by whatever way, is on the target by now and
            // shows.
            Map<TopicPartition, Long> ends = drained(Heartbeat.emit(source), window);
            target.setAutoCommit(false);
            Queries.execute(target, "SET LOCAL statement_timeout = " + Math.max(1, window.leftMillis()));
            TargetState.raiseEpoch(target);
            decision.require(target, ends, progress.wanted());
            window.waitsFor("rows of extensions");
            try (BoundSessions sessions = new BoundSessions(migration, window);
                    Connection bound = sessions.open(migration.source(), "extensions")) {
                new ExtensionRows(migration).bring(bound, target, ExtensionTables.When.SWITCH);
            }
            Sequences.read(migration, source, target).carry(source, target);
            for (Ddl ddl : DdlStore.pending(target, Stage.SWITCH)) {
                window.waitsFor(ddl.kind() + " " + ddl.name());
                window.check();
                DdlStore.run(target, ddl);
            }
            List<String> intruders = Fence.remaining(source);
            if (!intruders.isEmpty()) {
                throw new DataException(
                        "fence",
                        "source",
                        "did not hold: " + String.join(", ", intruders),
                        "Check that applications do not log in with Wherry's own role");
            }
            window.waitsFor("");
            window.check();
            fence.requireLock();
            // ┃ The point of no return. Before this commit every failure leads back to the source; after it only
            // forward.
            journal.advance(target, machine.require(journal.state(), Event.DONE), Map.of());
        }
    }

    /** SWITCHING: forward only, every part idempotent. */
    public void moveTraffic(String fenceLsn, FenceKeeper.Claim claim) throws SQLException, InterruptedException {
        // Counterexample without it: stopped here, it comes back when the applications have long been where an operator
        // wants them.
        claim.require();
        failpoints.before(Effect.TRAFFIC);
        traffic.move(fenceLsn);
        failpoints.after(Effect.TRAFFIC);
        fence.close();
    }

    /**
     * Looks whether the target, as a replica that was behind or from a backup, has lost what it knew of the last cutover. If so and
     * no traffic was switched, the source is opened: nobody else would.
     *
     * @return whether a fence was closed that the journal does not know of
     * @throws DataException when traffic was switched: neither side may serve by our word then
     * @throws RetryableException when Kafka cannot be asked
     */
    public boolean openIfForgotten(Journal journal) throws SQLException {
        Optional<CutoverMark> mark = marks.last();
        CutoverMark.Memory memory = mark.map(m -> m.in(journal.rows())).orElse(CutoverMark.Memory.KEPT);
        if (memory == CutoverMark.Memory.SWITCH_LOST) {
            throw new DataException(
                    "go on with the cutover of",
                    mark.get().at(),
                    "traffic was switched to the target, and the target does not know of it: it has lost its last commits, as a"
                            + " replica that was behind or a backup has",
                    "The source stays closed. Put the target back that took the traffic; or, if no application has written"
                            + " to it, open the source by hand and migrate again under another name: "
                            + String.join("; ", mark.get().fence().opening()));
        }
        if (memory == CutoverMark.Memory.FENCE_LOST) {
            LOG.warn(
                    "The target has lost the journal of the cutover of {}: the source is opened",
                    mark.get().at());
            fence.reopenSource(mark.get().fence(), claim(journal.last().id()));
        }
        return memory == CutoverMark.Memory.FENCE_LOST;
    }

    /** What Kafka remembers of cutovers. */
    CutoverMarks marks() {
        return marks;
    }

    @Override
    public void close() throws SQLException {
        marks.close();
        fence.close();
    }

    /** What a cutover would do, and what stands in its way, from the steps that do it. */
    public List<String> plan(List<Step> steps) throws SQLException {
        List<String> plan = new ArrayList<>();
        try (Connection source = openSource();
                Connection target = Sessions.open(migration, migration.target(), "plan")) {
            Step.Sides sides = new Step.Sides(this, source, target, fence.plan(source));
            sides.fence().obstacles().forEach(obstacle -> plan.add("OBSTACLE: " + obstacle));
            sequences(sides).refused(source).forEach(refused -> plan.add("OBSTACLE: " + refused));
            SchemaDrift drift =
                    SchemaDrift.read(migration, source, target, progress.planned(), progress.names(), true, Set.of());
            drift.obstacles().forEach(obstacle -> plan.add("OBSTACLE: " + obstacle));
            drift.additions().forEach(addition -> plan.add("ADVICE: differs: " + addition.object()));
            if (migration.schema() == Migration.TargetSchemaMode.CREATE) {
                SchemaWatch.read(migration).notFollowed().forEach(line -> plan.add("ADVICE: not followed, " + line));
            }
            ForeignKeyChecks.check(migration).forEach(finding -> plan.add("ADVICE: " + finding.explained()));
            plan.addAll(Story.plan(steps, sides));
            DdlStore.pending(target, Stage.AFTER)
                    .forEach(ddl -> plan.add("target, once completed: " + ddl.kind() + " " + ddl.name()));
            return plan;
        }
    }

    Sequences sequences(Step.Sides sides) throws SQLException {
        return Sequences.read(migration, sides.source(), sides.target());
    }

    ExtensionRows extensionRows() {
        return new ExtensionRows(migration);
    }

    List<String> trafficPlan() {
        return traffic.plan();
    }

    private Connection openSource() throws SQLException {
        return Sessions.open(migration, migration.source(), "cutover");
    }
}
