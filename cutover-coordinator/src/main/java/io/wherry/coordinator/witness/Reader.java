package io.wherry.coordinator.witness;

import io.wherry.contract.config.Flow;
import io.wherry.contract.postgres.Lsn;
import java.nio.ByteBuffer;
import java.sql.Connection;
import java.sql.SQLException;
import java.util.concurrent.TimeUnit;
import org.postgresql.replication.LogSequenceNumber;
import org.postgresql.replication.PGReplicationStream;

/**
 * The witness' thread: reads the stream, and between the messages says how far it is.
 *
 * <p>How far: the end of the last COMMIT, or the position of a keep-alive. The server sends a keep-alive behind everything that
 * committed before the keep-alive's position. {@link PGReplicationStream#getLastReceiveLSN} is that position only after a reading
 * that has found nothing: after a message it is the message's own position, of a change or even zero.
 */
final class Reader {
    private static final long TICK_NANOS = TimeUnit.MILLISECONDS.toNanos(50);
    private static final long REPORT_NANOS = TimeUnit.SECONDS.toNanos(1);
    private static final long ASK_NANOS = TimeUnit.MILLISECONDS.toNanos(10);
    private static final long LOOK_NANOS = TimeUnit.SECONDS.toNanos(5);
    private static final long IDLE_MILLIS = 10;
    private static final int MOST_UNSEEN = 4096;

    private final PGReplicationStream stream;
    private final Connection catalog;
    private final Published published;
    private final Changes changes;
    private final Progress progress;
    private final Unseen unseen = new Unseen();
    private final Decoder decoder;
    private long ticked = System.nanoTime();
    private long reported = ticked;
    private long looked = ticked - LOOK_NANOS;

    Reader(
            Flow flow,
            PGReplicationStream stream,
            Connection catalog,
            Published published,
            Changes changes,
            Tally tally,
            Progress progress,
            Lsn start)
            throws SQLException {
        this.stream = stream;
        this.catalog = catalog;
        this.published = published;
        this.changes = changes;
        this.progress = progress;
        Relations relations = new Relations(flow.migration().tables(), catalog);
        decoder = new Decoder(relations, changes, tally, unseen, start);
    }

    /** Reads until the witness is closed or the stream ends. */
    void run() throws SQLException, InterruptedException {
        while (!progress.closed()) {
            ByteBuffer message = stream.readPending();
            if (message != null) {
                decoder.read(message);
                if (System.nanoTime() - ticked > TICK_NANOS || unseen.size() > MOST_UNSEEN) {
                    tick();
                }
            } else if (stream.isClosed()) {
                return;
            } else {
                decoder.reached(stream.getLastReceiveLSN().asLong());
                tick();
                progress.pause(IDLE_MILLIS);
            }
        }
    }

    private void tick() throws SQLException {
        ticked = System.nanoTime();
        long given = decoder.given();
        if (!unseen.isEmpty()) {
            unseen.look(catalog);
        }
        progress.reached(new Lsn(unseen.seen(given)));
        if (ticked - looked > LOOK_NANOS || progress.lookAwaited()) {
            Lsn before = progress.position();
            published.look(changes);
            progress.checked(before);
            looked = System.nanoTime();
        }
        if (ticked - reported > REPORT_NANOS || progress.awaited() && ticked - reported > ASK_NANOS) {
            report(given);
        }
    }

    /** Lets the server remove its WAL, and asks for a keep-alive. */
    private void report(long given) throws SQLException {
        // Not the position: with synchronous_standby_names = '*' a COMMIT waits for this answer, and the position would
        // wait for the COMMIT.
        LogSequenceNumber flushed = LogSequenceNumber.valueOf(given);
        stream.setFlushedLSN(flushed);
        stream.setAppliedLSN(flushed);
        stream.forceUpdateStatus();
        reported = System.nanoTime();
    }
}
