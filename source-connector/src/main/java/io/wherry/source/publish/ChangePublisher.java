package io.wherry.source.publish;

import io.wherry.contract.config.CaptureGroup;
import io.wherry.contract.error.RetryableException;
import io.wherry.contract.error.WherryException;
import io.wherry.contract.kafka.KafkaFailures;
import io.wherry.contract.kafka.Positions;
import io.wherry.contract.kafka.SchemaRegistry;
import io.wherry.contract.postgres.Lsn;
import io.wherry.contract.postgres.Timeline;
import io.wherry.contract.record.Barrier.Section;
import io.wherry.contract.record.Json;
import io.wherry.contract.record.LargeValues;
import io.wherry.contract.record.Position;
import io.wherry.contract.service.Failpoints;
import io.wherry.source.control.Route;
import io.wherry.source.decode.BarrierSections;
import io.wherry.source.decode.RowMark;
import io.wherry.source.decode.RowPlace;
import io.wherry.source.decode.SourceTransactions;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.List;
import java.util.Optional;
import java.util.concurrent.TimeUnit;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.apache.kafka.common.KafkaException;

/**
 * Puts source transactions into Kafka, whole and once. A Kafka transaction holds several short source transactions, or a part of a
 * long one, and ends with the {@link Position} that it covers. Rows that the position found at the start covers are dropped,
 * because the slot sends again whatever it does not know to be in Kafka.
 *
 * <p>A long source transaction needs several Kafka transactions, as the broker bounds how long one may stay open. The cut is
 * between two messages of the stream, and the position names the place by the row's LSN in the write-ahead log, so the rest is
 * found again when the slot sends the transaction again. The number of a row would not do: which tables are published may differ
 * between the two times.
 *
 * <p>Two threads come here: the decoder's, and the engine's, which wants to move the slot and commits the Kafka transaction for
 * that. Both hold the monitor, and the engine's commits between source transactions only. Without that: BEGIN 7, row 1 sent, the
 * engine's commits (position 6), row 2 sent, process killed; the slot sends 7 again, 6 < 7, so row 1 is in the topic twice.
 */
public final class ChangePublisher implements SourceTransactions, AutoCloseable {
    private static final byte[] KEY = "position".getBytes(StandardCharsets.UTF_8);

    private final CaptureGroup group;
    private final Timeline timeline;
    private final ChangeProducer producer;
    private final Optional<Position> start;
    private final BarrierSections sections = new BarrierSections();
    /** Rows of a source transaction were sent, and its end is yet to come. */
    private boolean inside;

    private boolean wanted;
    private long transactionLsn;
    private long commitMillis;
    private boolean closed;
    /** The last whole source transaction that was sent or found. */
    private Position covered;
    /** Of the row last sent. */
    private RowPlace last;
    /** The row that the last commit within this source transaction ended with; null = there was none. */
    private RowPlace cut;

    private volatile long committedEndLsn;
    private volatile WherryException failure;

    /**
     * Takes over from any earlier publisher of this group and reads where that one ended. The order matters: an earlier
     * publisher that still runs could move the position after it was read, if it were not fenced first.
     *
     * @param topics to which changes will go; others may join later
     * @param timeline of the server that sends the changes
     * @param transactionTimeout longest Kafka transaction that the broker allows
     */
    public ChangePublisher(
            CaptureGroup group,
            SchemaRegistry registry,
            List<String> topics,
            Timeline timeline,
            Duration transactionTimeout,
            Failpoints failpoints) {
        this.group = group;
        this.timeline = timeline;
        producer = new ChangeProducer(group.migration(), group.transactionalId(), transactionTimeout, failpoints);
        try {
            producer.fenceEarlier();
            start = Positions.last(group);
            OpenTransactions.abort(group.migration(), registry, topics, start);
        } catch (KafkaException | WherryException e) {
            producer.close();
            throw KafkaFailures.explain("start publishing changes", e);
        }
        covered = start.orElseGet(() -> whole(Lsn.ZERO, Lsn.ZERO));
        committedEndLsn = covered.endLsn().value();
        producer.learn(topics);
    }

    @Override
    public synchronized Start begin(long commitLsn, long millis) {
        throwFailure();
        commitMillis = millis;
        transactionLsn = commitLsn;
        last = null;
        Start rows =
                start.map(position -> Start.after(position, new Lsn(commitLsn))).orElse(Start.WHOLE);
        wanted = rows.wanted();
        cut = rows.after().orElse(null);
        return rows;
    }

    @Override
    public synchronized void row(RowPlace place, Route route, int partition, byte[] key, byte[] value, RowMark mark) {
        openTransaction(place, value);
        send(List.of(sections.row(route, partition, key, value)), mark);
    }

    @Override
    public synchronized void barrier(RowPlace place, Route route, byte[] key, byte[] value, RowMark mark) {
        openTransaction(place, value);
        send(sections.barrier(route, new Section(new Lsn(transactionLsn), place.order()), key, value), mark);
    }

    private void send(List<ProducerRecord<byte[], byte[]>> records, RowMark mark) {
        records.forEach(mark::put);
        records.forEach(this::sendWhole);
    }

    private void sendWhole(ProducerRecord<byte[], byte[]> whole) {
        try {
            LargeValues.split(whole).forEach(producer::send);
        } catch (KafkaException e) {
            throw fail(e);
        }
    }

    @Override
    public synchronized void commit(long commitLsn, long endLsn) {
        inside = false;
        if (!wanted) {
            advance(endLsn);
            return;
        }
        openTransaction();
        covered = whole(new Lsn(commitLsn), new Lsn(endLsn));
        if (producer.isDue()) {
            commitTransaction(covered);
        }
        notifyAll();
    }

    @Override
    public synchronized void quiet() {
        if (!producer.isOpen() || closed) {
            return;
        }
        if (!inside && producer.isDue()) {
            commitTransaction(covered);
        } else if (inside && producer.isOverdue()) {
            // The source decodes rows of other tables. The broker would end a Kafka transaction that stays open for
            // long.
            commitPart();
        }
    }

    /** Commits what has come of the source transaction so far. */
    private void commitPart() {
        cut = last;
        commitTransaction(covered.within(
                timeline, new Position.Part(new Lsn(transactionLsn), new Lsn(cut.lsn()), cut.message(), cut.order())));
    }

    private Position whole(Lsn commitLsn, Lsn endLsn) {
        return new Position(group.flow().generation(), commitLsn, endLsn, commitMillis, timeline, null);
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
            if (producer.isOpen() && !inside) {
                // The decoder may wait for room in the engine's queue; this commit makes room.
                commitTransaction(covered);
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

    /** Whether a whole source transaction came to Kafka since the start. */
    public boolean hasCommitted() {
        return new Lsn(committedEndLsn).isAfter(start.map(Position::endLsn).orElse(Lsn.ZERO));
    }

    /** What stopped the publisher, if anything did. */
    public Optional<WherryException> failure() {
        return Optional.ofNullable(failure);
    }

    /** For a row. */
    private void openTransaction(RowPlace place, byte[] value) {
        boolean sameMessage = last != null && last.isOfSameMessage(place);
        if (producer.isOpen() && inside && !sameMessage && producer.isOverdue()) {
            commitPart();
        } else if (producer.isOpen() && !inside && value.length > LargeValues.PART_BYTES) {
            // Earlier changes of other tables need not wait until the large value is sent.
            commitTransaction(covered);
        }
        if (cut != null && !place.isAfter(cut)) {
            // After a restart, the rest of the transaction would be sought after the cut, and this row would be lost.
            throw failed(place.behind(cut, new Lsn(transactionLsn)));
        }
        last = place;
        openTransaction();
        inside = true;
    }

    private void openTransaction() {
        throwFailure();
        try {
            if (producer.begin()) {
                sections.clear();
            }
        } catch (KafkaException e) {
            throw fail(e);
        }
    }

    private void commitTransaction(Position reached) {
        throwFailure();
        String topic = group.migration().topics().position();
        try {
            producer.send(new ProducerRecord<>(topic, group.number(), KEY, Json.write(reached)));
            producer.commit();
        } catch (KafkaException e) {
            throw fail(e);
        }
        advance(reached.endLsn().value());
    }

    private void advance(long endLsn) {
        committedEndLsn = Lsn.max(new Lsn(committedEndLsn), new Lsn(endLsn)).value();
        notifyAll();
    }

    private WherryException fail(KafkaException e) {
        return failed(KafkaFailures.explain("publish changes", e));
    }

    private synchronized WherryException failed(WherryException e) {
        if (failure == null) {
            failure = e;
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
            if (!closed && producer.isOpen() && failure == null) {
                producer.abort();
            }
            closed = true;
            notifyAll();
        }
        producer.close();
    }
}
