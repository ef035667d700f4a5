package io.wherry.sink;

import io.wherry.contract.DataException;
import io.wherry.contract.LargeValues;
import io.wherry.contract.TableId;
import java.time.Duration;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import org.apache.kafka.clients.consumer.ConsumerRecord;
import org.apache.kafka.clients.consumer.ConsumerRecords;
import org.apache.kafka.clients.consumer.InvalidOffsetException;
import org.apache.kafka.clients.consumer.KafkaConsumer;
import org.apache.kafka.common.TopicPartition;

/**
 * Collects one batch from a consumer, bounded by what it takes in memory: {@value #BATCH_BYTES} bytes, the records of one poll,
 * and one large value.
 */
final class BatchReader {
    /**
     * What one poll of changes may bring. The consumer's limits are for compressed bytes but for one: 8 MiB of one repeated
     * word are gigabytes. So few records a poll, each of at most {@link LargeValues#PART_BYTES}, and several polls a batch.
     */
    static final Map<String, Object> FETCH =
            Map.of("max.poll.records", 64, "max.partition.fetch.bytes", 1 << 20, "fetch.max.bytes", 8 << 20);

    // A batch ends with the poll that brings it to either; a value counts when all its parts are there.
    private static final int BATCH_CHANGES = 2000;
    private static final long BATCH_BYTES = 16 << 20;

    private final KafkaConsumer<byte[], byte[]> consumer;
    private final ChangeDecoder decoder;
    private final Map<TopicPartition, Reading> readings;
    private final ChangeBatch batch = new ChangeBatch();

    /** @param readings of what the consumer is assigned; those of tables whose changes are refused are removed */
    BatchReader(KafkaConsumer<byte[], byte[]> consumer, ChangeDecoder decoder, Map<TopicPartition, Reading> readings) {
        this.consumer = consumer;
        this.decoder = decoder;
        this.readings = readings;
    }

    /** The batch that begins with these records of a poll. */
    ChangeBatch read(ConsumerRecords<byte[], byte[]> first) {
        readings.values().forEach(reading -> reading.begin(batch));
        ConsumerRecords<byte[], byte[]> records = first;
        while (add(records) && batch.read() < BATCH_CHANGES && batch.bytes() < BATCH_BYTES) {
            records = pollMore();
        }
        // Also where no record came: transaction markers take offsets, and the drain waits for the checkpoint to pass
        // them.
        for (Map.Entry<TopicPartition, Reading> entry : readings.entrySet()) {
            boolean complete = consumer.currentLag(entry.getKey()).orElse(-1) == 0;
            entry.getValue().end(batch, consumer.position(entry.getKey()), complete);
        }
        return batch;
    }

    private ConsumerRecords<byte[], byte[]> pollMore() {
        try {
            return consumer.poll(Duration.ZERO);
        } catch (InvalidOffsetException e) {
            // The next batch begins with it: what this one has read must not be lost with it.
            return ConsumerRecords.empty();
        }
    }

    /** Whether the batch may go on: some records came, and no partition must be read again from a place before them. */
    private boolean add(ConsumerRecords<byte[], byte[]> records) {
        boolean goOn = !records.isEmpty();
        for (TopicPartition partition : records.partitions()) {
            Reading reading = readings.get(partition);
            if (reading == null) {
                continue;
            }
            try {
                goOn &= add(reading, records.records(partition));
            } catch (DataException e) {
                TableId table = reading.relation().table();
                batch.refuse(reading.relation(), e);
                readings.values().removeIf(other -> other.relation().table().equals(table));
                goOn = false;
            }
        }
        finishLargeValueFirst();
        return goOn;
    }

    private boolean add(Reading reading, List<ConsumerRecord<byte[], byte[]>> records) {
        for (ConsumerRecord<byte[], byte[]> record : records) {
            if (LargeValues.begins(record) && isLater(reading)) {
                consumer.seek(reading.partition(), record.offset());
                return true;
            }
            if (!reading.add(record, decoder, batch)) {
                consumer.seek(reading.partition(), reading.from());
                return false;
            }
        }
        return true;
    }

    /** Whether the partition's next large value is not for now: the batch holds enough, or is in the middle of another. */
    private boolean isLater(Reading reading) {
        return batch.bytes() >= BATCH_BYTES
                || readings.values().stream().anyMatch(other -> other != reading && other.isInsideValue());
    }

    /** One large value at a time, however many tables have some: until it is whole, nothing else is read. */
    private void finishLargeValueFirst() {
        List<TopicPartition> inside = readings.values().stream()
                .filter(Reading::isInsideValue)
                .map(Reading::partition)
                .toList();
        if (inside.isEmpty()) {
            consumer.resume(consumer.paused());
        } else {
            Set<TopicPartition> others = new HashSet<>(consumer.assignment());
            others.removeAll(inside);
            consumer.pause(others);
        }
    }
}
