package io.wherry.sink.state;

import io.wherry.contract.config.Migration;
import io.wherry.contract.kafka.KafkaClients;
import java.sql.Connection;
import java.sql.PreparedStatement;
import java.sql.SQLException;
import java.util.HashMap;
import java.util.Map;
import java.util.Objects;
import java.util.Set;
import org.apache.kafka.clients.consumer.KafkaConsumer;
import org.apache.kafka.clients.consumer.OffsetAndMetadata;
import org.apache.kafka.common.KafkaException;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.errors.RetriableException;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Detects a target that came back without its last commits, for example an asynchronous replica that was promoted, or a backup.
 * Group offsets are committed to Kafka after the target's transaction, so a checkpoint behind them once had their value. Rows,
 * checkpoints and everything else that Wherry keeps on the target are lost together. So the missing changes are applied again
 * from Kafka, and nothing else needs repair; but the operator of the target must know.
 */
public final class LostCommits {
    private static final Logger LOG = LoggerFactory.getLogger(LostCommits.class);

    private static final String NOTE = """
            UPDATE wherry.applier SET lost = format('%s: %s change records in %s partitions', clock_timestamp()::timestamptz(0), ?, ?)
            """;

    private LostCommits() {}

    /**
     * Records on the target what the target has lost, if anything. To be called before the group offsets are committed again.
     *
     * @param target whose checkpoints already belong to this instance, so that no other instance moves them
     * @param epoch of this instance
     */
    public static void look(Connection target, Migration migration, long epoch) throws SQLException {
        Map<TopicPartition, OffsetAndMetadata> checkpoints =
                GroupOffsets.read(target, migration.topics().load(), epoch);
        Map<TopicPartition, OffsetAndMetadata> applied = applied(migration, checkpoints.keySet());
        long records = 0;
        int partitions = 0;
        for (Map.Entry<TopicPartition, OffsetAndMetadata> now : checkpoints.entrySet()) {
            OffsetAndMetadata before = applied.get(now.getKey());
            OffsetAndMetadata checkpoint = now.getValue();
            if (before != null
                    && GroupOffsets.isMarked(checkpoint)
                    && before.metadata().equals(checkpoint.metadata())
                    && before.offset() > checkpoint.offset()) {
                records += before.offset() - checkpoint.offset();
                partitions++;
            }
        }
        if (partitions > 0) {
            LOG.error(
                    "The target has lost commits that it had confirmed: {} change records in {} partitions. They are applied"
                            + " again from Kafka. Check that each replica that may be promoted is synchronous",
                    records,
                    partitions);
            try (PreparedStatement statement = target.prepareStatement(NOTE)) {
                statement.setLong(1, records);
                statement.setInt(2, partitions);
                statement.executeUpdate();
            }
        }
    }

    // By a consumer, which pauses between its questions. An admin client asks 1,500 times a second for the group's
    // coordinator while no broker has that role.
    private static Map<TopicPartition, OffsetAndMetadata> applied(Migration migration, Set<TopicPartition> partitions) {
        try (KafkaConsumer<byte[], byte[]> group =
                KafkaClients.consumer(migration, Map.of("group.id", migration.name()))) {
            Map<TopicPartition, OffsetAndMetadata> applied = new HashMap<>(group.committed(partitions));
            applied.values().removeIf(Objects::isNull);
            return applied;
        } catch (RetriableException e) {
            throw e;
        } catch (KafkaException e) {
            // As if the right to read group offsets were missing: nothing else depends on them.
            LOG.warn("Cannot check whether the target has lost commits: {}", e.getMessage());
            return Map.of();
        }
    }
}
