package io.wherry.source.load;

import io.wherry.contract.error.FencedException;
import io.wherry.contract.error.RetryableException;
import io.wherry.contract.error.WherryException;
import io.wherry.contract.kafka.KafkaFailures;
import io.wherry.contract.postgres.Sessions;
import io.wherry.contract.record.LoadRecords.Block;
import io.wherry.contract.record.LoadRecords.ChunkHeader;
import io.wherry.contract.record.LoadRecords.ChunkTrailer;
import io.wherry.contract.service.Backoff;
import io.wherry.contract.service.Effect;
import io.wherry.contract.service.Interruption;
import java.io.IOException;
import java.sql.Connection;
import java.sql.SQLException;
import java.util.Arrays;
import java.util.Optional;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.atomic.AtomicReference;
import java.util.zip.CRC32C;
import org.apache.kafka.clients.producer.Callback;
import org.apache.kafka.common.KafkaException;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/** One reader of a load: takes chunk after chunk, and writes each to the reader's partition of the load topic, its lane. */
final class ChunkReader implements Runnable {
    /** Size of a block in bytes: well below the broker's default limit of 1 MiB for a record. */
    static final int BLOCK_BYTES = 512 * 1024;

    private static final Logger LOG = LoggerFactory.getLogger(ChunkReader.class);
    private static final String INSUFFICIENT_PRIVILEGE = "42501";

    private final FullLoad load;
    private final int lane;
    private final LaneProducer producer;
    private final CountDownLatch connected;
    private final byte[] block = new byte[BLOCK_BYTES];
    private Connection session;

    /** @param connected no reader starts before all have a session, so a load with too few connections fails at once */
    ChunkReader(FullLoad load, int lane, LaneProducer producer, CountDownLatch connected) {
        this.load = load;
        this.lane = lane;
        this.producer = producer;
        this.connected = connected;
    }

    @Override
    public void run() {
        try {
            try {
                session = load.snapshot().open(purpose());
            } finally {
                connected.countDown();
            }
            connected.await();
            for (Chunk chunk = load.next(); chunk != null; chunk = load.next()) {
                readWithRetries(chunk);
            }
        } catch (SQLException e) {
            load.fail(new RetryableException(
                    "read", "the snapshot of the load", e.getMessage(), "Check that the source is reachable", e));
        } catch (InterruptedException e) {
            load.fail(Interruption.during("load", e));
        } catch (WherryException e) {
            load.fail(e);
        } catch (RuntimeException e) {
            load.fail(KafkaFailures.explain("load", e));
        } finally {
            load.snapshot().release(session);
        }
    }

    /** A chunk that failed is sent again from its header on. Readers of the topic drop a chunk without a trailer. */
    private void readWithRetries(Chunk chunk) throws SQLException, InterruptedException {
        Backoff backoff = new Backoff(load::failed);
        for (int failures = 0; ; ) {
            long began = System.nanoTime();
            enterSnapshot();
            try {
                read(chunk);
                return;
            } catch (SQLException | IOException e) {
                producer.abandon();
                if (statementIsWrong(e)) {
                    load.giveUp(chunk.table().id(), reason(chunk, e));
                    reopen();
                    return;
                }
                failures++;
                boolean last = failures > load.group().migration().load().retries();
                if (load.failed() || last && sourceIsAway(e)) {
                    throw new RetryableException(
                            "read",
                            chunk.table().id().toString(),
                            e.getMessage(),
                            "Check that the source is reachable",
                            e);
                }
                if (last) {
                    load.failTable(
                            chunk,
                            "chunk " + chunk.number() + ": "
                                    + UnreadTables.refused(
                                            load.group(), chunk.table().id(), e));
                    reopen();
                    return;
                }
                LOG.warn("{} chunk {}: {}; reading it again", chunk.table().id(), chunk.number(), e.getMessage());
            } catch (RetryableException | FencedException e) {
                // Fenced: the broker aborted a transaction while it was not reachable, or another instance acts.
                // In the second case the lock is lost, which is noticed before a lane is opened again.
                producer.abandon();
                if (load.failed()) {
                    throw e;
                }
                // Retried without a limit: otherwise everything must be loaded again under another snapshot.
                LOG.warn("{} chunk {}: {}", chunk.table().id(), chunk.number(), e.explained());
            }
            backoff.pause(began);
            reopen();
        }
    }

    /** The connection is broken, or the server is shutting down: the table is not the cause. */
    private static boolean sourceIsAway(Exception e) {
        String state = e instanceof SQLException sql ? Sessions.state(sql) : "08";
        return state.startsWith("08") || state.startsWith("57P");
    }

    private void enterSnapshot() throws SQLException {
        try {
            load.snapshot().enter(session);
        } catch (SQLException e) {
            LOG.info("lane {}: the session is lost, opening another one: {}", lane, e.getMessage());
            reopen();
            load.snapshot().enter(session);
        }
    }

    // The old session may be in the middle of its COPY.
    private void reopen() throws SQLException {
        load.snapshot().release(session);
        session = load.snapshot().open(purpose());
    }

    private String purpose() {
        return "load " + lane;
    }

    /**
     * Why the statement failed. The same SQLSTATEs come from a function that the statement calls, if the search_path of the function
     * does not contain what it names: then the table was not altered.
     */
    private UnreadTables.Reason reason(Chunk chunk, Exception e) {
        try {
            Optional<String> altered = load.snapshot().altered(chunk, chunk.numbers());
            if (altered.isPresent()) {
                return UnreadTables.Reason.altered(altered.get());
            }
        } catch (SQLException away) {
            LOG.info(
                    "{}: cannot check whether the table was altered: {}",
                    chunk.table().id(),
                    away.getMessage());
        }
        return new UnreadTables.Reason(
                UnreadTables.refused(load.group(), chunk.table().id(), e), false);
    }

    /** Table or column are not found: SQLSTATE class 42. The statement was correct when it was planned. */
    private static boolean statementIsWrong(Exception e) {
        return e instanceof SQLException sql
                && sql.getSQLState() != null
                && sql.getSQLState().startsWith("42")
                && !INSUFFICIENT_PRIVILEGE.equals(sql.getSQLState());
    }

    private void read(Chunk chunk) throws SQLException, IOException, InterruptedException {
        AtomicReference<Exception> failure = new AtomicReference<>();
        Callback noteFailure = (metadata, e) -> failure.compareAndSet(null, e);
        ChunkHeader header = new ChunkHeader(
                chunk.table().id(),
                load.plan().epoch(),
                chunk.number(),
                load.plan().snapshotLsn(),
                chunk.binary(),
                chunk.columns(),
                chunk.types(),
                chunk.replaces());
        CRC32C digest = new CRC32C();
        long bytes = 0;
        try {
            producer.send(header, noteFailure);
            CopyStream copy = new CopyStream(session, chunk.copy());
            for (int size = copy.read(block); size > 0; size = copy.read(block)) {
                digest.update(block, 0, size);
                bytes += size;
                sendBlock(size, noteFailure);
                if (failure.get() != null) {
                    throw KafkaFailures.explain("send load", failure.get());
                }
            }
            Optional<String> altered = load.snapshot().altered(chunk, chunk.numbers());
            if (altered.isPresent()) {
                producer.abandon();
                load.giveUp(chunk.table().id(), UnreadTables.Reason.altered(altered.get()));
                load.snapshot().leave(session);
                return;
            }
            load.snapshot().leave(session);
            load.failpoints().before(Effect.CHUNK);
            producer.finish(new ChunkTrailer(
                    header.table(), header.epoch(), header.chunk(), copy.rows(), bytes, (int) digest.getValue()));
            load.failpoints().after(Effect.CHUNK);
            load.chunkDone(chunk, copy.rows());
        } catch (KafkaException e) {
            throw KafkaFailures.explain("send load", e);
        }
    }

    private void sendBlock(int size, Callback noteFailure) throws InterruptedException {
        load.budget().take(size);
        boolean handedOver = false;
        try {
            // The producer copies the bytes before it returns, so the block can be used again.
            producer.send(new Block(size == block.length ? block : Arrays.copyOf(block, size)), (metadata, e) -> {
                load.budget().giveBack(size);
                noteFailure.onCompletion(metadata, e);
            });
            handedOver = true;
        } finally {
            if (!handedOver) {
                load.budget().giveBack(size);
            }
        }
    }
}
