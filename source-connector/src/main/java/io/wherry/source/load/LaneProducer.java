package io.wherry.source.load;

import io.wherry.contract.config.Migration;
import io.wherry.contract.kafka.KafkaClients;
import io.wherry.contract.record.Json;
import io.wherry.contract.record.LoadRecords;
import io.wherry.contract.record.LoadRecords.ChunkTrailer;
import io.wherry.contract.record.LoadRecords.LoadRecord;
import io.wherry.contract.service.Resources;
import io.wherry.source.control.ControlTopic;
import io.wherry.source.control.ControlTopic.ChunkLoaded;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.Map;
import java.util.concurrent.TimeUnit;
import org.apache.kafka.clients.producer.Callback;
import org.apache.kafka.clients.producer.KafkaProducer;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.apache.kafka.common.KafkaException;

/**
 * Writes one lane to Kafka. The trailer of a chunk, and the note in the control topic that the chunk is in Kafka, are one Kafka
 * transaction, so no reader sees one without the other. A long chunk starts with transactions that hold only blocks of the chunk.
 *
 * <p>Opening the producer fences an earlier source-connector on the same lane. Counterexample without the fence: a paused process
 * continues after another one has read the control topic and planned the missing chunks. Its chunk then comes to the target beside the
 * same chunk of the other process. The caller must read the control topic next, which says whether capturing is still allowed.
 * Not safe for use by several threads.
 */
final class LaneProducer implements AutoCloseable {
    /** Readers see a transaction only after its end, and a chunk must be written to the target while it is being read. */
    private static final long OPEN_NANOS = TimeUnit.SECONDS.toNanos(5);

    private static final Duration LONGEST_TRANSACTION = Duration.ofMinutes(15);

    private static final long BUFFER_BYTES = 32L << 20;
    private static final Duration CLOSE_WAIT = Duration.ofSeconds(2);

    private final Migration migration;
    private final int lane;
    private final Duration transactionTimeout;
    private final Runnable requireLock;
    private KafkaProducer<byte[], byte[]> producer;
    private boolean open;
    private long openedNanos;

    /**
     * @param transactionTimeout of the broker; at most {@link #LONGEST_TRANSACTION} is used
     * @param requireLock fails when another source-connector acts, which must not be fenced
     * @throws KafkaException when the broker does not answer
     */
    LaneProducer(Migration migration, int lane, Duration transactionTimeout, Runnable requireLock) {
        this.migration = migration;
        this.lane = lane;
        this.transactionTimeout =
                transactionTimeout.compareTo(LONGEST_TRANSACTION) < 0 ? transactionTimeout : LONGEST_TRANSACTION;
        this.requireLock = requireLock;
        connect();
    }

    private void connect() {
        requireLock.run();
        try {
            open();
        } catch (KafkaException e) {
            // A producer that is not initialized cannot be used; the next attempt opens another one.
            close();
            throw e;
        }
    }

    private void open() {
        String id = migration.topics().loadTransactionalId(lane);
        producer = KafkaClients.producer(
                migration,
                Map.of(
                        "transactional.id",
                        id,
                        "transaction.timeout.ms",
                        (int) transactionTimeout.toMillis(),
                        "compression.type",
                        "lz4",
                        "linger.ms",
                        5,
                        "batch.size",
                        ChunkReader.BLOCK_BYTES + 64 * 1024,
                        "max.request.size",
                        2 * ChunkReader.BLOCK_BYTES,
                        "buffer.memory",
                        Math.max(BUFFER_BYTES / migration.load().readers(), 8L * ChunkReader.BLOCK_BYTES),
                        "client.id",
                        id));
        producer.initTransactions();
    }

    /** Sends header or block. @param done is called when the broker has acknowledged the record */
    void send(LoadRecord record, Callback done) {
        if (producer == null) {
            connect();
            ControlTopic.read(migration).requireNoSwitch();
        }
        if (open && System.nanoTime() - openedNanos > OPEN_NANOS) {
            commit();
        }
        begin();
        var ignored = producer.send(LoadRecords.record(migration.topics().load(), lane, record), done);
    }

    /** Ends the chunk: after the return the chunk is in Kafka. */
    void finish(ChunkTrailer trailer) {
        begin();
        var ignored = producer.send(LoadRecords.record(migration.topics().load(), lane, trailer));
        byte[] key = ControlTopic.CHUNK_LOADED.getBytes(StandardCharsets.UTF_8);
        byte[] note = Json.write(new ChunkLoaded(trailer.table(), trailer.epoch(), trailer.chunk()));
        var unused = producer.send(new ProducerRecord<>(migration.topics().control(), 0, key, note));
        commit();
    }

    private void begin() {
        if (!open) {
            producer.beginTransaction();
            open = true;
            openedNanos = System.nanoTime();
        }
    }

    private void commit() {
        producer.commitTransaction();
        open = false;
    }

    /** Drops what is not committed; the chunk must be sent again from its header on. */
    void abandon() {
        if (!open) {
            return;
        }
        open = false;
        try {
            producer.abortTransaction();
        } catch (KafkaException | IllegalStateException e) {
            // The producer has failed permanently, or does not know how its last transaction ended. The next call opens
            // another one. If that transaction was committed, the chunk comes twice, and readers skip the second chunk.
            Resources.log("aborting a transaction of lane " + lane, e);
            close();
        }
    }

    @Override
    public void close() {
        if (producer != null) {
            producer.close(CLOSE_WAIT);
            producer = null;
        }
    }
}
