package io.wherry.source.publish;

import io.wherry.contract.config.Migration;
import io.wherry.contract.kafka.KafkaClients;
import io.wherry.contract.service.Effect;
import io.wherry.contract.service.Failpoints;
import io.wherry.contract.service.Resources;
import java.time.Duration;
import java.util.List;
import java.util.Map;
import java.util.Queue;
import java.util.concurrent.ConcurrentLinkedQueue;
import java.util.stream.Stream;
import org.apache.kafka.clients.producer.KafkaProducer;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.apache.kafka.common.KafkaException;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * The Kafka producer of changes and positions, under the capture group's transactional id. Not safe for use by several threads,
 * but for {@link #close}.
 */
final class ChangeProducer implements AutoCloseable {
    private static final Logger LOG = LoggerFactory.getLogger(ChangeProducer.class);
    /** For how long a topic may be left alone before the producer forgets its partitions. */
    private static final Duration TOPICS_KNOWN = Duration.ofDays(365);

    /** The producer copies all that it knows at each answer, and one answer names all topics that are being asked about. */
    private static final int LEARNERS = 32;

    private static final long LARGE_BYTES = 8 << 20;
    /** A Kafka transaction of this size is committed even within a source transaction. */
    private static final long PART_BYTES = 64 << 20;
    /** A Kafka transaction that is open for this share of the broker's limit is committed even within a source transaction. */
    private static final int PART_SHARE = 8;

    private static final Duration CLOSE_WAIT = Duration.ofSeconds(5);

    private final KafkaProducer<byte[], byte[]> producer;
    private final Failpoints failpoints;
    private final long partNanos;
    private volatile List<Thread> learners = List.of();
    private volatile boolean closed;
    private boolean open;
    private long openBytes;
    private long openedNanos;
    private long committedNanos = System.nanoTime();
    private long lastCommitNanos;

    /** @param transactionTimeout longest Kafka transaction that the broker allows */
    ChangeProducer(Migration migration, String transactionalId, Duration transactionTimeout, Failpoints failpoints) {
        this.failpoints = failpoints;
        partNanos = transactionTimeout.toNanos() / PART_SHARE;
        producer = KafkaClients.producer(
                migration,
                Map.of(
                        "metadata.max.idle.ms",
                        TOPICS_KNOWN.toMillis(),
                        "transactional.id",
                        transactionalId,
                        "transaction.timeout.ms",
                        (int) transactionTimeout.toMillis(),
                        "compression.type",
                        "lz4",
                        "linger.ms",
                        5,
                        "batch.size",
                        256 * 1024,
                        "buffer.memory",
                        32L << 20,
                        "client.id",
                        "wherry-" + migration.name() + "-changes"));
    }

    /** Fences every earlier producer of the group. */
    void fenceEarlier() {
        producer.initTransactions();
    }

    /** Asks for the partitions of topics now: at the first change, within the cutover, each topic would cost a round trip. */
    void learn(List<String> topics) {
        Queue<String> unknown = new ConcurrentLinkedQueue<>(topics);
        learners = Stream.generate(() -> new Thread(() -> learn(unknown), "wherry-source-topics"))
                .limit(Math.min(LEARNERS, topics.size()))
                .toList();
        learners.forEach(Thread::start);
    }

    private void learn(Queue<String> unknown) {
        try {
            for (String topic = unknown.poll(); topic != null && !closed; topic = unknown.poll()) {
                var ignored = producer.partitionsFor(topic);
            }
        } catch (KafkaException | IllegalStateException e) {
            // The producer is closed; or else it asks again when a change comes, and reports the problem then.
            LOG.debug("Topics are not known before their first change", e);
        }
    }

    /** Begins a Kafka transaction, unless one is open. */
    boolean begin() {
        if (open) {
            return false;
        }
        producer.beginTransaction();
        open = true;
        openedNanos = System.nanoTime();
        openBytes = 0;
        return true;
    }

    boolean isOpen() {
        return open;
    }

    /**
     * Whether the open transaction may be committed between two source transactions. A commit costs a round trip to the broker, in
     * which no row is taken: under load at most a fifth of the time.
     */
    boolean isDue() {
        return openBytes > LARGE_BYTES || System.nanoTime() - committedNanos > 4 * lastCommitNanos;
    }

    /** Whether the open transaction must be committed, also within a source transaction. */
    boolean isOverdue() {
        return openBytes > PART_BYTES || System.nanoTime() - openedNanos > partNanos;
    }

    /** The broker's answer comes to {@link #commit}, which fails when any record did. */
    void send(ProducerRecord<byte[], byte[]> record) {
        openBytes += record.value().length;
        var ignored = producer.send(record);
    }

    void commit() {
        long began = System.nanoTime();
        failpoints.before(Effect.KAFKA_COMMIT);
        producer.commitTransaction();
        failpoints.after(Effect.KAFKA_COMMIT);
        open = false;
        committedNanos = System.nanoTime();
        lastCommitNanos = committedNanos - began;
    }

    /** Without this, readers wait for the transaction until it times out or the next producer begins. */
    void abort() {
        Resources.closeQuietly(producer::abortTransaction);
    }

    @Override
    public void close() {
        closed = true;
        producer.close(CLOSE_WAIT);
        for (Thread learner : learners) {
            Resources.closeQuietly(learner::join);
        }
    }
}
