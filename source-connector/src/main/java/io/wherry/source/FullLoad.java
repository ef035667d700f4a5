package io.wherry.source;

import io.wherry.contract.Effect;
import io.wherry.contract.Failpoints;
import io.wherry.contract.KafkaClients;
import io.wherry.contract.LoadPlan;
import io.wherry.contract.Migration;
import io.wherry.contract.TableId;
import io.wherry.contract.WherryException;
import io.wherry.source.ControlTopic.TableLoaded;
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
    private final Set<TableId> givenUp = ConcurrentHashMap.newKeySet();
    private final CaptureCounts counts;
    private final BlockBudget budget;
    private final Failpoints failpoints;
    private final KafkaProducer<byte[], byte[]> producer;
    private final AtomicReference<WherryException> failure = new AtomicReference<>();

    FullLoad(
            Migration migration,
            ControlTopic control,
            LoadSnapshot snapshot,
            LoadPlan plan,
            List<Chunk> chunks,
            CaptureCounts counts,
            BlockBudget budget,
            Failpoints failpoints) {
        this.migration = migration;
        this.control = control;
        this.snapshot = snapshot;
        this.plan = plan;
        this.counts = counts;
        this.budget = budget;
        this.failpoints = failpoints;
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

    /**
     * Reads until every chunk is acknowledged by Kafka, on {@code lanes} threads. Tables that were altered meanwhile are
     * left incomplete, for another plan.
     */
    void run(int lanes) {
        LOG.info(
                "load {}: {} tables, {} chunks, snapshot at {}",
                plan.epoch(),
                plan.tables().size(),
                queue.size(),
                plan.snapshotLsn());
        List<Thread> threads = new ArrayList<>();
        CountDownLatch connected = new CountDownLatch(lanes);
        for (int lane = 0; lane < lanes; lane++) {
            threads.add(new Thread(new ChunkReader(this, lane, connected), "wherry-source-load-" + lane));
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
    }

    Migration migration() {
        return migration;
    }

    LoadPlan plan() {
        return plan;
    }

    LoadSnapshot snapshot() {
        return snapshot;
    }

    KafkaProducer<byte[], byte[]> producer() {
        return producer;
    }

    BlockBudget budget() {
        return budget;
    }

    Failpoints failpoints() {
        return failpoints;
    }

    /** The next chunk, or null when none is left or the load has failed. */
    Chunk next() {
        while (!failed()) {
            Chunk chunk = queue.poll();
            if (chunk == null || !givenUp.contains(chunk.table().id())) {
                return chunk;
            }
        }
        return null;
    }

    /** Whether to stop: another reader has failed, or the load is being broken off. */
    boolean failed() {
        return failure.get() != null || snapshot.closed();
    }

    /** Every record of the chunk is acknowledged. May be told twice, when noting the table's end failed the first time. */
    void chunkDone(Chunk chunk, long rows) {
        TableId table = chunk.table().id();
        Set<Integer> left = chunksLeft.get(table);
        if (left.remove(chunk.number())) {
            counts.rowsRead(table, rows);
        }
        if (left.isEmpty()) {
            failpoints.before(Effect.TABLE_LOADED);
            control.tableLoaded(new TableLoaded(table, plan.epoch(), snapshot.file(chunk.table())));
            failpoints.after(Effect.TABLE_LOADED);
        }
    }

    /** The table was altered since the snapshot: what was read of it is void. */
    void giveUp(TableId table, String reason) {
        if (givenUp.add(table)) {
            LOG.warn("{}: {}; it will be loaded anew", table, reason);
        }
    }

    void fail(WherryException e) {
        failure.compareAndSet(null, e);
    }

    @Override
    public void close() {
        producer.close(CLOSE_WAIT);
    }
}
