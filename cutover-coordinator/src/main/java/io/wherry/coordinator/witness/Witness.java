package io.wherry.coordinator.witness;

import io.wherry.contract.config.Flow;
import io.wherry.contract.error.RetryableException;
import io.wherry.contract.error.WherryException;
import io.wherry.contract.name.TableId;
import io.wherry.contract.postgres.Lsn;
import io.wherry.contract.postgres.Sessions;
import io.wherry.contract.service.Interruption;
import io.wherry.contract.service.Resources;
import io.wherry.coordinator.thread.Threads;
import java.sql.Connection;
import java.sql.SQLException;
import java.time.Duration;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import org.postgresql.replication.PGReplicationStream;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Reads a replication slot of its own and names every key that changes on the source, by the server's word alone: no class, no slot
 * and no record of the pipeline that it checks.
 *
 * <p>Safe for use by several threads; {@link #start} once.
 */
public final class Witness implements AutoCloseable {
    private static final Logger LOG = LoggerFactory.getLogger(Witness.class);
    private static final int NETWORK_MILLIS = 30_000;
    private static final long JOIN_MILLIS = 5_000;

    private final Flow flow;
    private final Changes changes;
    private final Seat seat;
    private final boolean alone;
    private final Tally tally = new Tally();
    private final Progress progress = new Progress();
    private volatile Connection catalog;
    private volatile Slot slot;
    private volatile Published published;
    private volatile Thread thread;

    /** A witness that ends every earlier one of the migration. */
    public Witness(Flow flow, Changes changes) {
        this(flow, changes, Seat.FIRST, true);
    }

    private Witness(Flow flow, Changes changes, Seat seat, boolean alone) {
        this.flow = flow;
        this.changes = changes;
        this.seat = seat;
        this.alone = alone;
    }

    /** A witness that reads beside this one. */
    Witness successor(Changes receiver) {
        return new Witness(flow, receiver, seat.other(), false);
    }

    /**
     * Creates the slot and starts reading on a thread of its own. Waits, without a limit, for the transactions that have written and
     * run at this moment; {@link #close} ends the wait. Ends the sessions of earlier witnesses of the migration.
     *
     * @return L0. Every transaction whose COMMIT starts at L0 or later is named, if its table is in {@link #published}. Every
     *     earlier transaction is seen by each statement on the source from now on.
     * @throws RetryableException when the publication does not exist yet, or the source does not answer
     * @throws WherryException when the source has no slot for the witness: none is free, or the role lacks the right
     */
    public Lsn start() {
        try {
            catalog = Sessions.open(flow.migration(), flow.from(), "catalog of the witness");
            Published first = new Published(flow, catalog);
            slot = new Slot(flow, catalog, seat, alone);
            progress.requireOpen();
            Lsn start = slot.create(catalog);
            first.confirm();
            published = first;
            catalog.setNetworkTimeout(Runnable::run, NETWORK_MILLIS);
            progress.begin(start);
            PGReplicationStream stream = slot.stream(start);
            Reader reader = new Reader(flow, stream, catalog, first, changes, tally, progress, start);
            thread = Threads.named("wherry-witness").newThread(() -> run(reader));
            progress.requireOpen();
            thread.start();
            LOG.info("the witness reads slot {} from {}", slot.name(), start);
            return start;
        } catch (InterruptedException e) {
            closeSessions();
            throw Interruption.during("start the witness", e);
        } catch (SQLException e) {
            closeSessions();
            throw new RetryableException(
                    "start", "the witness", e.getMessage(), "Check that the source is reachable", e);
        } catch (RuntimeException e) {
            closeSessions();
            throw e;
        }
    }

    /**
     * Every transaction whose COMMIT starts before this LSN has been given to the changes, and is seen by each statement on the source
     * from now on. It never falls. It moves on an idle database too, as far as the source writes WAL.
     *
     * <p>A key that was named with an LSN above the position may be named before other sessions see the change: compare that key only
     * once the position has reached its LSN.
     */
    public Lsn position() {
        return progress.position();
    }

    /**
     * Waits until the position has reached the LSN, and the publication was looked at after that: {@link #published} then has no
     * table whose changes were left out before the LSN.
     *
     * @return false after the timeout, or once the witness has ended
     */
    public boolean await(Lsn lsn, Duration timeout) throws InterruptedException {
        return progress.await(lsn, timeout);
    }

    /** Why the witness has ended by itself; empty while it reads, and after {@link #close}. It never starts again by itself. */
    public Optional<String> problem() {
        return progress.problem();
    }

    /** Changes read so far. While a large transaction is read, they hold the part that was read. */
    public Map<TableId, Counts> counts() {
        return tally.read();
    }

    /**
     * The selected and followed tables whose changes have all been in the stream since L0. Tables that are added later are not in the
     * set. A table leaves the set, and is named as a whole, when it leaves the publication, is dropped or gets another name: from then
     * on its changes are not named, so it must be compared as a whole when nothing changes any more.
     */
    public Set<TableId> published() {
        Published now = published;
        return now == null ? Set.of() : now.tables();
    }

    /** The tables that are in the publication now, but not in {@link #published}; looked at every few seconds. */
    public Set<TableId> joined() {
        Published now = published;
        return now == null ? Set.of() : now.joined();
    }

    private void run(Reader reader) {
        String problem = "its thread has failed";
        try {
            reader.run();
            problem = "the server has ended the stream";
        } catch (InterruptedException e) {
            problem = "its thread was interrupted";
        } catch (SQLException | RuntimeException e) {
            problem = reason(e);
            LOG.debug("the witness has ended", e);
        } finally {
            progress.end("the witness of the comparison has ended: " + problem);
            progress.problem().ifPresent(LOG::warn);
            closeSessions();
        }
    }

    private static String reason(Exception failure) {
        Throwable cause = failure.getCause();
        return failure instanceof WherryException known
                ? known.explained()
                : failure.getMessage() + (cause == null || cause.getMessage() == null ? "" : ": " + cause.getMessage());
    }

    private void closeSessions() {
        Resources.closeQuietly(slot);
        Resources.closeQuietly(catalog);
    }

    /** Ends the reading. The server drops the slot when it notices the end of the session. */
    @Override
    public void close() {
        progress.close();
        Resources.closeQuietly(slot);
        Thread running = thread;
        if (running != null && running != Thread.currentThread()) {
            Threads.join(running, JOIN_MILLIS);
        }
        Resources.closeQuietly(catalog);
    }
}
