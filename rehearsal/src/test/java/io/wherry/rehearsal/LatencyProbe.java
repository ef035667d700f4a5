package io.wherry.rehearsal;

import io.wherry.contract.config.Migration;
import io.wherry.contract.postgres.Sessions;
import java.sql.Connection;
import java.sql.ResultSet;
import java.sql.SQLException;
import java.sql.Statement;
import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import java.util.Locale;

/** Writes a row into a table of its own again and again, each when the one before has come to the target, and takes the time. */
final class LatencyProbe implements AutoCloseable {
    static final String TABLE = "CREATE TABLE public.probe (id int PRIMARY KEY)";

    private final Migration migration;
    private final int first;
    private final Thread thread = new Thread(this::run, "latency-probe");
    private final List<Long> millis = Collections.synchronizedList(new ArrayList<>());
    private volatile boolean closed;
    private volatile SQLException failure;

    /** @param first id of the rows that it writes; they go up from there */
    LatencyProbe(Migration migration, int first) {
        this.migration = migration;
        this.first = first;
        thread.start();
    }

    private void run() {
        try (Connection source = Sessions.open(migration, migration.source(), "probe");
                Connection target = Sessions.open(migration, migration.target(), "probe");
                Statement write = source.createStatement();
                Statement read = target.createStatement()) {
            for (int id = first; !closed; id++) {
                long begun = System.nanoTime();
                write.execute("INSERT INTO public.probe VALUES (" + id + ")");
                while (!closed && !arrived(read, id)) {
                    Thread.onSpinWait();
                }
                if (!closed) {
                    millis.add((System.nanoTime() - begun) / 1_000_000);
                }
            }
        } catch (SQLException e) {
            failure = e;
        }
    }

    // The server waits, so that nothing turns in a circle here.
    private static boolean arrived(Statement target, int id) throws SQLException {
        try (ResultSet row =
                target.executeQuery("SELECT count(*), pg_sleep(0.005) FROM public.probe WHERE id = " + id)) {
            row.next();
            return row.getInt(1) == 1;
        }
    }

    /** Ends. */
    @Override
    public void close() {
        closed = true;
        try {
            thread.join();
        } catch (InterruptedException e) {
            throw new IllegalStateException(e);
        }
        if (failure != null) {
            throw new IllegalStateException(failure);
        }
    }

    /** Number of changes that have come. */
    int changes() {
        return millis.size();
    }

    /** The longest latency, ms; 0 = no change came. */
    long longest() {
        // A copy: the probe adds to the list meanwhile, and a synchronized list does not hold its lock for a stream.
        return List.copyOf(millis).stream().mapToLong(Long::longValue).max().orElse(0);
    }

    /** What was measured, for people. */
    @Override
    public String toString() {
        List<Long> sorted = new ArrayList<>(millis);
        Collections.sort(sorted);
        return sorted.isEmpty()
                ? "no change of the other table came"
                : String.format(
                        Locale.ROOT,
                        "%d changes of another table, latency: median %d ms, 99%% below %d ms, longest %d ms",
                        sorted.size(),
                        sorted.get(sorted.size() / 2),
                        sorted.get(sorted.size() * 99 / 100),
                        sorted.get(sorted.size() - 1));
    }
}
