package io.wherry.coordinator;

import io.wherry.contract.KafkaClients;
import io.wherry.contract.Lsn;
import io.wherry.contract.Migration;
import java.sql.Connection;
import java.sql.SQLException;
import java.time.Duration;
import java.util.HashMap;
import java.util.Map;
import org.apache.kafka.clients.consumer.KafkaConsumer;
import org.apache.kafka.common.TopicPartition;

/**
 * Asks whether the target has everything that was committed on the source before an LSN; heartbeats and the cutover's
 * sentinel are followed by the same code. Not safe for use by several threads.
 */
final class DrainProbe implements AutoCloseable {
    private final Connection target;
    private final Progress progress;
    private final KafkaConsumer<byte[], byte[]> offsets;

    DrainProbe(Migration migration, Connection target, Progress progress) {
        this.target = target;
        this.progress = progress;
        // High watermarks, not the ends that read_committed sees. Counterexample: a Kafka transaction writes row r to
        // partition A
        // and its position to P; on commit the marker reaches P first; we read the position, and A's last stable
        // offset is still before r; a vector of stable offsets would call the target drained without r.
        this.offsets = KafkaClients.consumer(migration, Map.of("isolation.level", "read_uncommitted"));
    }

    /** Waits up to {@code wait} for the position in Kafka to reach the LSN; false = not yet. */
    boolean inKafka(Lsn lsn, Duration wait) throws InterruptedException {
        return progress.awaitPosition(lsn, wait);
    }

    /** End offsets of every change partition. To be called only after {@link #inKafka}. */
    Map<TopicPartition, Long> vector() {
        return offsets.endOffsets(progress.partitions());
    }

    Map<TopicPartition, Long> checkpoints() throws SQLException {
        Map<TopicPartition, Long> checkpoints = new HashMap<>();
        Queries.list(
                target,
                row -> checkpoints.put(new TopicPartition(row.getString(1), row.getInt(2)), row.getLong(3)),
                "SELECT topic, partition, next_offset FROM wherry.checkpoint");
        return checkpoints;
    }

    @Override
    public void close() {
        offsets.close();
    }
}
