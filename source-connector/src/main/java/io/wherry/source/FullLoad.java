package io.wherry.source;

import io.wherry.contract.KafkaClients;
import io.wherry.contract.LoadPlan;
import io.wherry.contract.Migration;
import io.wherry.contract.RetryableException;
import io.wherry.contract.TableId;
import io.wherry.contract.WherryException;
import io.wherry.source.ControlTopic.Loaded;
import io.wherry.source.ControlTopic.TableLoaded;
import java.sql.Connection;
import java.sql.SQLException;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Queue;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.ConcurrentLinkedQueue;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.atomic.AtomicReference;
import org.apache.kafka.clients.producer.KafkaProducer;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/** Reads all chunks of one load plan, by several readers under one snapshot, into the load topic. */
final class FullLoad implements AutoCloseable {
    private static final Logger LOG = LoggerFactory.getLogger(FullLoad.class);
    private static final Duration CLOSE_WAIT = Duration.ofSeconds(2);

    private final Migration migration;
    private final ControlTopic control;
    private final LoadSnapshot snapshot;
    private final LoadPlan plan;
    private final Queue<Chunk> queue;
    private final Map<TableId, Set<Integer>> chunksLeft = new ConcurrentHashMap<>();
    private final CaptureCounts counts;
    private final BlockBudget budget;
    private final KafkaProducer<byte[], byte[]> producer;
    private final Set<Connection> sessions = ConcurrentHashMap.newKeySet();
    private final AtomicReference<WherryException> failure = new AtomicReference<>();
    private volatile boolean closing;

    /** Takes over the snapshot: closed with the load. */
    FullLoad(
            Migration migration,
            ControlTopic control,
            LoadSnapshot snapshot,
            LoadPlan plan,
            List<Chunk> chunks,
            CaptureCounts counts,
            BlockBudget budget) {
        this.migration = migration;
        this.control = control;
        this.snapshot = snapshot;
        this.plan = plan;
        this.counts = counts;
        this.budget = budget;
        this.queue = new ConcurrentLinkedQueue<>(chunks);
        for (Chunk chunk : chunks) {
            chunksLeft
                    .computeIfAbsent(chunk.table().id(), id -> ConcurrentHashMap.newKeySet())
                    .add(chunk.number());
        }
        producer = KafkaClients.producer(
                migration,
                Map.of(
                        "compression.type",
                        "lz4",
                        "linger.ms",
                        5,
                        "batch.size",
                        ChunkReader.BLOCK_BYTES + 64 * 1024,
                        "max.request.size",
                        2 * ChunkReader.BLOCK_BYTES,
                        "buffer.memory",
                        32L << 20,
                        "client.id",
                        "wherry-" + migration.name() + "-load"));
    }

    /** Reads until every chunk is acknowledged by Kafka, on {@code lanes} threads. */
    void run(int lanes) {
        LOG.info(
                "load {}: {} tables, {} chunks, snapshot at {}",
                plan.epoch(),
                plan.tables().size(),
                queue.size(),
                plan.snapshotLsn());
        List<Thread> threads = new ArrayList<>();
        CountDownLatch imported = new CountDownLatch(lanes);
        for (int lane = 0; lane < lanes; lane++) {
            ChunkReader reader = new ChunkReader(this, lane, imported);
            threads.add(new Thread(reader, "wherry-source-load-" + lane));
        }
        threads.forEach(Thread::start);
        for (Thread thread : threads) {
            try {
                thread.join();
            } catch (InterruptedException e) {
                throw Stopped.interrupted("load", e);
            }
        }
        if (failure.get() != null) {
            throw failure.get();
        }
        if (closing) {
            throw new RetryableException("load", "", "stopped", "");
        }
        control.loaded(new Loaded(plan.epoch()));
        LOG.info("load {}: complete in Kafka", plan.epoch());
    }

    Migration migration() {
        return migration;
    }

    LoadPlan plan() {
        return plan;
    }

    KafkaProducer<byte[], byte[]> producer() {
        return producer;
    }

    BlockBudget budget() {
        return budget;
    }

    /** The next chunk, or null when none is left or the load has failed. */
    Chunk next() {
        return failure.get() == null && !closing ? queue.poll() : null;
    }

    boolean closing() {
        return closing || failure.get() != null;
    }

    /** A session under the load's snapshot, aborted when the load is closed. */
    Connection session(int lane) throws SQLException {
        Connection session = snapshot.open("load " + lane);
        sessions.add(session);
        if (closing) {
            session.abort(Runnable::run);
        }
        return session;
    }

    void release(Connection session) {
        if (session != null) {
            sessions.remove(session);
            Quietly.close(session);
        }
    }

    /** Every record of the chunk is acknowledged. May be told twice, when noting the table's end failed the first time. */
    void chunkDone(Chunk chunk, long rows) {
        TableId table = chunk.table().id();
        Set<Integer> left = chunksLeft.get(table);
        if (left.remove(chunk.number())) {
            counts.rowsRead(table, rows);
        }
        if (left.isEmpty()) {
            control.tableLoaded(new TableLoaded(table, plan.epoch()));
        }
    }

    void fail(WherryException e) {
        failure.compareAndSet(null, e);
    }

    /** Aborts the readers' sessions, so that they end at once. */
    @Override
    public void close() {
        closing = true;
        for (Connection session : sessions) {
            Quietly.close(() -> session.abort(Runnable::run));
        }
        snapshot.close();
        producer.close(CLOSE_WAIT);
    }
}
