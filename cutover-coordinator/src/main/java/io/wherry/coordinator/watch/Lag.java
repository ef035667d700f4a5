package io.wherry.coordinator.watch;

import java.time.Duration;

/**
 * How far the target is behind; null = unknown, which never counts as zero.
 *
 * @param slotBytes write-ahead log that the source keeps for the slot, bytes
 * @param sourceToKafkaMillis age of the oldest commit that may not be in Kafka yet
 * @param kafkaToTargetRecords offsets in change topics above the target's checkpoints
 * @param endToEndMillis from a commit on the source to its effect on the target
 * @param heartbeatAgeMillis since the newest heartbeat that is in Kafka was emitted on the source
 */
public record Lag(
        Long slotBytes,
        Long sourceToKafkaMillis,
        Long kafkaToTargetRecords,
        Long endToEndMillis,
        Long heartbeatAgeMillis) {
    public static final Lag UNKNOWN = new Lag(null, null, null, null, null);

    /** False when unknown. */
    public boolean under(Duration limit) {
        return endToEndMillis != null && endToEndMillis < limit.toMillis();
    }

    /**
     * The lag that heartbeats show: the time that the last arrived heartbeat took, or how long the next one is overdue.
     *
     * @param lastEmittedMillis when the last heartbeat that arrived was emitted; null = no heartbeat has arrived
     * @param lastTookMillis how long that heartbeat took
     * @param periodMillis between two heartbeats
     */
    public static Long ofHeartbeats(Long lastEmittedMillis, long lastTookMillis, long nowMillis, long periodMillis) {
        return lastEmittedMillis == null
                ? null
                : Long.valueOf(Math.max(lastTookMillis, nowMillis - lastEmittedMillis - periodMillis));
    }
}
