package io.wherry.coordinator.watch;

/**
 * How far a table is behind in Kafka; null = unknown, which never counts as zero. The JSON names are public and stable.
 *
 * @param records offsets of its change topic above the checkpoints: what Kafka's tools call the lag
 * @param seconds at most this is the age of the oldest change that is not applied; 0 = all are applied
 * @param over the age is more than {@code seconds}: the change is older than what this coordinator has seen
 * @param trend of the records over the last two minutes: {@code GROWING}, {@code STEADY} or {@code SHRINKING}
 * @param recordsPerSecond by which the lag grows; negative = shrinks
 */
public record TableLag(Long records, Long seconds, boolean over, String trend, Double recordsPerSecond) {
    public static final TableLag UNKNOWN = new TableLag(null, null, false, null, null);
}
