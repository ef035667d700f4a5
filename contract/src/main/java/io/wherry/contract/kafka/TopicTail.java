package io.wherry.contract.kafka;

import io.wherry.contract.config.Migration;
import java.time.Duration;
import java.util.List;
import java.util.Map;
import java.util.function.Consumer;
import org.apache.kafka.clients.consumer.ConsumerRecord;
import org.apache.kafka.clients.consumer.KafkaConsumer;
import org.apache.kafka.common.TopicPartition;

/**
 * Reads a partition of one of Wherry's small topics (position, control) from its beginning or from near its end, on the caller's
 * thread. A record that was written in parts is returned whole, at the place of its last part. Not safe for use by several
 * threads.
 */
public final class TopicTail implements AutoCloseable {
    private final KafkaConsumer<byte[], byte[]> consumer;
    private final TopicPartition partition;
    private final PartsAmongOthers parts = new PartsAmongOthers();

    /** Partition 0 of the topic, which must exist. */
    public TopicTail(Migration migration, String topic) {
        this(migration, topic, 0);
    }

    /** The partition must exist. */
    public TopicTail(Migration migration, String topic, int number) {
        consumer = KafkaClients.consumer(migration, Map.of());
        partition = new TopicPartition(topic, number);
        consumer.assign(List.of(partition));
    }

    /** Every committed record from the beginning to the current end; later calls of {@link #poll} continue from there. */
    public void readAll(Consumer<ConsumerRecord<byte[], byte[]>> each) {
        consumer.seekToBeginning(List.of(partition));
        parts.forget();
        readToEnd(each);
    }

    /**
     * The last committed record, or null when there is none. Aborted transactions and markers take offsets too. So the search
     * window doubles until it contains a record or has reached the beginning.
     */
    public ConsumerRecord<byte[], byte[]> last() {
        long beginning = consumer.beginningOffsets(List.of(partition)).get(partition);
        long end = consumer.endOffsets(List.of(partition)).get(partition);
        ConsumerRecord<byte[], byte[]>[] last = newHolder();
        for (long window = 64; last[0] == null; window *= 8) {
            long from = Math.max(beginning, end - window);
            consumer.seek(partition, from);
            parts.forget();
            readToEnd(record -> last[0] = record);
            if (from == beginning) {
                break;
            }
        }
        return last[0];
    }

    /** Records that have come since the last call; waits up to {@code wait} for the first. */
    public Iterable<ConsumerRecord<byte[], byte[]>> poll(Duration wait) {
        return parts.join(consumer.poll(wait).records(partition));
    }

    private void readToEnd(Consumer<ConsumerRecord<byte[], byte[]>> each) {
        long end = consumer.endOffsets(List.of(partition)).get(partition);
        while (consumer.position(partition) < end) {
            parts.join(consumer.poll(Duration.ofMillis(200)).records(partition)).forEach(each);
        }
    }

    @SuppressWarnings({"unchecked", "rawtypes"})
    private static ConsumerRecord<byte[], byte[]>[] newHolder() {
        return new ConsumerRecord[1];
    }

    @Override
    public void close() {
        consumer.close();
    }
}
