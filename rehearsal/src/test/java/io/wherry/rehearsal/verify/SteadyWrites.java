package io.wherry.rehearsal.verify;

import io.wherry.contract.config.Endpoint;
import io.wherry.rehearsal.RehearsalDatabase;
import io.wherry.rehearsal.fixture.MigrationFixture;
import java.sql.Connection;
import java.sql.DriverManager;
import java.sql.SQLException;
import java.sql.Statement;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionException;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicLong;

/**
 * Sessions of an application on the source, each of which writes the same way at a steady rate. A session that the fence has ended
 * logs in again; any other error fails the test at the end.
 */
final class SteadyWrites implements AutoCloseable {
    private static final long RECONNECT_MILLIS = 20;

    private final Endpoint source;
    private final List<CompletableFuture<Void>> writers = new ArrayList<>();
    private final AtomicLong written = new AtomicLong();
    private volatile boolean running = true;

    /** What a session does again and again. */
    interface Write {
        /** @param number 0, 1, 2 and so on */
        void run(Statement session, long number) throws SQLException;
    }

    SteadyWrites(MigrationFixture migration) {
        this.source =
                RehearsalDatabase.endpoint(migration.source(), migration.database(), RehearsalDatabase.APPLICATION);
    }

    /** Starts one session more. */
    void every(long perSecond, Write write) {
        writers.add(CompletableFuture.runAsync(() -> work(1_000_000_000 / perSecond, write), task -> {
            Thread thread = new Thread(task, "steady-writes");
            thread.setDaemon(true);
            thread.start();
        }));
    }

    /** Calls that have ended, over all sessions. */
    long written() {
        return written.get();
    }

    private void work(long pauseNanos, Write write) {
        long due = System.nanoTime();
        long number = 0;
        while (running) {
            boolean loggedIn = false;
            try (Connection session = DriverManager.getConnection(source.url(), source.user(), source.password());
                    Statement statement = session.createStatement()) {
                loggedIn = true;
                while (running) {
                    // What a busy machine has kept from being written is not made up for.
                    due = Math.max(due + pauseNanos, System.nanoTime() - 100_000_000L);
                    TimeUnit.NANOSECONDS.sleep(due - System.nanoTime());
                    write.run(statement, number++);
                    written.incrementAndGet();
                }
            } catch (SQLException e) {
                if (loggedIn && !sessionEnded(e)) {
                    throw new CompletionException(e);
                }
                pause();
            } catch (InterruptedException e) {
                throw new CompletionException(e);
            }
        }
    }

    /** PostgreSQL's documentation, appendix A: connection failures and terminated sessions. */
    private static boolean sessionEnded(SQLException e) {
        String state = String.valueOf(e.getSQLState());
        return state.startsWith("08") || state.startsWith("57P");
    }

    private static void pause() {
        try {
            TimeUnit.MILLISECONDS.sleep(RECONNECT_MILLIS);
        } catch (InterruptedException e) {
            throw new CompletionException(e);
        }
    }

    /** Ends after the writes in progress. @throws CompletionException when a write has failed */
    /** Ends the sessions. @throws CompletionException when a session has failed */
    void stop() {
        running = false;
        CompletableFuture.allOf(writers.toArray(CompletableFuture[]::new)).join();
    }

    @Override
    public void close() {
        stop();
    }
}
