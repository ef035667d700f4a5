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
 * Follows a one-partition topic of ours (position, control) from its beginning or near its end, on the caller's thread. Records
 * that were written in parts come whole, in the place of the last part. Not safe for use by several threads.
 */
public final class TopicTail implements AutoCloseable {
    private final KafkaConsumer<byte[], byte[]> consumer;
    private final TopicPartition partition;
    private final PartsAmongOthers parts = new PartsAmongOthers();

    /** The topic must exist. */
    public TopicTail(Migration migration, String topic) {
        consumer = KafkaClients.consumer(migration, Map.of());
        partition = new TopicPartition(topic, 0);
        consumer.assign(List.of(partition));
    }

    /** Every committed record from the beginning to the end as it is now; later calls of {@link #poll} go on from there. */
    public void readAll(Consumer<ConsumerRecord<byte[], byte[]>> each) {
        consumer.seekToBeginning(List.of(partition));
        parts.forget();
        readToEnd(each);
    }

    /**
     * The last committed record, or null when there is none. Aborted transactions and markers take offsets too, so the search
     * window doubles until a record is found in it or it has reached the beginning.
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

    /** Records that came since, waiting up to {@code wait} for the first. */
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
