package io.wherry.coordinator.watch;

import io.wherry.contract.config.CaptureGroup;
import io.wherry.contract.config.Flow;
import io.wherry.contract.kafka.KafkaClients;
import io.wherry.contract.kafka.TopicTail;
import io.wherry.contract.name.TableId;
import io.wherry.contract.postgres.Lsn;
import io.wherry.contract.postgres.Sessions;
import io.wherry.contract.record.Heartbeat;
import io.wherry.contract.record.Json;
import io.wherry.contract.record.LoadPlan;
import io.wherry.contract.record.Order;
import io.wherry.contract.record.Position;
import io.wherry.contract.record.ReplicaIdentities;
import io.wherry.contract.record.SourceStatus;
import io.wherry.coordinator.schema.SchemaDrift;
import io.wherry.coordinator.sql.Term;
import io.wherry.coordinator.thread.MonotonicClock;
import io.wherry.coordinator.thread.Repeater;
import io.wherry.coordinator.watch.Observation.HeartbeatEmitted;
import io.wherry.coordinator.watch.Observation.Slot;
import io.wherry.coordinator.watch.Observation.TableProgress;
import io.wherry.coordinator.watch.Observation.TargetSeen;
import java.nio.charset.StandardCharsets;
import java.sql.Connection;
import java.sql.SQLException;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.atomic.AtomicReference;
import java.util.function.BooleanSupplier;
import java.util.function.Consumer;
import java.util.function.Supplier;
import java.util.stream.Stream;
import org.apache.kafka.clients.admin.Admin;
import org.apache.kafka.clients.consumer.ConsumerRecord;
import org.apache.kafka.common.TopicPartition;

/** The threads that watch source, Kafka and target, and report to the coordinator what they see. They change neither side. */
public final class Observers implements AutoCloseable {
    /** Between two heartbeats. */
    public static final long PERIOD_MILLIS = 1_000;

    private static final Duration WAIT = Duration.ofMillis(500);
    /** Keys of the records that {@link #control} uses. */
    private static final Set<String> USED = Set.of(LoadPlan.KEY, Order.KEY);

    private final Flow flow;
    private final Progress progress;
    private final Consumer<Observation> tell;
    private final BooleanSupplier applying;
    private final Supplier<Set<TableId>> halted;
    private final Pulse pulse;
    private final AtomicReference<HeartbeatEmitted> newest = new AtomicReference<>();
    /** Of the thread that watches the target; the history outlives a failure of that thread's work. */
    private final TableLags tableLags = new TableLags();

    private final List<Repeater> threads;

    /**
     * @param applying whether changes are applied to every table except halted ones: before that, no heartbeat can arrive
     * @param halted tables whose load has stopped until the operator acts
     * @param pulse gets the signs of life of the other two services
     */
    public Observers(
            Flow flow,
            Term term,
            Progress progress,
            Consumer<Observation> tell,
            BooleanSupplier applying,
            Supplier<Set<TableId>> halted,
            Pulse pulse) {
        this.pulse = pulse;
        this.flow = flow;
        this.progress = progress;
        this.tell = tell;
        this.applying = applying;
        this.halted = halted;
        Stream<Repeater> positions = flow.groups().stream()
                .map(group -> thread(
                        "position-" + group.number(),
                        r -> follow(
                                r,
                                flow.migration().topics().position(),
                                group.number(),
                                true,
                                row -> position(group, row))));
        Stream<Repeater> others = Stream.of(
                thread("control", r -> follow(r, flow.migration().topics().control(), 0, false, this::control)),
                thread("status", r -> follow(r, flow.migration().topics().status(), 0, true, this::status)),
                thread("source", this::watchSource),
                thread("target", this::watchTarget),
                thread("schema", this::watchSchema),
                thread("known target", new TargetNote(flow, term, progress)),
                thread("schema events", new SchemaSender(flow, term, progress)),
                thread("last seen", new LastSeenNote(flow, progress)),
                thread("heartbeat", new Arrivals(flow, progress, tell, applying, newest)));
        this.threads = Stream.concat(positions, others).toList();
    }

    private Repeater thread(String name, Repeater.Work work) {
        return new Repeater(
                "wherry-coordinator-" + name, work, problem -> tell.accept(new Observation.Failed(problem)));
    }

    public void start() {
        threads.forEach(Repeater::start);
    }

    private void follow(
            Repeater repeater,
            String topic,
            int partition,
            boolean lastOnly,
            Consumer<ConsumerRecord<byte[], byte[]>> each)
            throws InterruptedException, ExecutionException {
        awaitTopic(repeater, topic);
        try (TopicTail tail = new TopicTail(flow.migration(), topic, partition)) {
            if (repeater.closing()) {
                return;
            }
            if (lastOnly) {
                ConsumerRecord<byte[], byte[]> last = tail.last();
                if (last != null) {
                    each.accept(last);
                }
            } else {
                List<ConsumerRecord<byte[], byte[]>> before = new ArrayList<>();
                // Nothing else is kept: the topic also holds the schema, which may be large.
                tail.readAll(row -> {
                    if (USED.contains(key(row))) {
                        before.add(row);
                    }
                });
                progress.atOnce(() -> before.forEach(each));
            }
            while (!repeater.closing()) {
                tail.poll(WAIT).forEach(each);
            }
        }
    }

    /** The source-connector creates the topics. */
    private void awaitTopic(Repeater repeater, String topic) throws InterruptedException, ExecutionException {
        try (Admin admin = KafkaClients.admin(flow.migration())) {
            while (!repeater.closing() && !admin.listTopics().names().get().contains(topic)) {
                repeater.pause(PERIOD_MILLIS);
            }
        }
    }

    private void position(CaptureGroup group, ConsumerRecord<byte[], byte[]> row) {
        progress.reached(group.number(), Json.read(row, Position.class));
        progress.covered().ifPresent(lsn -> tell.accept(new Observation.Positioned(lsn, MonotonicClock.millis())));
    }

    private void control(ConsumerRecord<byte[], byte[]> row) {
        String key = key(row);
        if (key.equals(LoadPlan.KEY)) {
            progress.planned(Json.read(row, LoadPlan.class));
        } else if (key.equals(Order.KEY)) {
            progress.ordered(Json.read(row, Order.class));
        }
    }

    private static String key(ConsumerRecord<byte[], byte[]> row) {
        return row.key() == null ? "" : new String(row.key(), StandardCharsets.UTF_8);
    }

    private void status(ConsumerRecord<byte[], byte[]> row) {
        pulse.reported(MonotonicClock.millis());
        tell.accept(new Observation.Reported(Json.read(row, SourceStatus.class)));
    }

    private void watchSource(Repeater repeater) throws SQLException, InterruptedException {
        try (Connection source = Sessions.open(flow.migration(), flow.from(), "heartbeat")) {
            SlotReading reading = new SlotReading(source, flow);
            while (!repeater.closing()) {
                Slot slot = reading.read();
                long emitted = MonotonicClock.millis();
                Lsn lsn = Heartbeat.emit(source);
                HeartbeatEmitted heartbeat = new HeartbeatEmitted(lsn, emitted, slot);
                newest.set(heartbeat);
                tell.accept(heartbeat);
                tell.accept(
                        new Observation.IdentitiesTaken(ReplicaIdentities.read(source, flow).formers(source).stream()
                                .map(ReplicaIdentities.Former::before)
                                .toList()));
                repeater.pause(PERIOD_MILLIS);
            }
        }
    }

    private void watchTarget(Repeater repeater) throws SQLException, InterruptedException {
        try (Connection target = Sessions.open(flow.migration(), flow.to(), "watch");
                DrainProbe probe = new DrainProbe(flow.migration(), target, progress)) {
            while (!repeater.closing()) {
                List<TableProgress> relations = TargetReading.relations(target);
                pulse.applied(TargetReading.sinkSilentMillis(target, flow.migration()), MonotonicClock.millis());
                Long behind = null;
                Map<TableId, TableLag> lags = Map.of();
                if (progress.hasLoadPlan()) {
                    Map<TableId, LoadPlan.Table> tables = progress.tables();
                    Map<TopicPartition, Long> vector = probe.vector();
                    Map<TopicPartition, Long> checkpoints = probe.checkpoints();
                    behind = Drain.behind(vector, checkpoints);
                    lags = tableLags.see(tables, vector, checkpoints, MonotonicClock.millis());
                }
                tell.accept(new TargetSeen(relations, behind, lags, TargetReading.lost(target)));
                repeater.pause(PERIOD_MILLIS / 2);
            }
        }
    }

    private void watchSchema(Repeater repeater) throws SQLException, InterruptedException {
        try (Connection source = Sessions.open(flow.migration(), flow.from(), "watch schema");
                Connection target = Sessions.open(flow.migration(), flow.to(), "watch schema")) {
            while (!repeater.closing()) {
                long began = System.nanoTime();
                if (progress.hasLoadPlan()) {
                    boolean built = applying.getAsBoolean();
                    // Read after {@code built}: so tables that were halted in the meantime are left out too.
                    SchemaDrift drift = SchemaDrift.read(
                            flow, source, target, progress.planned(), progress.names(), built, halted.get());
                    progress.gone(drift.gone());
                    tell.accept(new Observation.SchemaSeen(drift));
                }
                // With thousands of tables a comparison takes long; then it runs less often.
                repeater.pause(Math.max(2 * PERIOD_MILLIS, (System.nanoTime() - began) / 100_000));
            }
        }
    }

    @Override
    public void close() {
        threads.forEach(Repeater::stop);
        threads.forEach(Repeater::close);
    }
}
