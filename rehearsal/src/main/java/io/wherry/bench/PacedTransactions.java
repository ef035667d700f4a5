package io.wherry.bench;

import java.sql.Connection;
import java.sql.PreparedStatement;
import java.sql.SQLException;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.concurrent.TimeUnit;

/**
 * Applications that write at a steady rate as pgbench's simple update does: each transaction updates an account and inserts a row of
 * the history. A session that falls behind for more than a second does not make up for that.
 */
final class PacedTransactions {
    static final int SESSIONS = 4;
    /** The keys of one session are a range of this size. */
    static final long KEYS = 1_000_000_000L;

    private static final long MOST_BEHIND_NANOS = 1_000_000_000;
    private static final String UPDATE = "UPDATE bench.accounts SET balance = balance + ? WHERE id = ?";
    private static final String INSERT =
            "INSERT INTO bench.history VALUES (?, 1, 1, ?, ?, current_timestamp, 'written')";

    private PacedTransactions() {}

    /**
     * What one session wrote: transaction {@code i} wrote the key {@code firstKey + i}.
     *
     * @param asked by {@link System#nanoTime}, when the session asked for the commit of each
     * @param took time of each transaction, ns
     */
    record Written(long firstKey, long[] asked, long[] took) {}

    /** Opens a session on the source. */
    interface Opening {
        Connection open() throws SQLException;
    }

    /**
     * Writes for a time.
     *
     * @param rate transactions a second, of all sessions
     * @param accounts rows of the table of accounts
     * @param firstKey of the first session; the next sessions begin {@value #KEYS} keys apart
     */
    static List<Written> write(Opening opening, int rate, int seconds, long accounts, long firstKey) throws Exception {
        ExecutorService threads = Executors.newFixedThreadPool(SESSIONS);
        try {
            List<Future<Written>> running = new ArrayList<>();
            for (int session = 0; session < SESSIONS; session++) {
                long first = firstKey + session * KEYS;
                int most = (int) (2L * rate * seconds / SESSIONS) + 1;
                running.add(
                        threads.submit(() -> one(opening, (double) rate / SESSIONS, seconds, accounts, first, most)));
            }
            List<Written> written = new ArrayList<>();
            for (Future<Written> one : running) {
                written.add(one.get());
            }
            return written;
        } catch (ExecutionException e) {
            throw e.getCause() instanceof SQLException failed ? failed : e;
        } finally {
            threads.shutdownNow();
        }
    }

    private static Written one(Opening opening, double rate, int seconds, long accounts, long firstKey, int most)
            throws SQLException, InterruptedException {
        double nanosOfTransaction = 1e9 / rate;
        long[] asked = new long[most];
        long[] took = new long[most];
        int done = 0;
        try (Connection connection = opening.open();
                PreparedStatement update = connection.prepareStatement(UPDATE);
                PreparedStatement insert = connection.prepareStatement(INSERT)) {
            connection.setAutoCommit(false);
            long began = System.nanoTime();
            long due = began;
            while (done < most && System.nanoTime() - began < seconds * 1_000_000_000L) {
                long key = firstKey + done;
                // A multiplier that is no divisor spreads the accounts like random ones.
                long account = key * 7_919 % accounts + 1;
                long start = System.nanoTime();
                update.setInt(1, done % 1_000);
                update.setLong(2, account);
                update.execute();
                insert.setLong(1, key);
                insert.setLong(2, account);
                insert.setInt(3, done % 1_000);
                insert.execute();
                asked[done] = System.nanoTime();
                connection.commit();
                took[done] = System.nanoTime() - start;
                done++;
                due = Math.max(due + (long) nanosOfTransaction, System.nanoTime() - MOST_BEHIND_NANOS);
                TimeUnit.NANOSECONDS.sleep(due - System.nanoTime());
            }
        }
        return new Written(firstKey, Arrays.copyOf(asked, done), Arrays.copyOf(took, done));
    }
}
