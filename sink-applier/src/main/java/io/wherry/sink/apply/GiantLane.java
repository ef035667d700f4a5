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
 * Writes giant values beside a worker, one batch at a time: the target takes seconds for one, in which the worker's other tables go
 * on. All methods are called by the worker's thread.
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
     * @param batch as it was given
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

    /** Whether it is writing the table: nobody else may read or write it meanwhile. */
    boolean holds(TableId table) {
        return tables.contains(table);
    }

    /**
     * Begins with a batch; it must not be busy.
     *
     * @param readings of the batch's tables, which the caller leaves alone until it has ended
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
            // The worker may have met another shape of the table since.
            batch.tables().forEach(writer.tables()::forget);
            return writer.apply(batch, readings);
        });
        new Thread(written, name).start();
    }

    /**
     * What it was given, once that is written.
     *
     * @throws SQLException as {@link BatchWriter#apply}, what else it throws too
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

    /** Waits until it has ended, or its session was ended; what it could not write is read again at the next start. */
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
