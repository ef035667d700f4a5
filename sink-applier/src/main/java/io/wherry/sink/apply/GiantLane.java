package io.wherry.sink.apply;

import io.wherry.contract.name.TableId;
import io.wherry.sink.merge.ChangeBatch;
import io.wherry.sink.read.PartitionCursor;
import java.sql.SQLException;
import java.util.List;
import java.util.Optional;
import java.util.Set;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.FutureTask;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Writes giant values beside a worker, one batch at a time: the target takes seconds for a giant value, and the worker's other
 * tables continue in the meantime. Only the worker's thread calls the methods.
 */
public final class GiantLane implements AutoCloseable {
    private static final Logger LOG = LoggerFactory.getLogger(GiantLane.class);

    private final String name;
    private final Opener opener;
    private BatchWriter writer;
    private ChangeBatch batch;
    private Set<TableId> tables = Set.of();
    private FutureTask<Set<TableId>> written;

    /** Opens the session that the lane writes in, when the first giant comes. */
    public interface Opener {
        BatchWriter open() throws SQLException;
    }

    /**
     * @param batch that {@link #begin} was given
     * @param left {@link BatchWriter#apply}
     */
    record Ended(ChangeBatch batch, Set<TableId> left) {}

    /** @param name of its threads */
    GiantLane(String name, Opener opener) {
        this.name = name;
        this.opener = opener;
    }

    boolean isBusy() {
        return written != null;
    }

    /** Whether the lane is writing the table: then no other thread may read or write the table. */
    boolean holds(TableId table) {
        return tables.contains(table);
    }

    /**
     * Starts to write a batch. The lane must not be busy.
     *
     * @param readings of the batch's tables; the caller leaves them alone until the batch has ended
     */
    void begin(ChangeBatch batch, List<PartitionCursor> readings) {
        if (isBusy()) {
            throw new IllegalStateException(name + " is busy");
        }
        this.batch = batch;
        tables = batch.tables();
        written = new FutureTask<>(() -> {
            if (writer == null) {
                writer = opener.open();
            }
            // The worker may have met another shape of the table since the last batch.
            batch.tables().forEach(writer.tables()::forget);
            return writer.apply(batch, readings);
        });
        new Thread(written, name).start();
    }

    /**
     * The batch, once it is written.
     *
     * @throws SQLException as {@link BatchWriter#apply}, like every other exception of that method
     */
    Optional<Ended> ended() throws SQLException {
        if (!isBusy() || !written.isDone()) {
            return Optional.empty();
        }
        try {
            Ended ended = new Ended(batch, written.get());
            batch = null;
            tables = Set.of();
            written = null;
            return Optional.of(ended);
        } catch (InterruptedException e) {
            throw new IllegalStateException(e);
        } catch (ExecutionException e) {
            if (e.getCause() instanceof SQLException sql) {
                throw sql;
            }
            if (e.getCause() instanceof RuntimeException failure) {
                throw failure;
            }
            throw new IllegalStateException(e.getCause());
        }
    }

    /**
     * Waits until the batch is written or its session was ended. What the lane could not write is read again at the next start.
     */
    @Override
    public void close() {
        try {
            if (isBusy()) {
                written.get();
            }
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
        } catch (ExecutionException e) {
            LOG.debug("{} ended while stopping", name, e);
        }
    }
}
