package io.wherry.coordinator.watch;

import io.wherry.contract.name.TableId;
import io.wherry.contract.record.LoadPlan;
import io.wherry.coordinator.watch.EndHistory.Age;
import io.wherry.coordinator.watch.LagTrend.Slope;
import java.util.HashMap;
import java.util.Map;
import org.apache.kafka.common.TopicPartition;

/**
 * The lag of each table, from ends and checkpoints that are looked at again and again. For a table that is behind, it keeps at most
 * a few KiB. Not safe for use by several threads.
 */
final class TableLags {
    private final Map<TopicPartition, EndHistory> ends = new HashMap<>();
    private final Map<TableId, LagTrend> trends = new HashMap<>();

    /**
     * @param vector end offsets
     * @param checkpoints next offsets to be applied, read after the ends
     * @return the lag of each table
     */
    Map<TableId, TableLag> see(
            Map<TableId, LoadPlan.Table> tables,
            Map<TopicPartition, Long> vector,
            Map<TopicPartition, Long> checkpoints,
            long nowMillis) {
        ends.keySet().retainAll(vector.keySet());
        trends.keySet().retainAll(tables.keySet());
        vector.forEach((partition, end) -> ends.computeIfAbsent(partition, one -> new EndHistory())
                .see(end, checkpoints.getOrDefault(partition, -1L), nowMillis));
        Map<TableId, TableLag> lags = new HashMap<>();
        tables.forEach((table, planned) -> lags.put(table, lag(table, planned, vector, checkpoints, nowMillis)));
        return lags;
    }

    private TableLag lag(
            TableId table,
            LoadPlan.Table planned,
            Map<TopicPartition, Long> vector,
            Map<TopicPartition, Long> checkpoints,
            long nowMillis) {
        long records = 0;
        Age oldest = new Age(0, false);
        for (int i = 0; i < planned.partitions(); i++) {
            TopicPartition partition = new TopicPartition(planned.topic(), i);
            Long end = vector.get(partition);
            Long checkpoint = checkpoints.get(partition);
            if (end == null || checkpoint == null) {
                trends.remove(table);
                return TableLag.UNKNOWN;
            }
            if (end > checkpoint) {
                records += end - checkpoint;
                Age age = ends.get(partition).age(checkpoint, nowMillis);
                oldest = new Age(Math.max(oldest.millis(), age.millis()), oldest.over() || age.over());
            }
        }
        LagTrend trend = trends.computeIfAbsent(table, one -> new LagTrend());
        trend.see(records, nowMillis);
        Slope slope = trend.slope();
        Long seconds = records == 0 ? Long.valueOf(0) : seconds(oldest);
        return new TableLag(
                records,
                seconds,
                oldest.over() && seconds != null,
                slope == null ? null : slope.direction().name(),
                slope == null ? null : Double.valueOf(slope.recordsPerSecond()));
    }

    /** Never 0: something is not applied. Null = the history has only begun. */
    private static Long seconds(Age age) {
        if (age.over()) {
            return age.millis() < 1_000 ? null : Long.valueOf(age.millis() / 1_000);
        }
        return Math.max(1, (age.millis() + 999) / 1_000);
    }
}
