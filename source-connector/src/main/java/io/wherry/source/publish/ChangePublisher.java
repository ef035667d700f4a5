package io.wherry.source.publish;

import io.wherry.contract.config.Migration;
import io.wherry.contract.error.RetryableException;
import io.wherry.contract.error.WherryException;
import io.wherry.contract.kafka.KafkaClients;
import io.wherry.contract.kafka.KafkaFailures;
import io.wherry.contract.kafka.SchemaRegistry;
import io.wherry.contract.kafka.TopicTail;
import io.wherry.contract.postgres.Lsn;
import io.wherry.contract.postgres.Timeline;
import io.wherry.contract.record.Break;
import io.wherry.contract.record.Json;
import io.wherry.contract.record.LargeValues;
import io.wherry.contract.record.Position;
import io.wherry.contract.service.Effect;
import io.wherry.contract.service.Failpoints;
import io.wherry.contract.service.Resources;
import io.wherry.source.control.Route;
import io.wherry.source.decode.BarrierSections;
import io.wherry.source.decode.SourceTransactions;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Queue;
import java.util.concurrent.ConcurrentLinkedQueue;
import java.util.concurrent.TimeUnit;
import java.util.stream.Stream;
import org.apache.kafka.clients.consumer.ConsumerRecord;
import org.apache.kafka.clients.producer.KafkaProducer;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.apache.kafka.common.KafkaException;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Puts source transactions into Kafka, whole and once. A Kafka transaction begins and ends on a source commit boundary, may
 * hold several source transactions, and ends with the {@link Position} it covers; source transactions at or below the
 * position found at the start are dropped, because the slot sends again whatever it does not know to be in Kafka.
 *
 * <p>Two threads come here: the decoder's, and the engine's, which wants to move the slot and commits the Kafka transaction for it.
 * Both hold the monitor, and commit between source transactions only. Without that: BEGIN 7, row 1 sent, the engine's
 * commits (position 6), row 2 sent, process killed; the slot sends 7 again, 6 < 7, so row 1 is in the topic twice.
 */
public final class ChangePublisher implements SourceTransactions, AutoCloseable {
    private static final Logger LOG = LoggerFactory.getLogger(ChangePublisher.class);
    private static final byte[] KEY = "position".getBytes(StandardCharsets.UTF_8);
    private static final long OPEN_BYTES = 8 << 20;
    /** For how long a topic may be left alone before the producer forgets where it is. */
    private static final Duration TOPICS_KNOWN = Duration.ofDays(365);

    /** The producer copies all it knows at each answer, which tells of all topics that are being asked about. */
    private static final int LEARNERS = 32;

    private static final Duration CLOSE_WAIT = Duration.ofSeconds(5);

    private final String positionTopic;
    private final Timeline timeline;
    private final Duration transactionTimeout;
    private final Failpoints failpoints;
    private final KafkaProducer<byte[], byte[]> producer;
    private final List<Thread> learners;
    private final Optional<Position> start;
    private final BarrierSections sections = new BarrierSections();
    /** Rows of a source transaction were sent, and its end is yet to come. */
    private boolean inside;

    private boolean wanted;
    private long transactionLsn;
    private long commitMillis;
    private boolean open;
    private volatile boolean closed;
    private long openBytes;
    private long openedNanos;
    private long lastCommitNanos;
    private long committedNanos = System.nanoTime();
    private Position covered;
    private volatile long committedEndLsn;
    private volatile WherryException failure;

    /**
     * Takes over from any earlier publisher of this migration and reads where it ended. The order matters: an earlier one
     * that still runs could move the position after it was read, but for being fenced first.
     *
     * @param topics to which changes will go; others may join later
     * @param timeline of the server that sends the changes
     * @param transactionTimeout longest time one source transaction may take to arrive
     */
    public ChangePublisher(
            Migration migration,
            SchemaRegistry registry,
            List<String> topics,
            Timeline timeline,
            Duration transactionTimeout,
            Failpoints failpoints) {
        this.timeline = timeline;
        this.transactionTimeout = transactionTimeout;
        this.failpoints = failpoints;
        positionTopic = migration.topics().position();
        producer = KafkaClients.producer(
                migration,
                Map.of(
                        "metadata.max.idle.ms",
                        TOPICS_KNOWN.toMillis(),
                        "transactional.id",
                        migration.topics().changesTransactionalId(),
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
        try {
            producer.initTransactions();
            start = lastPosition(migration);
            OpenTransactions.abort(migration, registry, topics, start);
        } catch (KafkaException | WherryException e) {
            producer.close(Duration.ZERO);
            throw KafkaFailures.explain("start publishing changes", e);
        }
        committedEndLsn = start.map(p -> p.endLsn().value()).orElse(0L);
        Queue<String> unknown = new ConcurrentLinkedQueue<>(topics);
        learners = Stream.generate(() -> new Thread(() -> learn(unknown), "wherry-source-topics"))
                .limit(Math.min(LEARNERS, topics.size()))
                .toList();
        learners.forEach(Thread::start);
    }

    /** Each topic costs a round trip when it is first asked about: better now than at the first change, within the cutover. */
    private void learn(Queue<String> unknown) {
        try {
            for (String topic = unknown.poll(); topic != null && !closed; topic = unknown.poll()) {
                var ignored = producer.partitionsFor(topic);
            }
        } catch (KafkaException | IllegalStateException e) {
            // Closed meanwhile, or else the producer asks again when a change comes, and says what hinders it.
            LOG.debug("Topics are not known before their first change", e);
        }
    }

    /** The last position in Kafka, if any. */
    public static Optional<Position> lastPosition(Migration migration) {
        try (TopicTail tail = new TopicTail(migration, migration.topics().position())) {
            ConsumerRecord<byte[], byte[]> last = tail.last();
            return last == null ? Optional.empty() : Optional.of(Json.read(last, Position.class));
        } catch (KafkaException e) {
            throw KafkaFailures.explain("read the position", e);
        }
    }

    @Override
    public synchronized long begin(long commitLsn, long millis) {
        throwFailure();
        commitMillis = millis;
        transactionLsn = commitLsn;
        Lsn lsn = new Lsn(commitLsn);
        wanted = start.isEmpty() || lsn.isAfter(start.get().commitLsn());
        return wanted ? 0 : NONE;
    }

    @Override
    public synchronized void row(long order, Route route, int partition, byte[] key, byte[] value) {
        openTransaction(value);
        sendWhole(sections.row(route, partition, key, value));
    }

    @Override
    public synchronized void barrier(long order, Route route, byte[] key, byte[] value) {
        openTransaction(value);
        sections.barrier(route, new Lsn(transactionLsn), key, value).forEach(this::sendWhole);
    }

    @Override
    public synchronized void breakOff(long order, Route route, byte[] value) {
        openTransaction(value);
        List<ProducerRecord<byte[], byte[]>> records = route.partitions() == 1
                ? List.of(sections.row(route, 0, null, value))
                : sections.barrier(route, new Lsn(transactionLsn), null, value);
        records.forEach(Break::mark);
        records.forEach(this::sendWhole);
    }

    private void sendWhole(ProducerRecord<byte[], byte[]> whole) {
        openBytes += whole.value().length;
        LargeValues.split(whole).forEach(this::send);
    }

    @Override
    public synchronized void commit(long commitLsn, long endLsn) {
        inside = false;
        if (!wanted) {
            advance(endLsn);
            return;
        }
        openTransaction();
        covered = new Position(new Lsn(commitLsn), new Lsn(endLsn), commitMillis, timeline);
        if (openBytes > OPEN_BYTES) {
            commitTransaction();
        } else {
            commitWhenDue();
        }
        // Whoever waits to move the slot may commit now.
        notifyAll();
    }

    @Override
    public synchronized void quiet() {
        if (open && !inside && !closed) {
            commitWhenDue();
        }
    }

    /** A commit costs a round trip to the broker, in which no row is taken: under load at most a fifth of the time. */
    private void commitWhenDue() {
        if (System.nanoTime() - committedNanos > 4 * lastCommitNanos) {
            commitTransaction();
        }
    }

    /**
     * Waits until everything up to {@code endLsn} is committed in Kafka.
     *
     * @return whether it is; false after {@code wait}
     * @throws WherryException what stopped the publisher
     */
    public synchronized boolean awaitCommitted(Lsn endLsn, Duration wait) throws InterruptedException {
        long deadline = System.nanoTime() + wait.toNanos();
        while (endLsn.isAfter(new Lsn(committedEndLsn))) {
            throwFailure();
            if (open && !inside) {
                // The decoder may wait for room in the engine's queue, which is made here.
                commitTransaction();
                continue;
            }
            long left = TimeUnit.NANOSECONDS.toMillis(deadline - System.nanoTime());
            if (left <= 0) {
                return false;
            }
            wait(left);
        }
        return true;
    }

    /** Whether anything came to Kafka. */
    public boolean hasCommitted() {
        return new Lsn(committedEndLsn).isAfter(start.map(Position::endLsn).orElse(Lsn.ZERO));
    }

    /** What stopped the publisher, if anything did. */
    public Optional<WherryException> failure() {
        return Optional.ofNullable(failure);
    }

    /** For a row. */
    private void openTransaction(byte[] value) {
        if (open && !inside && value.length > LargeValues.PART_BYTES) {
            // What other tables changed before it need not wait until it is through.
            commitTransaction();
        }
        openTransaction();
        inside = true;
    }

    private void openTransaction() {
        throwFailure();
        if (!open) {
            try {
                producer.beginTransaction();
            } catch (KafkaException e) {
                throw fail(e);
            }
            open = true;
            openedNanos = System.nanoTime();
            sections.clear();
            openBytes = 0;
        }
    }

    private void send(ProducerRecord<byte[], byte[]> record) {
        try {
            // The answer comes to commitTransaction, which fails when any record did.
            var ignored = producer.send(record);
        } catch (KafkaException e) {
            throw fail(e);
        }
    }

    private void commitTransaction() {
        long began = System.nanoTime();
        send(new ProducerRecord<>(positionTopic, 0, KEY, Json.write(covered)));
        try {
            failpoints.before(Effect.KAFKA_COMMIT);
            producer.commitTransaction();
            failpoints.after(Effect.KAFKA_COMMIT);
        } catch (KafkaException e) {
            throw fail(e);
        }
        open = false;
        committedNanos = System.nanoTime();
        lastCommitNanos = committedNanos - began;
        advance(covered.endLsn().value());
    }

    private void advance(long endLsn) {
        committedEndLsn = Lsn.max(new Lsn(committedEndLsn), new Lsn(endLsn)).value();
        notifyAll();
    }

    private synchronized WherryException fail(RuntimeException e) {
        if (failure == null) {
            Duration taken = Duration.ofNanos(System.nanoTime() - openedNanos);
            failure = open && inside
                    ? KafkaFailures.explainOpen("publish changes", e, taken, transactionTimeout)
                    : KafkaFailures.explain("publish changes", e);
        }
        notifyAll();
        return failure;
    }

    private void throwFailure() {
        if (failure != null) {
            throw failure;
        }
        if (closed) {
            throw new RetryableException("publish changes", "", "stopped", "");
        }
    }

    /** Ends; what is not committed is dropped, and sent again by the slot. */
    @Override
    public void close() {
        synchronized (this) {
            if (!closed && open && failure == null) {
                // Otherwise readers wait for this transaction until it times out or the next publisher starts.
                Resources.closeQuietly(producer::abortTransaction);
            }
            closed = true;
            notifyAll();
        }
        producer.close(CLOSE_WAIT);
        for (Thread learner : learners) {
            Resources.closeQuietly(learner::join);
        }
    }
}
