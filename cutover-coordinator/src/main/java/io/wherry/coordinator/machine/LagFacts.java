package io.wherry.coordinator.machine;

import io.wherry.contract.name.TableId;
import io.wherry.contract.postgres.Lsn;
import io.wherry.coordinator.watch.Lag;
import io.wherry.coordinator.watch.Latencies;
import io.wherry.coordinator.watch.Observation.AppliedToOthers;
import io.wherry.coordinator.watch.Observation.HeartbeatArrived;
import io.wherry.coordinator.watch.Observation.HeartbeatEmitted;
import io.wherry.coordinator.watch.Observation.Positioned;
import io.wherry.coordinator.watch.Observation.Slot;
import io.wherry.coordinator.watch.Observation.TargetSeen;
import io.wherry.coordinator.watch.Observers;
import io.wherry.coordinator.watch.SlotForecast;
import io.wherry.coordinator.watch.SlotStatus;
import io.wherry.coordinator.watch.TableLag;
import java.util.ArrayDeque;
import java.util.Deque;
import java.util.Map;
import java.util.Optional;
import java.util.Set;

/** What is known of heartbeats, the slot and the lag. Used by the coordinator's thread only. */
final class LagFacts {
    private static final int HEARTBEATS_KEPT = 10_000;
    // Older observations do not count.
    private static final long STALE_MILLIS = 10_000;

    private final Latencies latencies;
    private final Deque<HeartbeatEmitted> onTheirWay = new ArrayDeque<>();
    private final SlotForecast forecast = new SlotForecast();
    private Slot slot;
    private long slotSeenMillis;
    private Long inKafkaEmitted;
    private long inKafkaTook;
    private Long arrivedEmitted;
    private long arrivedTook;
    private Lsn applied = Lsn.ZERO;
    private AppliedToOthers othersApplied = new AppliedToOthers(Lsn.ZERO, Set.of());
    private Long behind;
    private Map<TableId, TableLag> ofTables = Map.of();
    private long behindSeenMillis;

    LagFacts(Latencies latencies) {
        this.latencies = latencies;
    }

    void see(HeartbeatEmitted heartbeat) {
        slot = heartbeat.slot();
        forecast.see(slot, heartbeat.emittedMillis());
        slotSeenMillis = heartbeat.emittedMillis();
        onTheirWay.add(heartbeat);
        if (onTheirWay.size() > HEARTBEATS_KEPT) {
            // Keep the oldest heartbeat: the time by which it is overdue is the lag.
            onTheirWay.removeLast();
        }
    }

    void see(Positioned positioned) {
        while (!onTheirWay.isEmpty() && !onTheirWay.peek().lsn().isAfter(positioned.commitLsn())) {
            inKafkaEmitted = onTheirWay.remove().emittedMillis();
            inKafkaTook = positioned.seenMillis() - inKafkaEmitted;
        }
    }

    void see(HeartbeatArrived arrived) {
        applied = arrived.lsn();
        arrivedEmitted = arrived.emittedMillis();
        arrivedTook = arrived.tookMillis();
        latencies.add(arrived.tookMillis());
    }

    void see(AppliedToOthers seen) {
        othersApplied = seen;
    }

    /** What is in Kafka and not applied. */
    void see(TargetSeen seen, long nowMillis) {
        behind = seen.behind();
        ofTables = seen.lags();
        behindSeenMillis = nowMillis;
    }

    /** The lag of one table; unknown when it was not seen of late. */
    TableLag of(TableId table, long nowMillis) {
        return nowMillis - behindSeenMillis > STALE_MILLIS
                ? TableLag.UNKNOWN
                : ofTables.getOrDefault(table, TableLag.UNKNOWN);
    }

    /** Everything up to here is on the target. */
    Lsn applied() {
        return applied;
    }

    /** Everything up to here is on the target, except changes of stopped tables. */
    AppliedToOthers appliedToOthers() {
        return othersApplied;
    }

    Lag lag(long nowMillis) {
        return new Lag(
                slot == null || nowMillis - slotSeenMillis > STALE_MILLIS ? null : slot.retainedBytes(),
                Lag.ofHeartbeats(inKafkaEmitted, inKafkaTook, nowMillis, Observers.PERIOD_MILLIS),
                nowMillis - behindSeenMillis > STALE_MILLIS ? null : behind,
                Lag.ofHeartbeats(arrivedEmitted, arrivedTook, nowMillis, Observers.PERIOD_MILLIS),
                inKafkaEmitted == null ? null : nowMillis - inKafkaEmitted);
    }

    SlotStatus slot(long nowMillis) {
        if (slot == null || nowMillis - slotSeenMillis > STALE_MILLIS) {
            return SlotStatus.UNKNOWN;
        }
        return new SlotStatus(
                slot.retainedBytes(),
                slot.walStatus(),
                slot.keepBytes(),
                slot.safeBytes(),
                slot.idleSeconds(),
                forecast.lostIn(slot));
    }

    /**
     * Why the slot can no longer serve; empty = it can.
     *
     * @param planned whether there is a load plan; the plan is made after the slot
     */
    Optional<String> slotProblem(boolean planned) {
        if (slot == Slot.MISSING && planned) {
            return Optional.of("the replication slot is not on the source any more");
        }
        return slot != null && "lost".equals(slot.walStatus())
                ? Optional.of("the replication slot is lost: "
                        + ("idle_timeout".equals(slot.invalidation())
                                ? "no client read the slot for longer than the source allows (idle_replication_slot_timeout)"
                                : "the source removed write-ahead log that was still needed (max_slot_wal_keep_size)"))
                : Optional.empty();
    }
}
