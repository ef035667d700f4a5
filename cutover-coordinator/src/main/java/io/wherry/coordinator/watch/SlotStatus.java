package io.wherry.coordinator.watch;

/**
 * What the source reports of the replication slot.
 *
 * @param retainedBytes write-ahead log kept for the slot; null = unknown
 * @param walStatus {@code reserved}, {@code extended}, {@code unreserved} or {@code lost}; null = unknown (before 13)
 * @param keepBytes most that the source keeps for a slot ({@code max_slot_wal_keep_size}); null = no limit, or unknown
 * @param safeBytes that can still be written before the slot may be lost; null = no limit, or unknown
 * @param idleSeconds until the source gives the slot up because no client reads it ({@code idle_replication_slot_timeout}, 18 and
 *     newer); null = a client reads it, no limit, or unknown
 * @param lostInSeconds when the slot will be lost if the trend of the last minutes continues, by bytes or, on servers from 18 on,
 *     because no client reads the slot; null = no loss is expected
 */
public record SlotStatus(
        Long retainedBytes, String walStatus, Long keepBytes, Long safeBytes, Long idleSeconds, Long lostInSeconds) {
    public static final SlotStatus UNKNOWN = new SlotStatus(null, null, null, null, null, null);
}
