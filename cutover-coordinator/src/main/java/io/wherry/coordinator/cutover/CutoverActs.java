package io.wherry.coordinator.cutover;

import io.wherry.contract.config.Flow;
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
import io.wherry.coordinator.dump.DdlStore;
import io.wherry.coordinator.dump.DeferredDdl.Stage;
import io.wherry.coordinator.fence.Fence;
import io.wherry.coordinator.fence.FenceKeeper;
import io.wherry.coordinator.follow.SchemaWatch;
import io.wherry.coordinator.journal.Event;
import io.wherry.coordinator.journal.Journal;
import io.wherry.coordinator.proof.Prover;
import io.wherry.coordinator.schema.SchemaDrift;
import io.wherry.coordinator.schema.Sequences;
import io.wherry.coordinator.sql.Queries;
import io.wherry.coordinator.sql.Term;
import io.wherry.coordinator.sql.Window;
import io.wherry.coordinator.traffic.TrafficSwitch;
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
 * What the steps of the cutover do on both sides. Each act runs on a separate thread, after its state was stored; the end of the
 * window may end the act.
 */
public final class CutoverActs implements AutoCloseable {
    private static final Logger LOG = LoggerFactory.getLogger(CutoverActs.class);
    private static final long POLL_MILLIS = 20;

    private final Flow flow;
    private final Term term;
    private final Progress progress;
    private final TrafficSwitch traffic;
    private final Failpoints failpoints;
    private final FenceKeeper fence;
    private final CutoverMarks marks;
    private final StateMachine machine;
    private final Prover prover;
    private final VerifyGate verifyGate;

    public CutoverActs(
            Flow flow,
            Term term,
            Progress progress,
            TrafficSwitch traffic,
            StateMachine machine,
            Prover prover,
            Failpoints failpoints) {
        this.flow = flow;
        this.term = term;
        this.progress = progress;
        this.traffic = traffic;
        this.failpoints = failpoints;
        this.fence = new FenceKeeper(flow, failpoints);
        this.marks = new CutoverMarks(flow);
        this.machine = machine;
        this.prover = prover;
        this.verifyGate = new VerifyGate(flow, prover);
    }

    /** @param row number of the journal's row for which the step acts */
    public FenceKeeper.Claim claim(long row) {
        return () -> {
            try (Connection target = Sessions.open(flow.migration(), flow.to(), "claim")) {
                term.require(target);
                Journal.requireLast(target, row);
            }
        };
    }

    /** Closes and opens the source. */
    public FenceKeeper fence() {
        return fence;
    }

    /** Foresees the comparison in the window. */
    public VerifyGate verifyGate() {
        return verifyGate;
    }

    /** How the tables of both sides differ now. */
    public SchemaDrift drift() throws SQLException {
        try (Connection source = openSource();
                Connection target = Sessions.open(flow.migration(), flow.to(), "cutover")) {
            return SchemaDrift.read(flow, source, target, progress.planned(), progress.names(), true, Set.of());
        }
    }

    /** Values of sequences that the target would refuse. */
    public List<String> refusedSequences() throws SQLException {
        try (Connection source = openSource();
                Connection target = Sessions.open(flow.migration(), flow.to(), "cutover")) {
            return Sequences.read(flow, source, target).refused(source);
        }
    }

    /** What the window reads with; opened before the fence. */
    WindowSessions sessions(Window window) throws SQLException {
        return new WindowSessions(flow, term, progress, window);
    }

    /** DRAINING: waits until the target has everything up to the fence. Returns the facts that the switch is decided on. */
    Decision drain(WindowSessions sessions, Lsn fenceLsn, Window window) throws SQLException, InterruptedException {
        Map<TopicPartition, Long> vector = drained(sessions.probe(), fenceLsn, window);
        try (Connection target = sessions.opening().open(flow.to(), "drain")) {
            return new Decision(fenceLsn, vector, Decision.loads(target));
        }
    }

    /** Waits until the target has everything up to the LSN. Returns the ends of the change topics at that point. */
    private static Map<TopicPartition, Long> drained(DrainProbe probe, Lsn lsn, Window window)
            throws SQLException, InterruptedException {
        window.begins("the source-connector to reach " + lsn);
        while (!probe.inKafka(lsn, Duration.ofMillis(POLL_MILLIS))) {
            window.check();
        }
        window.begins("the ends of the topics");
        Map<TopicPartition, Long> vector = probe.vector();
        window.begins("the sink-applier");
        while (true) {
            Map<TopicPartition, Long> checkpoints = probe.checkpoints();
            if (Drain.drained(vector, checkpoints)) {
                window.begins("");
                return vector;
            }
            window.waitsFor("the sink-applier, " + Drain.distance(vector, checkpoints));
            window.pause(POLL_MILLIS);
        }
    }

    /** VERIFYING: proves both sides equal. */
    Verification.Verified verify(WindowSessions sessions, Lsn fence, Window window)
            throws SQLException, InterruptedException {
        return new Verification(flow, sessions.opening(), prover).run(fence, window);
    }

    /**
     * PREPARING_TARGET: sequences, foreign keys, triggers, rules, policies and the switch row, in one transaction. Either the
     * target is complete, the switch has started and no sink-applier can write any more, or the target is unchanged.
     */
    void prepareAndCommitSwitch(WindowSessions sessions, Journal journal, Decision decision, Window window)
            throws SQLException, InterruptedException {
        window.begins("sessions of the switch");
        try (Connection source = sessions.opening().open(flow.from(), "switch");
                Connection target = sessions.target()) {
            term.require(target);
            // A second sentinel: whatever was committed behind the fence is on the target now, and the checks below
            // see it.
            Map<TopicPartition, Long> ends = drained(sessions.probe(), Heartbeat.emit(source), window);
            window.begins("the checkpoints of the sink-applier");
            target.setAutoCommit(false);
            Queries.execute(target, "SET LOCAL statement_timeout = " + Math.max(1, window.leftMillis()));
            TargetState.raiseEpoch(target);
            decision.require(target, ends, progress.wanted());
            window.begins("rows of extensions");
            new ExtensionRows(flow).bring(source, target, ExtensionTables.When.SWITCH);
            window.begins("sequences");
            Sequences.read(flow, source, target).carry(source, target);
            definitions().run(target, window);
            window.begins("the check of the fence");
            List<String> intruders = Fence.remaining(source);
            if (!intruders.isEmpty()) {
                throw new DataException(
                        "fence",
                        "source",
                        "the fence did not hold: " + String.join(", ", intruders),
                        "Check that no application logs in with Wherry's own role");
            }
            window.begins("the switch row");
            window.check();
            fence.requireLock();
            // ┃ The point of no return. Before this commit every failure leads back to the source; after it only
            // forward.
            journal.advance(target, machine.require(journal.state(), Event.DONE), Map.of());
            window.begins("");
        }
    }

    /** SWITCHING: forward only, every part idempotent. */
    public void moveTraffic(String fenceLsn, FenceKeeper.Claim claim) throws SQLException, InterruptedException {
        // Counterexample without the claim: a coordinator is stopped here, and resumes long after an operator has
        // moved the applications.
        claim.require();
        failpoints.before(Effect.TRAFFIC);
        traffic.move(fenceLsn);
        failpoints.after(Effect.TRAFFIC);
        fence.close();
    }

    /**
     * Checks whether the target has lost what it knew of the last cutover, like a replica that was behind or a backup. If so, and
     * if no traffic was switched, opens the source: no other process would.
     *
     * @return whether a fence was closed that the journal does not know of
     * @throws DataException when traffic was switched: then Wherry may let neither side serve
     * @throws RetryableException when Kafka does not answer
     */
    public boolean openIfForgotten(Journal journal) throws SQLException {
        Optional<CutoverMark> mark = marks.last();
        CutoverMark.Journaled journaled = mark.map(m -> m.in(journal.rows())).orElse(CutoverMark.Journaled.KEPT);
        if (journaled == CutoverMark.Journaled.SWITCH_LOST) {
            throw new DataException(
                    "continue the cutover of",
                    mark.get().at(),
                    "traffic was switched to the target, but the target's journal lacks the switch: the target has lost its last"
                            + " commits, like a replica that was behind or a backup",
                    "The source stays closed. Restore the target that took the traffic; or, if no application has written"
                            + " to it, open the source by hand and migrate again under another name: "
                            + String.join("; ", mark.get().fence().opening()));
        }
        if (journaled == CutoverMark.Journaled.FENCE_LOST) {
            LOG.warn(
                    "The target has lost the journal of the cutover of {}: the source is opened",
                    mark.get().at());
            fence.reopenSource(mark.get().fence(), claim(journal.last().id()));
        }
        return journaled == CutoverMark.Journaled.FENCE_LOST;
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

    /** What a cutover would do, and what would prevent it, as the steps describe. */
    public List<String> plan(List<Step> steps, Set<Force> forced) throws SQLException {
        List<String> plan = new ArrayList<>();
        try (Connection source = openSource();
                Connection target = Sessions.open(flow.migration(), flow.to(), "plan")) {
            Step.Sides sides = new Step.Sides(this, source, target, fence.plan(source), verifyGate.forecast(source));
            sides.fence().obstacles().forEach(obstacle -> plan.add("OBSTACLE: " + obstacle));
            sequences(sides).refused(source).forEach(refused -> plan.add("OBSTACLE: " + refused));
            plan.addAll(verifyGate.planned(sides.forecast(), forced));
            SchemaDrift drift =
                    SchemaDrift.read(flow, source, target, progress.planned(), progress.names(), true, Set.of());
            drift.obstacles().forEach(obstacle -> plan.add("OBSTACLE: " + obstacle));
            drift.additions().forEach(addition -> plan.add("ADVICE: differs: " + addition.object()));
            if (flow.migration().schema() == Migration.TargetSchemaMode.CREATE) {
                SchemaWatch.read(flow).notFollowed().forEach(line -> plan.add("ADVICE: not followed: " + line));
            }
            ForeignKeyChecks.check(flow).forEach(finding -> plan.add("ADVICE: " + finding.explained()));
            plan.addAll(Story.plan(steps, sides));
            DdlStore.pending(target, Stage.AFTER)
                    .forEach(ddl -> plan.add("target, once completed: " + ddl.kind() + " " + ddl.name()));
            return plan;
        }
    }

    SwitchDefinitions definitions() {
        return new SwitchDefinitions(flow);
    }

    Sequences sequences(Step.Sides sides) throws SQLException {
        return Sequences.read(flow, sides.source(), sides.target());
    }

    ExtensionRows extensionRows() {
        return new ExtensionRows(flow);
    }

    List<String> trafficPlan() {
        return traffic.plan();
    }

    private Connection openSource() throws SQLException {
        return Sessions.open(flow.migration(), flow.from(), "cutover");
    }
}
