package io.wherry.source.load;

import io.wherry.contract.config.CaptureGroup;
import io.wherry.contract.error.WherryException;
import io.wherry.contract.name.TableId;
import io.wherry.contract.record.LoadPlan;
import io.wherry.contract.service.Failpoints;
import io.wherry.contract.service.Interruption;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Queue;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.ConcurrentLinkedQueue;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.atomic.AtomicReference;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/** Reads all chunks of one load plan, by several readers under one snapshot, into the load topic. */
final class FullLoad {
    private static final Logger LOG = LoggerFactory.getLogger(FullLoad.class);

    private final CaptureGroup group;
    private final LoadSnapshot snapshot;
    private final LoadPlan plan;
    private final Queue<Chunk> queue;
    private final Queue<Chunk> setAside = new ConcurrentLinkedQueue<>();
    private final Map<TableId, UnreadTables.Reason> givenUp = new ConcurrentHashMap<>();
    private final LoadLedger ledger;
    private final Failpoints failpoints;
    private final List<LaneProducer> lanes;
    private final AtomicReference<WherryException> failure = new AtomicReference<>();

    /** @param lanes a lane for each reader */
    FullLoad(
            CaptureGroup group,
            LoadSnapshot snapshot,
            LoadPlan plan,
            List<Chunk> chunks,
            List<LaneProducer> lanes,
            LoadLedger ledger,
            Failpoints failpoints) {
        this.group = group;
        this.snapshot = snapshot;
        this.plan = plan;
        this.lanes = lanes;
        this.ledger = ledger;
        this.failpoints = failpoints;
        this.queue = new ConcurrentLinkedQueue<>(chunks);
    }

    /**
     * Reads until every chunk is in Kafka, with one thread for each lane. Tables that fail, or that are altered meanwhile, stay
     * incomplete for another plan.
     */
    void run() {
        LOG.info(
                "load {}: {} tables, {} chunks, snapshot at {}",
                plan.epoch(),
                plan.tables().size(),
                queue.size(),
                plan.snapshotLsn());
        List<Thread> threads = new ArrayList<>();
        CountDownLatch connected = new CountDownLatch(lanes.size());
        for (int lane = 0; lane < lanes.size(); lane++) {
            ChunkReader reader = new ChunkReader(this, lane, lanes.get(lane), connected);
            threads.add(new Thread(reader, "wherry-source-load-" + lane));
        }
        threads.forEach(Thread::start);
        for (Thread thread : threads) {
            try {
                thread.join();
            } catch (InterruptedException e) {
                throw Interruption.during("load", e);
            }
        }
        if (failure.get() != null) {
            throw failure.get();
        }
    }

    CaptureGroup group() {
        return group;
    }

    LoadPlan plan() {
        return plan;
    }

    LoadSnapshot snapshot() {
        return snapshot;
    }

    BlockBudget budget() {
        return ledger.budget();
    }

    Failpoints failpoints() {
        return failpoints;
    }

    /** The next chunk, or null when none is left or the load has failed. */
    Chunk next() {
        while (!failed()) {
            Chunk chunk = queue.poll();
            if (chunk == null) {
                chunk = retried();
            }
            if (chunk == null) {
                return null;
            }
            TableId table = chunk.table().id();
            if (ledger.failed().contains(table)) {
                setAside.add(chunk);
            } else if (!givenUp.containsKey(table)) {
                return chunk;
            }
        }
        return null;
    }

    private Chunk retried() {
        for (Chunk chunk : setAside) {
            if (!ledger.failed().contains(chunk.table().id()) && setAside.remove(chunk)) {
                return chunk;
            }
        }
        return null;
    }

    /** The chunks of the table cannot be read: the remaining chunks are set aside until the operator orders a retry. */
    void failTable(Chunk chunk, String reason) {
        ledger.failed().add(chunk.table().id(), reason);
        setAside.add(chunk);
    }

    /** Whether to stop: another reader has failed, or the load is being aborted. */
    boolean failed() {
        return failure.get() != null || snapshot.closed();
    }

    /** The chunk is in Kafka. */
    void chunkDone(Chunk chunk, long rows) {
        ledger.counts().rowsRead(chunk.table().id(), rows);
    }

    /** What was read of the table is void, for example because the table was altered since the snapshot. Another round reads it. */
    void giveUp(TableId table, UnreadTables.Reason reason) {
        if (givenUp.putIfAbsent(table, reason) == null) {
            LOG.warn("{}: {}; the next round loads the table", table, reason.text());
        }
    }

    /** Why a table is not complete. */
    UnreadTables.Reason leftOver(TableId table) {
        return givenUp.getOrDefault(table, UnreadTables.Reason.altered("not all of its chunks were read"));
    }

    void fail(WherryException e) {
        failure.compareAndSet(null, e);
    }
}
