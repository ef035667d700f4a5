package io.wherry.coordinator.watch;

import java.time.Duration;

/**
 * How far the target is behind; null = unknown, which is never taken for zero.
 *
 * @param slotBytes write-ahead log that the source keeps for the slot, bytes
 * @param sourceToKafkaMillis age of the oldest commit that may not be in Kafka yet
 * @param kafkaToTargetRecords offsets in change topics above the target's checkpoints
 * @param endToEndMillis from a commit on the source to its effect on the target
 */
public record Lag(Long slotBytes, Long sourceToKafkaMillis, Long kafkaToTargetRecords, Long endToEndMillis) {
    public static final Lag UNKNOWN = new Lag(null, null, null, null);

    /** False when unknown. */
    public boolean under(Duration limit) {
        return endToEndMillis != null && endToEndMillis < limit.toMillis();
    }

    /**
     * The lag that heartbeats show: what the last one to arrive took, or how long the next is overdue.
     *
     * @param lastEmittedMillis when the last one that arrived was emitted; null = none has
     * @param lastTookMillis how long that one took
     * @param periodMillis between two heartbeats
     */
    public static Long ofHeartbeats(Long lastEmittedMillis, long lastTookMillis, long nowMillis, long periodMillis) {
        return lastEmittedMillis == null
                ? null
                : Long.valueOf(Math.max(lastTookMillis, nowMillis - lastEmittedMillis - periodMillis));
    }
}
