package io.wherry.sink.plan;

import io.wherry.contract.config.Migration;
import java.sql.Connection;
import java.sql.PreparedStatement;
import java.sql.SQLException;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import org.apache.kafka.clients.consumer.KafkaConsumer;
import org.apache.kafka.common.TopicPartition;

/** Writes where the topics of load plans are read from, within the caller's transaction. */
final class PlannedCheckpoints {
    private static final String FIRST = """
            INSERT INTO wherry.checkpoint (topic, partition, next_offset, commit_lsn, epoch) VALUES (?, ?, ?, '0/0', ?)
            ON CONFLICT (topic, partition) DO NOTHING
            """;

    // The re-load has removed the rows, and with them the changes that were applied after its snapshot. These changes
    // must be applied again. A change that the new load holds is left out by its commit LSN.
    private static final String SET_BACK = """
            INSERT INTO wherry.checkpoint (topic, partition, next_offset, commit_lsn, epoch) VALUES (?, ?, ?, '0/0', ?)
            ON CONFLICT (topic, partition) DO UPDATE SET next_offset = EXCLUDED.next_offset, commit_lsn = '0/0'
            """;

    private final Migration migration;
    private final Connection target;
    private final long epoch;

    /** @param epoch of the sink-applier */
    PlannedCheckpoints(Migration migration, Connection target, long epoch) {
        this.migration = migration;
        this.target = target;
        this.epoch = epoch;
    }

    /** Partitions that have no checkpoint yet are read from their first record; the others keep theirs. */
    void first(List<TopicPartition> all, KafkaConsumer<byte[], byte[]> offsets) throws SQLException {
        write(FIRST, all, offsets);
    }

    /** The partitions are read from their first record again. */
    void setBack(List<TopicPartition> all, KafkaConsumer<byte[], byte[]> offsets) throws SQLException {
        write(SET_BACK, all, offsets);
    }

    private void write(String sql, List<TopicPartition> all, KafkaConsumer<byte[], byte[]> offsets)
            throws SQLException {
        if (all.isEmpty()) {
            return;
        }
        offsets.assign(all);
        Map<TopicPartition, Long> beginnings = offsets.beginningOffsets(all);
        Map<String, Long> byTopic = new HashMap<>();
        beginnings.forEach((partition, offset) -> byTopic.merge(partition.topic(), offset, Long::sum));
        TopicIds.remember(target, migration, byTopic, sql.equals(SET_BACK));
        try (PreparedStatement statement = target.prepareStatement(sql)) {
            for (TopicPartition partition : all) {
                statement.setString(1, partition.topic());
                statement.setInt(2, partition.partition());
                statement.setLong(3, beginnings.get(partition));
                statement.setLong(4, epoch);
                statement.addBatch();
            }
            statement.executeBatch();
        }
    }
}
