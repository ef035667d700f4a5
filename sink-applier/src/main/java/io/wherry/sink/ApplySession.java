package io.wherry.sink;

import io.wherry.contract.config.Flow;
import io.wherry.contract.error.DataException;
import io.wherry.contract.error.WherryException;
import io.wherry.contract.kafka.SchemaRegistry;
import io.wherry.contract.name.TableId;
import io.wherry.contract.service.Ends;
import io.wherry.contract.service.Failpoints;
import io.wherry.contract.service.Turns;
import io.wherry.sink.apply.ChangeWorker;
import io.wherry.sink.load.LoadLane;
import io.wherry.sink.plan.PlanFollower;
import io.wherry.sink.plan.TopicIds;
import io.wherry.sink.state.Checkpoints;
import io.wherry.sink.state.Failures;
import io.wherry.sink.state.GroupOffsets;
import io.wherry.sink.state.LostCommits;
import io.wherry.sink.state.StopSignal;
import io.wherry.sink.state.TableState;
import io.wherry.sink.state.TableStates;
import java.sql.Connection;
import java.sql.SQLException;
import java.time.Duration;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.concurrent.atomic.AtomicReference;
import org.apache.kafka.common.TopicPartition;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/** All threads of one epoch: the plan follower, a lane for each load partition, the workers, the group's member. One fails, all end. */
final class ApplySession implements AutoCloseable {
    private static final Logger LOG = LoggerFactory.getLogger(ApplySession.class);
    private static final Duration REFRESH = Duration.ofMillis(200);
    private static final Duration GRACE = Duration.ofSeconds(10);

    private final Flow flow;
    private final SchemaRegistry registry;
    private final Assignment assignment;
    private final Connection lease;
    private final long epoch;
    private final Failpoints failpoints;
    private final StopSignal stop = new StopSignal();
    private final AtomicReference<WherryException> failure = new AtomicReference<>();
    private final List<Thread> threads = new ArrayList<>();
    private final WriterSessions sessions;
    private final GroupOffsets offsets;
    private final Set<TopicPartition> lanes = new HashSet<>();
    private volatile Map<TableId, TableState> relations = Map.of();

    /** What one thread does until it is stopped. */
    private interface Task {
        void run() throws SQLException;
    }

    /** @param lease session that holds the lock */
    ApplySession(
            Flow flow,
            SchemaRegistry registry,
            Assignment assignment,
            Connection lease,
            long epoch,
            Failpoints failpoints) {
        this.flow = flow;
        this.registry = registry;
        this.assignment = assignment;
        this.lease = lease;
        this.epoch = epoch;
        this.failpoints = failpoints;
        this.sessions = new WriterSessions(flow, epoch, failpoints);
        this.offsets = new GroupOffsets(flow.migration().topics().load(), epoch);
    }

    /**
     * Works until {@code closing} is requested.
     *
     * @param turns gets a sign of life with each check of the target
     * @throws WherryException that ended it; all threads may still be running until {@link #close}
     * @throws SQLException when the session with the lock fails
     */
    void run(StopSignal closing, Turns turns) throws SQLException {
        stopTablesOfLostTopics();
        if (assignment.inGroup()) {
            LostCommits.look(lease, flow.migration(), epoch);
        }
        Connection forPlans = sessions.open("plans");
        start("plans", () -> new PlanFollower(flow, registry, forPlans, epoch, assignment.plans(), stop, failpoints)
                .run());
        for (int i = 0; i < flow.migration().apply().workers(); i++) {
            int number = i;
            ChangeWorker worker = new ChangeWorker(
                    flow,
                    registry,
                    number,
                    sessions.openWriter("worker " + number),
                    () -> sessions.openWriter("giants " + number),
                    () -> relations,
                    stop,
                    offsets,
                    assignment.until());
            start("worker-" + i, worker::run);
        }
        if (assignment.inGroup()) {
            // Only now: what the group showed before has told what the target has lost.
            start("group", () -> new GroupMember(flow.migration(), sessions, offsets, stop, failpoints).run());
        }
        Checkpoints checkpoints = new Checkpoints(lease, epoch);
        do {
            turns.made(System.nanoTime());
            // By the session that holds the lock, so its loss is noticed. An idle applier would else not notice that
            // the
            // target serves.
            checkpoints.requireCurrent();
            Map<TableId, TableState> current = TableStates.all(lease);
            relations = current.equals(relations) ? relations : current;
            for (TopicPartition partition :
                    checkpoints.read(flow.migration().topics().load()).keySet()) {
                if (lanes.add(partition)) {
                    startLane(partition.partition());
                }
            }
            if (failure.get() != null) {
                throw failure.get();
            }
        } while (!closing.await(REFRESH));
    }

    /** The other tables continue; without the load topic no table can. */
    private void stopTablesOfLostTopics() throws SQLException {
        Map<String, TableId> tables = new HashMap<>();
        TableStates.all(lease).values().forEach(relation -> tables.put(relation.topic(), relation.table()));
        Map<String, DataException> lost = TopicIds.changed(lease, flow.migration(), tables);
        if (lost.containsKey(flow.migration().topics().load())) {
            throw lost.get(flow.migration().topics().load());
        }
        for (TableState relation : TableStates.all(lease).values()) {
            DataException failure = lost.get(relation.topic());
            if (failure != null) {
                LOG.error("Changes of {} are stopped: {}", relation.table(), failure.explained());
                TableStates.stop(lease, relation.table(), relation.loadEpoch(), failure.explained(), epoch);
            }
        }
    }

    private void startLane(int partition) throws SQLException {
        Connection session = sessions.openLane("lane " + partition);
        start("lane-" + partition, () -> new LoadLane(
                        flow.migration(),
                        session,
                        epoch,
                        () -> relations,
                        assignment.tables(),
                        stop,
                        partition,
                        offsets,
                        failpoints)
                .run());
    }

    private void start(String name, Task task) {
        Thread thread = new Thread(
                () -> {
                    try {
                        task.run();
                    } catch (SQLException | RuntimeException | Error e) {
                        if (stop.isRequested()) {
                            LOG.debug("{} ended while stopping", name, e);
                        } else {
                            failure.compareAndSet(
                                    null, Failures.explain("apply to", flow.to().toString(), e));
                        }
                    }
                },
                "wherry-sink-" + name);
        threads.add(thread);
        thread.start();
    }

    /**
     * Ends every thread and session; a transaction under way may finish within ten seconds, else it is rolled back.
     *
     * @throws io.wherry.contract.error.StuckException when a thread does not end
     */
    @Override
    public void close() {
        stop.request();
        long deadline = System.nanoTime() + GRACE.toNanos();
        threads.forEach(thread -> join(thread, Math.max(1, (deadline - System.nanoTime()) / 1_000_000)));
        // Closing the socket ends a statement that would not.
        sessions.end();
        try {
            Ends.await("sink-applier", threads, Ends.LIMIT);
        } finally {
            // One may have been opened meanwhile.
            sessions.end();
        }
    }

    private static void join(Thread thread, long millis) {
        try {
            thread.join(millis);
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
        }
    }
}
