package io.wherry.source.debezium;

import io.debezium.connector.postgresql.connection.Lsn;
import io.debezium.connector.postgresql.connection.ReplicationStream;
import io.wherry.contract.service.Resources;
import io.wherry.source.decode.RowDecoder;
import java.sql.SQLException;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.atomic.AtomicLong;

/**
 * Debezium's stream, with pauses that Wherry chooses. Debezium reads five times, 1 ms each, and then sleeps for
 * {@code poll.interval.ms}. Its queue uses the same setting to fill its batches. With 200 ms, each single change was 200 ms late;
 * with 5 ms, the thread of the queue woke 200 times a second.
 */
final class PromptStream implements ReplicationStream {
    /** For this time after a message, the next message is awaited without a pause. */
    private static final long AWAKE_NANOS = 50_000_000L;

    private static final long PAUSE_MILLIS = 10;

    private final ReplicationStream stream;
    private final RowDecoder decoder;
    private final AtomicLong pulse;
    private long lastNanos = System.nanoTime();

    /**
     * @param decoder is notified when no message comes
     * @param pulse gets the time of each read
     */
    PromptStream(ReplicationStream stream, RowDecoder decoder, AtomicLong pulse) {
        this.stream = stream;
        this.decoder = decoder;
        this.pulse = pulse;
    }

    /**
     * Takes a message, or waits for one, for 1 ms or {@value #PAUSE_MILLIS} ms.
     *
     * @return always true, because Debezium sleeps after false
     */
    @Override
    public boolean readPending(ReplicationMessageProcessor processor) throws SQLException, InterruptedException {
        pulse.set(System.nanoTime());
        if (stream.readPending(processor)) {
            lastNanos = System.nanoTime();
            return true;
        }
        decoder.quiet();
        if (System.nanoTime() - lastNanos > AWAKE_NANOS) {
            Thread.sleep(PAUSE_MILLIS);
        }
        return true;
    }

    @Override
    public void read(ReplicationMessageProcessor processor) throws SQLException, InterruptedException {
        stream.read(processor);
    }

    @Override
    public void flushLsn(Lsn lsn) throws SQLException {
        stream.flushLsn(lsn);
    }

    @Override
    public Lsn lastReceivedLsn() {
        return stream.lastReceivedLsn();
    }

    @Override
    public Lsn startLsn() {
        return stream.startLsn();
    }

    @Override
    public void startKeepAlive(ExecutorService service) {
        stream.startKeepAlive(service);
    }

    @Override
    public void stopKeepAlive() {
        stream.stopKeepAlive();
    }

    @Override
    public void close() {
        Resources.closeQuietly(stream);
    }
}
