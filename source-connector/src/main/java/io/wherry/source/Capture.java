package io.wherry.source;

import io.wherry.contract.config.CaptureGroup;
import io.wherry.contract.error.RetryableException;
import io.wherry.contract.error.StuckException;
import io.wherry.contract.error.WherryException;
import io.wherry.contract.kafka.ConfluentRegistry;
import io.wherry.contract.name.TableId;
import io.wherry.contract.postgres.Sessions;
import io.wherry.contract.postgres.Timeline;
import io.wherry.contract.record.SourceStatus;
import io.wherry.contract.record.SourceStatus.FailedLoad;
import io.wherry.contract.service.Failpoints;
import io.wherry.contract.service.Turns;
import io.wherry.source.TablePreparation.Prepared;
import io.wherry.source.control.CaptureCounts;
import io.wherry.source.control.ControlLog;
import io.wherry.source.control.ControlTopic;
import io.wherry.source.control.Routes;
import io.wherry.source.debezium.ChangeStream;
import io.wherry.source.decode.SchemasAhead;
import io.wherry.source.load.BlockBudget;
import io.wherry.source.load.FailedTables;
import io.wherry.source.load.LoadLedger;
import io.wherry.source.load.LoadRounds;
import io.wherry.source.load.LoadSnapshot;
import io.wherry.source.load.LoadTopics;
import io.wherry.source.publish.KafkaTopics;
import io.wherry.source.publish.TopicGuard;
import io.wherry.source.publish.TopicWatch;
import io.wherry.source.server.KnownTables;
import io.wherry.source.server.OpenSessions;
import io.wherry.source.server.SourceAccess;
import io.wherry.source.server.TableFiles;
import io.wherry.source.server.TableLocks;
import io.wherry.source.server.WholeTables;
import java.sql.Connection;
import java.sql.SQLException;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Set;

/**
 * One term of acting as the migration's source-connector. The term starts with the instance lock, and ends when the lock is lost,
 * after a failure, or when it is closed. Creates the parts of the term, starts them in order, and checks them once a second. The
 * stream is started again within the term. Every other failure ends the term, and the next term starts from what the source and
 * Kafka hold.
 */
final class Capture implements AutoCloseable {
    private final CaptureGroup group;
    private final InstanceLock lock;
    private final Turns turns;
    private final Failpoints failpoints;
    private final ControlTopic control;
    private final ConfluentRegistry registry;
    private final SourceAccess source;
    private final KnownTables known;
    private final LoadLedger ledger;
    private final TermThreads threads = new TermThreads();
    private final OperatorProblem problem = new OperatorProblem();
    private final OperatorOrders orders;
    private final SourceWatch watch;
    private final TablePreparation tables;
    private final SlotPreparation slot;
    private final Loading loading;
    private final Streaming streaming;
    private volatile boolean prepared;

    /** @param turns gets a sign of life with each check of the parts */
    Capture(
            CaptureGroup group,
            InstanceLock lock,
            CaptureCounts counts,
            BlockBudget budget,
            Turns turns,
            Failpoints failpoints) {
        this.group = group;
        this.lock = lock;
        this.turns = turns;
        ledger = new LoadLedger(counts, budget, new FailedTables());
        this.failpoints = failpoints;
        control = new ControlTopic(group.migration());
        source = new SourceAccess(group, new OpenSessions(group), new TableLocks());
        known = new KnownTables(new Routes(), new TableFiles(), new WholeTables(group, control, source.locks()));
        orders = new OperatorOrders(group.migration(), ledger.failed(), threads);
        watch = new SourceWatch(
                source, known, new NewTables(group, control, known.routes(), source.locks(), ledger.failed()));
        tables = new TablePreparation(source, known, control, failpoints, threads::closing);
        slot = new SlotPreparation(source, known.routes(), control, failpoints);
        loading = new Loading(group, this::rounds, threads, problem);
        streaming = new Streaming(group, this::openStream, lock::heartbeat, threads, problem);
        registry = new ConfluentRegistry(group.migration());
    }

    /**
     * Acts until closed, or until a cutover has switched to the target.
     *
     * @throws WherryException what ended the term; retryable when the next term may succeed
     */
    void run() {
        TopicGuard.check(group);
        // The control topic says whether the migration has started, and which tables need topics.
        KafkaTopics.ensure(group.flow(), Set.of(), Map.of());
        // The preparation may wait long for locks and for the slot. The loop reports these waits meanwhile.
        threads.start("prepare", this::prepareAndStart);
        while (!threads.ending()) {
            turns.made(System.nanoTime());
            lock.heartbeat();
            // Before the check for more tables: nothing is loaded after the switch.
            if (prepared) {
                orders.follow();
            }
            lookAtSource();
            control.status(status());
            streaming.requirePulse();
            threads.tick();
        }
    }

    /** Whether a cutover has switched to the target: then no instance may capture anything more. */
    boolean isSwitched() {
        return threads.switched();
    }

    private SourceStatus status() {
        List<FailedLoad> failures = new ArrayList<>(ledger.failed().list());
        failures.addAll(known.wholes().problems());
        String problemNow = problem.text();
        return new SourceStatus(
                loading.loaded() && ledger.failed().list().isEmpty() ? "STREAMING" : "LOADING",
                System.currentTimeMillis(),
                ledger.budget().peak(),
                ledger.counts().captured(),
                failures,
                known.routes().replaced(),
                problemNow == null ? streaming.hindrance() : problemNow,
                watch.lines());
    }

    private void lookAtSource() {
        if (threads.ending()) {
            return;
        }
        try {
            watch.lookAtWaits();
            if (!prepared) {
                return;
            }
            watch.lookAtFiles();
            // One snapshot at a time is kept on the source, and none if Kafka is ahead of the source.
            if (loading.loaded() && problem.text() == null) {
                loadMore();
            }
        } catch (SQLException e) {
            throw new RetryableException(
                    "check the tables of", "the source", e.getMessage(), "Check that the source is reachable", e);
        }
    }

    private void loadMore() throws SQLException {
        Set<TableId> wanted = watch.takeIn();
        if (wanted.isEmpty() && orders.wantRetry()) {
            wanted = watch.tables();
            orders.loadBegins();
        }
        if (!wanted.isEmpty()) {
            orders.loadBegins();
            loading.startAnother(wanted);
        }
    }

    private void prepareAndStart() {
        try (Connection session = Sessions.open(group.migration(), group.from(), "prepare")) {
            ControlLog memory = orders.open();
            if (memory.switched().isPresent()) {
                threads.endBySwitch();
                return;
            }
            Prepared found = tables.prepare(session, memory);
            loading.loadedBefore(found.loaded());
            LoadSnapshot first = slot.prepare(session, found);
            loading.start(found.tables(), found.layout(), first);
            if (loading.loaded()) {
                registerSchemas();
            }
            threads.start("stream", () -> streaming.run(found.layout().transactionTimeout()));
            threads.start(
                    "topics",
                    () -> TopicWatch.run(group.migration(), known.routes().tables(), threads::closing));
            prepared = true;
        } catch (SQLException e) {
            throw new RetryableException(
                    "prepare", "the source", e.getMessage(), "Check that the source is reachable", e);
        }
    }

    private void registerSchemas() {
        threads.start(
                "schemas",
                () -> SchemasAhead.register(
                        group, known.routes(), known.files(), known.wholes(), registry, threads::closing));
    }

    private LoadRounds rounds(Set<TableId> wanted, KafkaTopics.Layout layout) {
        return new LoadRounds(
                source,
                known,
                new LoadTopics(layout, control, lock::heartbeat),
                ledger,
                wanted,
                this::registerSchemas,
                failpoints);
    }

    private ChangeStream openStream(Timeline timeline, Duration transactionTimeout) {
        return new ChangeStream(
                group,
                known.routes(),
                registry,
                ledger.counts(),
                known.files(),
                known.wholes(),
                timeline,
                transactionTimeout,
                failpoints);
    }

    /**
     * Stops stream and load, and waits until their threads have ended.
     *
     * @throws StuckException when a thread does not end
     */
    @Override
    public void close() {
        threads.close();
        source.sessions().close();
        streaming.stop();
        try {
            threads.await();
        } finally {
            orders.close();
            control.close();
        }
    }
}
