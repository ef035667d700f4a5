package io.wherry.coordinator.watch;

import io.wherry.contract.config.Flow;
import io.wherry.contract.name.TableId;
import io.wherry.contract.postgres.Sessions;
import io.wherry.coordinator.thread.MonotonicClock;
import io.wherry.coordinator.thread.Repeater;
import io.wherry.coordinator.watch.Observation.HeartbeatArrived;
import io.wherry.coordinator.watch.Observation.HeartbeatEmitted;
import java.sql.Connection;
import java.sql.SQLException;
import java.time.Duration;
import java.util.Map;
import java.util.Set;
import java.util.concurrent.atomic.AtomicReference;
import java.util.function.BooleanSupplier;
import java.util.function.Consumer;
import org.apache.kafka.common.TopicPartition;

/**
 * Follows heartbeats, one after another, each until all changes before the heartbeat are applied on the target. Of the heartbeats
 * that were emitted in the meantime, only the newest is followed next.
 *
 * @param newest the last heartbeat that was emitted; null before the first
 */
record Arrivals(
        Flow flow,
        Progress progress,
        Consumer<Observation> tell,
        BooleanSupplier applying,
        AtomicReference<HeartbeatEmitted> newest)
        implements Repeater.Work {
    private static final long CHECKPOINT_POLL_MILLIS = 25;
    private static final Duration WAIT = Duration.ofMillis(500);

    @Override
    public void run(Repeater repeater) throws SQLException, InterruptedException {
        try (Connection target = Sessions.open(flow.migration(), flow.to(), "lag");
                DrainProbe probe = new DrainProbe(flow.migration(), target, progress)) {
            HeartbeatEmitted last = newest.get();
            while (!repeater.closing()) {
                HeartbeatEmitted heartbeat = newest.get();
                if (heartbeat == last || !applying.getAsBoolean()) {
                    repeater.pause(CHECKPOINT_POLL_MILLIS);
                } else {
                    follow(repeater, probe, heartbeat);
                    last = heartbeat;
                }
            }
        }
    }

    private void follow(Repeater repeater, DrainProbe probe, HeartbeatEmitted heartbeat)
            throws SQLException, InterruptedException {
        while (!probe.inKafka(heartbeat.lsn(), WAIT)) {
            if (repeater.closing()) {
                return;
            }
        }
        Map<TopicPartition, Long> vector = probe.vector();
        Map<TopicPartition, Long> checkpoints = probe.checkpoints();
        while (!Drain.drained(vector, checkpoints)) {
            Map<String, TableId> standing = probe.standing();
            if (!standing.isEmpty() && Drain.drained(Drain.without(vector, standing.keySet()), checkpoints)) {
                tell.accept(new Observation.AppliedToOthers(heartbeat.lsn(), Set.copyOf(standing.values())));
                if (newest.get() != heartbeat) {
                    // This heartbeat arrives once the operator has fixed the table; meanwhile later heartbeats
                    // serve the other tables.
                    return;
                }
            }
            repeater.pause(CHECKPOINT_POLL_MILLIS);
            if (repeater.closing() || !applying.getAsBoolean()) {
                return;
            }
            checkpoints = probe.checkpoints();
        }
        long now = MonotonicClock.millis();
        tell.accept(new HeartbeatArrived(heartbeat.lsn(), heartbeat.emittedMillis(), now - heartbeat.emittedMillis()));
    }
}
