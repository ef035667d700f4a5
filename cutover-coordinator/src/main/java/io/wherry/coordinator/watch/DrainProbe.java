package io.wherry.coordinator.watch;

import io.wherry.contract.config.Migration;
import io.wherry.contract.error.RetryableException;
import io.wherry.contract.kafka.KafkaClients;
import io.wherry.contract.name.TableId;
import io.wherry.contract.postgres.Lsn;
import io.wherry.coordinator.sql.Queries;
import java.sql.Connection;
import java.sql.SQLException;
import java.time.Duration;
import java.util.HashMap;
import java.util.HashSet;
import java.util.Map;
import java.util.Set;
import java.util.concurrent.ExecutionException;
import org.apache.kafka.clients.admin.Admin;
import org.apache.kafka.clients.admin.ListOffsetsOptions;
import org.apache.kafka.clients.admin.OffsetSpec;
import org.apache.kafka.common.IsolationLevel;
import org.apache.kafka.common.TopicPartition;

/**
 * Checks whether the target has everything that was committed on the source before an LSN. The same code follows heartbeats and the
 * cutover's sentinel. Not safe for use by several threads.
 */
public final class DrainProbe implements AutoCloseable {
    // Without a limit, the closing waits for a broker that is away.
    private static final Duration CLOSE = Duration.ofSeconds(1);

    private final Connection target;
    private final Progress progress;
    private final Admin kafka;

    public DrainProbe(Migration migration, Connection target, Progress progress) {
        this.target = target;
        this.progress = progress;
        this.kafka = KafkaClients.admin(migration);
    }

    /** Waits up to {@code wait} for the position in Kafka to reach the LSN; false = not yet. */
    public boolean inKafka(Lsn lsn, Duration wait) throws InterruptedException {
        return progress.awaitPosition(lsn, wait);
    }

    /**
     * End offsets of every change partition. Call this only after {@link #inKafka}.
     *
     * <p>High watermarks, not the ends that read_committed sees. Counterexample: a Kafka transaction writes row r to partition A
     * and its position to P; on commit the marker reaches P first; this process reads the position while A's last stable offset is
     * still before r. A vector of stable offsets would call the target drained without r.
     *
     * @throws RetryableException when the broker does not answer
     */
    public Map<TopicPartition, Long> vector() throws InterruptedException {
        Map<TopicPartition, OffsetSpec> latest = new HashMap<>();
        progress.partitions().forEach(partition -> latest.put(partition, OffsetSpec.latest()));
        try {
            Map<TopicPartition, Long> vector = new HashMap<>();
            kafka.listOffsets(latest, new ListOffsetsOptions(IsolationLevel.READ_UNCOMMITTED))
                    .all()
                    .get()
                    .forEach((partition, end) -> vector.put(partition, end.offset()));
            return vector;
        } catch (ExecutionException e) {
            throw new RetryableException(
                    "read",
                    "end offsets",
                    String.valueOf(e.getCause().getMessage()),
                    "Check that Kafka is reachable",
                    e);
        }
    }

    public Map<TopicPartition, Long> checkpoints() throws SQLException {
        Map<TopicPartition, Long> checkpoints = new HashMap<>();
        Queries.list(
                target,
                row -> checkpoints.put(new TopicPartition(row.getString(1), row.getInt(2)), row.getLong(3)),
                "SELECT topic, partition, next_offset FROM wherry.checkpoint");
        return checkpoints;
    }

    /** Tables whose changes are not applied now, by their topics: their changes or their load have stopped. */
    Map<String, TableId> standing() throws SQLException {
        Set<String> open = new HashSet<>(Queries.strings(
                target, "SELECT topic FROM wherry.relation WHERE stopped_because IS NULL AND ready_at IS NOT NULL"));
        Map<String, TableId> standing = new HashMap<>();
        progress.tables().forEach((table, planned) -> standing.put(planned.topic(), table));
        standing.keySet().removeAll(open);
        return standing;
    }

    @Override
    public void close() {
        kafka.close(CLOSE);
    }
}
