package io.wherry.source;

import io.wherry.contract.config.Migration;
import io.wherry.contract.error.DataException;
import io.wherry.contract.error.FencedException;
import io.wherry.contract.error.RetryableException;
import io.wherry.contract.error.WherryException;
import io.wherry.contract.kafka.ConfluentRegistry;
import io.wherry.contract.kafka.KafkaFailures;
import io.wherry.contract.kafka.TopicTail;
import io.wherry.contract.name.TableId;
import io.wherry.contract.postgres.CatalogTable;
import io.wherry.contract.postgres.Sessions;
import io.wherry.contract.postgres.Timeline;
import io.wherry.contract.record.Json;
import io.wherry.contract.record.LoadPlan;
import io.wherry.contract.record.Order;
import io.wherry.contract.record.Position;
import io.wherry.contract.record.SourceStatus;
import io.wherry.contract.record.SourceStatus.FailedLoad;
import io.wherry.contract.record.SwitchDecided;
import io.wherry.contract.service.Backoff;
import io.wherry.contract.service.Effect;
import io.wherry.contract.service.Ends;
import io.wherry.contract.service.Failpoints;
import io.wherry.contract.service.Quietly;
import io.wherry.contract.service.Stopped;
import io.wherry.source.control.CaptureCounts;
import io.wherry.source.control.ControlTopic;
import io.wherry.source.control.ControlTopic.SlotMade;
import io.wherry.source.control.ControlTopic.SourceIdentity;
import io.wherry.source.control.Memory;
import io.wherry.source.control.Route;
import io.wherry.source.control.Routes;
import io.wherry.source.debezium.ChangeStream;
import io.wherry.source.decode.SchemasAhead;
import io.wherry.source.load.BlockBudget;
import io.wherry.source.load.FailedTables;
import io.wherry.source.load.LoadRounds;
import io.wherry.source.load.LoadSnapshot;
import io.wherry.source.publish.ChangePublisher;
import io.wherry.source.publish.KafkaTopics;
import io.wherry.source.publish.TopicGuard;
import io.wherry.source.publish.TopicWatch;
import io.wherry.source.server.IdentityWatch;
import io.wherry.source.server.OpenSessions;
import io.wherry.source.server.Publication;
import io.wherry.source.server.ReplicationSlot;
import io.wherry.source.server.SlotGuard;
import io.wherry.source.server.SourceWaits;
import io.wherry.source.server.TableFiles;
import io.wherry.source.server.TableLocks;
import io.wherry.source.server.Timelines;
import io.wherry.source.server.WholeTables;
import java.nio.charset.StandardCharsets;
import java.sql.Connection;
import java.sql.SQLException;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.concurrent.atomic.AtomicReference;
import java.util.stream.Collectors;
import org.apache.kafka.clients.consumer.ConsumerRecord;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * One term of acting as the migration's source-connector, from having the instance lock to losing it, failing, or being
 * closed. The stream is started again within the term; all else that fails ends it, and the next begins from what the
 * source and Kafka hold.
 */
final class Capture implements AutoCloseable {
    private static final Logger LOG = LoggerFactory.getLogger(Capture.class);
    private static final long TICK_MILLIS = 1000;
    /** Longer than one look can take: a commit in Kafka, and the wait for a COMMIT on the source. */
    private static final long SILENT_MILLIS = 240_000;

    private final Migration migration;
    private final InstanceLock lock;
    private final CaptureCounts counts;
    private final BlockBudget budget;
    private final Failpoints failpoints;
    private final ControlTopic control;
    private final OpenSessions sessions;
    private final ConfluentRegistry registry;
    private final AtomicReference<WherryException> failure = new AtomicReference<>();
    private final List<Thread> threads = new CopyOnWriteArrayList<>();
    private final AtomicReference<ChangeStream> stream = new AtomicReference<>();
    private final FailedTables failed = new FailedTables();
    private final TableFiles files = new TableFiles();
    private final Routes routes = new Routes();
    private final WholeTables wholes;
    private final TableLocks locks = new TableLocks();
    private final IdentityWatch identities;
    private final NewTables newTables;
    private TopicTail orders;
    private Connection watch;
    private List<String> waits = List.of();
    /** What had been given up is to be loaded again, unless the load that ran then has done that. */
    private boolean retried;

    private volatile boolean prepared;
    private volatile String problem;
    /** Why the last start of the stream ended, where the next may end likewise. */
    private volatile String hindrance;

    /** No load runs: all is loaded, but for what was given up. */
    private volatile boolean loaded;

    private volatile boolean closing;
    /** A cutover has switched to the target: nothing more is captured. */
    private volatile boolean switched;

    Capture(Migration migration, InstanceLock lock, CaptureCounts counts, BlockBudget budget, Failpoints failpoints) {
        this.migration = migration;
        this.lock = lock;
        this.counts = counts;
        this.budget = budget;
        this.failpoints = failpoints;
        control = new ControlTopic(migration);
        sessions = new OpenSessions(migration);
        wholes = new WholeTables(migration, control, locks);
        identities = new IdentityWatch(migration, locks);
        newTables = new NewTables(migration, control, routes, locks, failed);
        registry = new ConfluentRegistry(migration);
    }

    /**
     * Acts until closed, or until a cutover has switched to the target.
     *
     * @throws WherryException what ended the term; retryable when the next may go better
     */
    void run() {
        TopicGuard.check(migration);
        // What has begun stands in a topic, and says which tables' topics are wanted.
        KafkaTopics.ensure(migration, Set.of(), Map.of());
        // Locks and the slot may have to be waited for, for as long as others work: that is told meanwhile.
        start("prepare", this::prepareAndStart);
        while (!closing && !switched) {
            lock.heartbeat();
            // Before looking for more to load: after the switch nothing is.
            if (prepared) {
                follow(orders.poll(Duration.ZERO));
            }
            lookAtSource();
            control.status(new SourceStatus(
                    loaded && failed.list().isEmpty() ? "STREAMING" : "LOADING",
                    System.currentTimeMillis(),
                    budget.peak(),
                    counts.captured(),
                    failures(),
                    routes.replaced(),
                    problem == null ? hindrance : problem,
                    waits()));
            requirePulse();
            waitForTick();
            if (failure.get() != null && !closing && !switched) {
                throw failure.get();
            }
        }
    }

    /** Whether a cutover has switched to the target: nothing may be captured any more, by nobody. */
    boolean isSwitched() {
        return switched;
    }

    /** An engine that lost its session at a bad moment may wait for itself for ever, without a word. */
    private void requirePulse() {
        ChangeStream running = stream.get();
        if (running != null && running.hasCommitted()) {
            hindrance = null;
        }
        if (running != null && running.silentMillis() > SILENT_MILLIS) {
            throw new RetryableException(
                    "stream changes",
                    "",
                    "the engine has not looked at its stream for " + running.silentMillis() / 1000 + " s",
                    "Look whether the source is up");
        }
    }

    private List<String> waits() {
        List<String> all = new ArrayList<>(identities.lines());
        all.addAll(locks.lines());
        all.addAll(waits);
        return all;
    }

    private List<FailedLoad> failures() {
        List<FailedLoad> failures = new ArrayList<>(failed.list());
        failures.addAll(wholes.problems());
        return failures;
    }

    private void follow(Iterable<ConsumerRecord<byte[], byte[]>> records) {
        for (ConsumerRecord<byte[], byte[]> record : records) {
            String key = record.key() == null ? "" : new String(record.key(), StandardCharsets.UTF_8);
            switched |= SwitchDecided.KEY.equals(key);
            if (Order.KEY.equals(key)) {
                Order order = Json.read(record, Order.class);
                if (order.kind() == Order.Kind.RETRY) {
                    retried |= failed.retry(order);
                } else {
                    // The next term finds the order in the control topic, and what is to be loaded then.
                    throw new RetryableException("capture", "", "the operator ordered a new load", "");
                }
            }
        }
    }

    private void lookAtSource() {
        if (closing || switched) {
            return;
        }
        try {
            if (watch == null) {
                watch = sessions.open("new tables");
            }
            waits = SourceWaits.read(watch, migration);
            locks.look(watch);
            identities.look(watch);
            if (!prepared) {
                return;
            }
            files.look(watch);
            if (!loaded || problem != null) {
                // One snapshot at a time is kept on the source, and none of a source that Kafka is ahead of.
                return;
            }
            wholes.look(watch);
            Set<TableId> tables = Set.of();
            if (newTables.found(watch)) {
                tables = newTables.takeIn(watch);
            }
            if (tables.isEmpty() && retried) {
                tables = newTables.known(watch);
                retried = false;
            }
            if (!tables.isEmpty()) {
                loadMore(tables);
            }
        } catch (SQLException e) {
            throw new RetryableException(
                    "look at the tables of", "the source", e.getMessage(), "Look whether it is up", e);
        }
    }

    private void loadMore(Set<TableId> tables) {
        loaded = false;
        retried = false;
        KafkaTopics.Layout layout = KafkaTopics.ensure(
                migration,
                tables,
                ControlTopic.read(migration).requireNoSwitch().plannedPartitions());
        start("load", () -> load(tables, layout, null));
    }

    private void load(Set<TableId> tables, KafkaTopics.Layout layout, LoadSnapshot first) {
        if (first == null && !historyServes()) {
            return;
        }
        new LoadRounds(
                        migration,
                        routes,
                        tables,
                        layout,
                        control,
                        sessions,
                        failed,
                        lock::heartbeat,
                        counts,
                        budget,
                        files,
                        wholes,
                        locks,
                        this::registerSchemas,
                        failpoints)
                .run(first);
        loaded = true;
    }

    /** Whether the source holds all that Kafka has of it: a load that went on otherwise would mix two histories. */
    private boolean historyServes() {
        try {
            SlotGuard.checkHistory(migration, ControlTopic.read(migration), ChangePublisher.lastPosition(migration));
            return true;
        } catch (DataException e) {
            declare(e);
            return false;
        }
    }

    private void registerSchemas() {
        start("schemas", () -> SchemasAhead.register(migration, routes, files, wholes, registry, () -> closing));
    }

    private void prepareAndStart() {
        try (Connection session = Sessions.open(migration, migration.source(), "prepare")) {
            orders = new TopicTail(migration, migration.topics().control());
            Memory memory = ControlTopic.read(orders);
            switched = memory.switched().isPresent();
            if (switched) {
                return;
            }
            List<CatalogTable> tables = NewTables.withoutUnfit(session, migration, memory);
            Set<TableId> selected = tables.stream().map(CatalogTable::id).collect(Collectors.toSet());
            KafkaTopics.Layout layout = KafkaTopics.ensure(migration, selected, memory.plannedPartitions());
            TopicGuard.requireRemembered(session, migration, memory);
            SourceIdentity identity = SlotGuard.identity(session);
            if (memory.source().isPresent()) {
                SlotGuard.requireSame(memory.source().get(), identity);
            } else {
                control.source(identity);
            }
            // One that was dropped is for SlotGuard to report: what was written meanwhile cannot be decoded any more.
            boolean publish = memory.plans().isEmpty() || memory.slotWanted() || Publication.exists(session, migration);
            if (publish && !memory.plans().isEmpty()) {
                memory = unloadReplaced(session, memory);
            }
            if (publish) {
                failpoints.before(Effect.PUBLICATION);
                publish(session, tables, selected, !memory.plans().isEmpty());
                failpoints.after(Effect.PUBLICATION);
            }
            files.loaded(memory.loaded());
            files.look(session);
            memory.partitions().forEach(wholes::know);
            loaded = memory.loaded().keySet().containsAll(selected);
            LoadSnapshot first = firstSnapshot(session, memory);
            route(memory, selected, layout);
            routes.bind(memory.identities());
            if (first != null) {
                // The stream begins where this snapshot ends.
                routes.bind(LoadRounds.identities(first.session(), migration, selected));
            }
            start("load", () -> load(selected, layout, first));
            if (loaded) {
                registerSchemas();
            }
            start("stream", () -> runStream(layout));
            start("topics", () -> TopicWatch.run(migration, routes.tables(), () -> closing));
            prepared = true;
        } catch (SQLException e) {
            throw new RetryableException("prepare", "the source", e.getMessage(), "Look whether it is up", e);
        }
    }

    /**
     * At the very first start all tables are waited for, as the slot is made after them. Later the others must not wait for one whose
     * lock is not to be had: it is a new one, and taken in when it is published.
     *
     * @param selected loses those that are left for later
     */
    private void publish(Connection session, List<CatalogTable> tables, Set<TableId> selected, boolean begun)
            throws SQLException {
        if (!begun) {
            Publication.ensure(session, migration, tables, locks, () -> closing);
            if (closing) {
                throw new RetryableException("publish tables on", "the source", "the source-connector is closed", "");
            }
        } else if (!Publication.publish(session, migration, tables, locks)) {
            Set<TableId> published = Publication.published(session, migration);
            selected.removeIf(table -> migration.tables().follows(table) && !published.contains(table));
        }
    }

    /** A table that is not what was loaded under its name has to be loaded again. */
    private Memory unloadReplaced(Connection session, Memory memory) throws SQLException {
        Map<TableId, String> replaced = NewTables.replaced(session, migration, memory);
        replaced.forEach((table, why) -> {
            LOG.warn("{}: {}; it is loaded again", table, why);
            routes.replaced(table, why);
            control.unloaded(table);
        });
        Publication.refilter(session, migration, replaced.keySet(), locks);
        return replaced.isEmpty() ? memory : ControlTopic.read(migration);
    }

    /**
     * Makes the slot, at the very first start and when the operator has ordered a new load of everything; one that is missing
     * otherwise is for {@link SlotGuard} to report.
     */
    private LoadSnapshot firstSnapshot(Connection session, Memory memory) throws SQLException {
        Optional<Position> position = ChangePublisher.lastPosition(migration);
        boolean begun = !memory.plans().isEmpty() || position.isPresent();
        if (begun && !memory.slotWanted()) {
            return null;
        }
        // One from before anything was written is of a start that was killed, perhaps before LoadSnapshot had looked
        // whether
        // the slot can be decoded.
        if (ReplicationSlot.find(session, migration.slot()).isPresent()) {
            ReplicationSlot.endReader(session, migration.slot());
            ReplicationSlot.drop(session, migration.slot());
        }
        if (position.isPresent()) {
            Timelines.passBy(session, position.get().endLsn());
        }
        failpoints.before(Effect.SLOT);
        LoadSnapshot snapshot = LoadSnapshot.take(migration, sessions, locks, true);
        failpoints.after(Effect.SLOT);
        if (memory.slotWanted()) {
            SlotGuard.requireAhead(migration, snapshot.lsn(), position);
            control.slotMade(new SlotMade(snapshot.lsn(), snapshot.timeline()));
        }
        return snapshot;
    }

    /** A table that is no longer selected keeps its route: its changes still come, and its earlier load needs them. */
    private void route(Memory memory, Set<TableId> selected, KafkaTopics.Layout layout) {
        for (LoadPlan plan : memory.plans()) {
            plan.tables().forEach(table -> routes.put(new Route(table.id(), table.topic(), table.partitions())));
        }
        for (TableId table : selected) {
            routes.put(new Route(
                    table,
                    migration.topics().changes(table),
                    layout.partitions().get(table)));
        }
    }

    private void runStream(KafkaTopics.Layout layout) {
        Backoff backoff = new Backoff(() -> closing || switched);
        while (!closing && !switched) {
            long began = System.nanoTime();
            try {
                TopicGuard.check(migration);
                Optional<Timeline> timeline = slotServes();
                if (timeline.isPresent()) {
                    streamOnce(layout, timeline.get());
                }
            } catch (RetryableException | FencedException e) {
                if (closing || endsWithSwitch()) {
                    return;
                }
                if (e instanceof FencedException) {
                    // With the lock still ours nobody has taken over: the broker gave up a transaction that took too
                    // long.
                    lock.heartbeat();
                    hindrance = e.explained();
                    LOG.warn("{}; the instance lock is still ours, starting the stream again", e.explained());
                } else if (declared(e)) {
                    return;
                } else {
                    LOG.warn("{}; starting the stream again", e.explained());
                }
            }
            if (!closing && !switched) {
                backoff.pause(began);
            }
        }
    }

    /** Whether the stream failed because a cutover has switched to the target; this term ends then. */
    private boolean endsWithSwitch() {
        if (!switched && ControlTopic.tellsOfSwitch(migration)) {
            switched = true;
            wake();
        }
        return switched;
    }

    /** Whether no further attempt can send the change: each would take a gigabyte of the server's memory and fail there again. */
    private boolean declared(WherryException failure) {
        Optional<DataException> unsendable = UnsendableChange.explain(migration, failure);
        unsendable.ifPresent(this::declare);
        return unsendable.isPresent();
    }

    /** The source's timeline if the stream can go on without a gap. If not, that is declared: only the operator's order helps. */
    private Optional<Timeline> slotServes() {
        try {
            Timeline timeline = SlotGuard.check(
                    migration, ControlTopic.read(migration), ChangePublisher.lastPosition(migration), () -> closing);
            problem = null;
            return Optional.of(timeline);
        } catch (DataException e) {
            declare(e);
            return Optional.empty();
        }
    }

    private void declare(DataException e) {
        if (problem == null) {
            LOG.error("{}", e.explained());
        }
        problem = e.explained();
    }

    private void streamOnce(KafkaTopics.Layout layout, Timeline timeline) {
        try (ChangeStream started = new ChangeStream(
                migration,
                routes,
                registry,
                counts,
                files,
                wholes,
                timeline,
                layout.transactionTimeout(),
                failpoints)) {
            stream.set(started);
            ControlTopic.read(migration).requireNoSwitch();
            if (!closing) {
                LOG.info("streaming from slot {}", migration.slot());
                started.run();
            }
        } finally {
            stream.set(null);
        }
    }

    private synchronized void start(String name, Runnable work) {
        if (closing) {
            return;
        }
        Thread thread = new Thread(
                () -> {
                    try {
                        work.run();
                    } catch (RuntimeException e) {
                        fail(KafkaFailures.explain(name, e));
                    }
                },
                "wherry-source-" + name);
        threads.add(thread);
        thread.start();
    }

    private synchronized void wake() {
        notifyAll();
    }

    private synchronized void fail(WherryException e) {
        failure.compareAndSet(null, e);
        notifyAll();
    }

    private synchronized void waitForTick() {
        try {
            if (!closing && !switched && failure.get() == null) {
                wait(TICK_MILLIS);
            }
        } catch (InterruptedException e) {
            throw Stopped.interrupted("act", e);
        }
    }

    /**
     * Stops stream and load, and waits until their threads have ended.
     *
     * @throws StuckException when one does not
     */
    @Override
    public void close() {
        synchronized (this) {
            closing = true;
            notifyAll();
        }
        sessions.close();
        ChangeStream running = stream.get();
        if (running != null) {
            running.stop();
        }
        try {
            Ends.await("source-connector", threads, Ends.LIMIT);
        } finally {
            Quietly.close(orders);
            control.close();
        }
    }
}
