package io.wherry.bench;

import io.wherry.bench.PacedTransactions.Written;
import java.sql.Connection;
import java.sql.PreparedStatement;
import java.sql.ResultSet;
import java.sql.SQLException;
import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import java.util.concurrent.locks.LockSupport;

/**
 * Looks again and again how far the history of each session has come to the target. The transactions of one session commit one
 * after another on both sides, so its highest key says that all lower keys are there.
 */
final class Sightings implements AutoCloseable {
    private static final long PAUSE_NANOS = 500_000;
    private static final String HIGHEST = "(SELECT max(id) FROM bench.history WHERE id >= ? AND id < ?)";

    private final Connection target;
    private final long firstKey;
    private final List<List<Seen>> seen = new ArrayList<>();
    private final Thread thread = new Thread(this::run, "bench-sightings");
    private volatile boolean closing;
    private volatile SQLException failure;

    private record Seen(long key, long nanos) {}

    /**
     * Looks until closed.
     *
     * @param target a session of its own, closed here
     * @param firstKey of the first session
     */
    Sightings(Connection target, long firstKey) {
        this.target = target;
        this.firstKey = firstKey;
        for (int session = 0; session < PacedTransactions.SESSIONS; session++) {
            seen.add(new ArrayList<>());
        }
        thread.start();
    }

    private void run() {
        String query = "SELECT " + String.join(", ", Collections.nCopies(PacedTransactions.SESSIONS, HIGHEST));
        try (PreparedStatement statement = target.prepareStatement(query)) {
            for (int session = 0; session < PacedTransactions.SESSIONS; session++) {
                statement.setLong(2 * session + 1, firstKey + session * PacedTransactions.KEYS);
                statement.setLong(2 * session + 2, firstKey + (session + 1) * PacedTransactions.KEYS);
            }
            while (!closing) {
                look(statement);
                LockSupport.parkNanos(PAUSE_NANOS);
            }
            look(statement);
        } catch (SQLException e) {
            failure = e;
        }
    }

    private void look(PreparedStatement statement) throws SQLException {
        try (ResultSet row = statement.executeQuery()) {
            long now = System.nanoTime();
            row.next();
            for (int session = 0; session < PacedTransactions.SESSIONS; session++) {
                long key = row.getLong(session + 1);
                List<Seen> known = seen.get(session);
                if (!row.wasNull()
                        && (known.isEmpty() || known.get(known.size() - 1).key() < key)) {
                    known.add(new Seen(key, now));
                }
            }
        }
    }

    /**
     * The time of each transaction from the moment at which its session asked for the commit until the target showed it, ns. To be
     * called after {@link #close}.
     *
     * @throws SQLException when the target did not answer meanwhile
     * @throws IllegalStateException when a transaction was never seen
     */
    long[] lags(List<Written> written) throws SQLException {
        if (failure != null) {
            throw failure;
        }
        long[] lags =
                new long[written.stream().mapToInt(one -> one.asked().length).sum()];
        int at = 0;
        for (int session = 0; session < written.size(); session++) {
            Written one = written.get(session);
            List<Seen> known = seen.get(session);
            int next = 0;
            for (int i = 0; i < one.asked().length; i++) {
                while (next < known.size() && known.get(next).key() < one.firstKey() + i) {
                    next++;
                }
                if (next == known.size()) {
                    throw new IllegalStateException("transaction " + (one.firstKey() + i) + " was not seen");
                }
                lags[at++] = Math.max(0, known.get(next).nanos() - one.asked()[i]);
            }
        }
        return lags;
    }

    @Override
    public void close() throws SQLException {
        closing = true;
        try {
            thread.join();
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
        }
        target.close();
    }
}
