package io.wherry.bench;

import java.sql.Connection;
import java.sql.PreparedStatement;
import java.sql.SQLException;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.Callable;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.concurrent.TimeUnit;

/**
 * Applications that write at a steady rate: transactions of ten rows, by turns inserted and updated, over some sessions. A session
 * that falls behind for more than a second does not make up for that.
 */
final class PacedWriter {
    private static final int SESSIONS = 4;
    private static final int ROWS_OF_A_TRANSACTION = 10;
    private static final long MOST_BEHIND_NANOS = 1_000_000_000;
    private static final String INSERT = "INSERT INTO bench.events SELECT n, 1, 'written', 1, now()"
            + " FROM generate_series(?::bigint, ?::bigint) AS n";
    private static final String UPDATE =
            "UPDATE bench.events SET amount = amount + 1, at = now() WHERE id BETWEEN ? AND ?";

    private PacedWriter() {}

    /** Opens a session on the source. */
    interface Opening {
        Connection open() throws SQLException;
    }

    /**
     * Writes for a time.
     *
     * @param rate rows a second
     * @param firstKey of new rows
     * @return rows written
     */
    static long write(Opening opening, int rate, int seconds, long firstKey) throws Exception {
        ExecutorService threads = Executors.newFixedThreadPool(SESSIONS);
        try {
            List<Future<Long>> running = new ArrayList<>();
            for (int session = 0; session < SESSIONS; session++) {
                long first = firstKey + session * 1_000_000_000L;
                running.add(
                        threads.submit((Callable<Long>) () -> one(opening, (double) rate / SESSIONS, seconds, first)));
            }
            long rows = 0;
            for (Future<Long> one : running) {
                rows += one.get();
            }
            return rows;
        } catch (ExecutionException e) {
            throw e.getCause() instanceof SQLException failed ? failed : e;
        } finally {
            threads.shutdownNow();
        }
    }

    private static long one(Opening opening, double rate, int seconds, long firstKey)
            throws SQLException, InterruptedException {
        double nanosOfTransaction = 1e9 * ROWS_OF_A_TRANSACTION / rate;
        long written = 0;
        try (Connection connection = opening.open();
                PreparedStatement insert = connection.prepareStatement(INSERT);
                PreparedStatement update = connection.prepareStatement(UPDATE)) {
            long began = System.nanoTime();
            long due = began;
            for (long key = firstKey; System.nanoTime() - began < seconds * 1_000_000_000L; ) {
                boolean inserts = written / ROWS_OF_A_TRANSACTION % 2 == 0;
                PreparedStatement statement = inserts ? insert : update;
                statement.setLong(1, key);
                statement.setLong(2, key + ROWS_OF_A_TRANSACTION - 1);
                statement.execute();
                written += ROWS_OF_A_TRANSACTION;
                key += inserts ? 0 : ROWS_OF_A_TRANSACTION;
                due = Math.max(due + (long) nanosOfTransaction, System.nanoTime() - MOST_BEHIND_NANOS);
                TimeUnit.NANOSECONDS.sleep(due - System.nanoTime());
            }
        }
        return written;
    }
}
