package io.wherry.sink.apply;

import io.wherry.contract.error.DataException;
import io.wherry.contract.name.TableId;
import io.wherry.contract.record.LargeValues;
import io.wherry.sink.merge.ChangeBatch;
import io.wherry.sink.read.ChangeDecoder;
import io.wherry.sink.read.PartitionCursor;
import java.time.Duration;
import java.util.HashSet;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import org.apache.kafka.clients.consumer.ConsumerRecord;
import org.apache.kafka.clients.consumer.ConsumerRecords;
import org.apache.kafka.clients.consumer.InvalidOffsetException;
import org.apache.kafka.clients.consumer.KafkaConsumer;
import org.apache.kafka.common.TopicPartition;

/**
 * Collects batches from a consumer. Three limits bound the memory of a batch: {@value #BATCH_BYTES} bytes, the records of one
 * poll, and one large value. Not safe for use by several threads.
 */
final class BatchReader {
    // A batch ends with the poll that reaches one of these limits. A value counts once all its parts have arrived.
    private static final int BATCH_CHANGES = 2000;
    private static final long BATCH_BYTES = 16 << 20;

    private final KafkaConsumer<byte[], byte[]> consumer;
    private final ChangeDecoder decoder;
    private final Map<TopicPartition, PartitionCursor> readings;
    private final GiantLane lane;
    /** Readings whose next value is a giant that waits for the lane, in the order of arrival. */
    private final Set<PartitionCursor> waiting = new LinkedHashSet<>();

    private ChangeBatch batch = new ChangeBatch();
    private boolean giantPutOff;
    private boolean giantIsDue;

    /**
     * @param readings of the partitions that the consumer is assigned; the reader removes those of tables whose changes are
     *     refused
     * @param lane that will get the giant values; the reader reads nothing of the tables that the lane holds
     */
    BatchReader(
            KafkaConsumer<byte[], byte[]> consumer,
            ChangeDecoder decoder,
            Map<TopicPartition, PartitionCursor> readings,
            GiantLane lane) {
        this.consumer = consumer;
        this.decoder = decoder;
        this.readings = readings;
        this.lane = lane;
    }

    /**
     * The next batch.
     *
     * @param wait for the first records
     * @throws InvalidOffsetException when a partition has lost records that were to be read; nothing was read then
     */
    ChangeBatch read(Duration wait) {
        // By identity: a reading that has been replaced is not at the place where the old one waited.
        waiting.retainAll(readings.values());
        choose();
        ConsumerRecords<byte[], byte[]> records = consumer.poll(wait);
        batch = new ChangeBatch();
        giantIsDue = giantPutOff;
        giantPutOff = false;
        readings.values().stream().filter(this::isHere).forEach(reading -> reading.begin(batch));
        while (add(records) && batch.read() < BATCH_CHANGES && batch.bytes() < BATCH_BYTES) {
            records = pollMore();
        }
        // Also if no record came: transaction markers take offsets, and the drain waits for the checkpoint to pass
        // them.
        for (PartitionCursor reading : List.copyOf(readings.values())) {
            // A reading that was removed in the meantime, together with another reading of its table, must not move
            // its checkpoint.
            if (readings.containsKey(reading.partition()) && isHere(reading)) {
                end(reading);
            }
        }
        return batch;
    }

    private void end(PartitionCursor reading) {
        TopicPartition partition = reading.partition();
        try {
            boolean complete = consumer.currentLag(partition).orElse(-1) == 0;
            reading.end(batch, consumer.position(partition), complete);
        } catch (DataException e) {
            refuse(reading, e);
        }
    }

    private void refuse(PartitionCursor reading, DataException e) {
        TableId table = reading.relation().table();
        batch.refuse(reading.relation(), e);
        readings.values().removeIf(other -> other.relation().table().equals(table));
    }

    private ConsumerRecords<byte[], byte[]> pollMore() {
        try {
            return consumer.poll(Duration.ZERO);
        } catch (InvalidOffsetException e) {
            // The next batch meets the same exception. Thrown here, it would lose what this batch has read.
            return ConsumerRecords.empty();
        }
    }

    /** Whether the batch may continue: some records came, and no partition must be read again from an earlier place. */
    private boolean add(ConsumerRecords<byte[], byte[]> records) {
        boolean goOn = !records.isEmpty();
        for (TopicPartition partition : records.partitions()) {
            PartitionCursor reading = readings.get(partition);
            if (reading == null) {
                continue;
            }
            try {
                goOn &= add(reading, records.records(partition));
            } catch (DataException e) {
                refuse(reading, e);
                goOn = false;
            }
        }
        choose();
        return goOn;
    }

    private boolean add(PartitionCursor reading, List<ConsumerRecord<byte[], byte[]>> records) {
        for (ConsumerRecord<byte[], byte[]> record : records) {
            int bytes = LargeValues.bytesBegun(record);
            if (bytes > 0 && isLater(reading)) {
                consumer.seek(reading.partition(), record.offset());
                return true;
            }
            if (bytes >= ChangeBatch.GIANT_BYTES) {
                if (!mayBegin(reading)) {
                    waiting.add(reading);
                    consumer.seek(reading.partition(), record.offset());
                    return true;
                }
                if (batch.hasGiant() || batch.read() > 0 && !giantIsDue) {
                    giantPutOff = true;
                    consumer.seek(reading.partition(), record.offset());
                    return false;
                }
                waiting.remove(reading);
            }
            if (!reading.add(record, decoder, batch)) {
                consumer.seek(reading.partition(), reading.from());
                return false;
            }
        }
        return true;
    }

    /**
     * Whether the reading's giant value is the next one for the lane. Without turns, a table with many giants would block the
     * others.
     */
    private boolean mayBegin(PartitionCursor reading) {
        return !lane.isBusy() && (waiting.isEmpty() || waiting.iterator().next() == reading);
    }

    private boolean isHere(PartitionCursor reading) {
        return !lane.holds(reading.relation().table());
    }

    /** Without the tables that the lane holds: the rest of such a value must wait, and other tables need not wait for it. */
    private boolean isInsideValue(PartitionCursor reading) {
        return reading.isInsideValue() && isHere(reading);
    }

    /** Whether the partition's next large value must wait: the batch is full, or is in the middle of another large value. */
    private boolean isLater(PartitionCursor reading) {
        return batch.bytes() >= BATCH_BYTES
                || readings.values().stream().anyMatch(other -> other != reading && isInsideValue(other));
    }

    /**
     * Chooses what the next poll may bring. Only one large value arrives at a time, however many tables have some: until it is
     * complete, nothing else is read. Nothing is read of a partition that waits at a barrier or for the lane, or whose table the
     * lane holds.
     */
    private void choose() {
        Set<TopicPartition> paused = new HashSet<>(consumer.assignment());
        boolean anyInside = readings.values().stream().anyMatch(this::isInsideValue);
        paused.removeIf(partition -> {
            PartitionCursor reading = readings.get(partition);
            return reading == null
                    || reading.barrier() == null
                            && !reading.isAtEnd()
                            && (!anyInside || reading.isInsideValue())
                            && isHere(reading)
                            && (!waiting.contains(reading) || mayBegin(reading));
        });
        Set<TopicPartition> resumed = new HashSet<>(consumer.paused());
        resumed.removeAll(paused);
        consumer.resume(resumed);
        consumer.pause(paused);
    }
}
