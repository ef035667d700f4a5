package io.wherry.bench;

import io.wherry.contract.error.DataException;
import io.wherry.coordinator.CutoverCoordinator;
import io.wherry.coordinator.proof.ProofReport;
import java.util.List;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/** Keeps a pass of one table running: when it has ended, another one is asked for. */
final class Passes implements AutoCloseable {
    private static final Logger LOG = LoggerFactory.getLogger(Passes.class);
    private static final long PERIOD_MILLIS = 50;

    private final CutoverCoordinator coordinator;
    private final String table;
    private volatile long rowsBefore;
    private final Thread thread = new Thread(this::keep, "bench-passes");
    private volatile boolean ended;

    /** @param wanted whether passes are wanted at all */
    Passes(CutoverCoordinator coordinator, String table, boolean wanted) {
        this.coordinator = coordinator;
        this.table = table;
        count();
        thread.setDaemon(true);
        if (wanted) {
            thread.start();
        }
    }

    private void keep() {
        try {
            while (!ended) {
                ask();
                Thread.sleep(PERIOD_MILLIS);
            }
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
        }
    }

    private void ask() {
        try {
            if (!runs()) {
                coordinator.proof().start(List.of(table));
            }
        } catch (DataException e) {
            // The proof begins again just now; the next question finds it. Rows compared show whether it ran at all.
            LOG.debug("no pass of {} yet: {}", table, e.getMessage());
        }
    }

    private boolean runs() {
        return coordinator.proof().report().tables().stream()
                .filter(one -> one.table().equals(table))
                .map(ProofReport.Table::pass)
                .anyMatch(pass -> pass != null);
    }

    /** Counts the compared rows from now on. */
    void count() {
        rowsBefore = coordinator.status().proof().rowsCompared();
    }

    /** Rows that the proof has compared since {@link #count}. */
    long rowsCompared() {
        return Math.max(0, coordinator.status().proof().rowsCompared() - rowsBefore);
    }

    @Override
    public void close() {
        ended = true;
        try {
            thread.join();
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
        }
    }
}
