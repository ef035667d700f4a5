package io.wherry.coordinator.thread;

import io.wherry.contract.error.RetryableException;
import java.sql.SQLException;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.function.BiFunction;

/** A thread beside the caller's, so that statements on two servers take the time of the longer one. */
public final class Beside implements AutoCloseable {
    private final ExecutorService other;

    /** @param name of the thread */
    public Beside(String name) {
        other = Executors.newSingleThreadExecutor(Threads.named(name));
    }

    /** Work on one side. */
    public interface Work<T> {
        T run() throws SQLException;
    }

    /**
     * Runs both at the same time, and waits for the end of both in every case: the session of the one must be free when the other
     * has failed. Not interrupted: a statement ends with its session.
     *
     * @throws SQLException of either work; of {@code here} if both fail
     */
    public <S, T, R> R both(Work<S> beside, Work<T> here, BiFunction<S, T, R> together) throws SQLException {
        Future<S> running = other.submit(beside::run);
        T second;
        try {
            second = here.run();
        } catch (SQLException | RuntimeException e) {
            ended(running);
            throw e;
        }
        ended(running);
        return together.apply(result(running), second);
    }

    private static void ended(Future<?> running) {
        boolean interrupted = false;
        while (!running.isDone()) {
            try {
                running.get();
            } catch (InterruptedException e) {
                interrupted = true;
            } catch (ExecutionException e) {
                // The caller asks for the result, or has a failure of its own.
                break;
            }
        }
        if (interrupted) {
            Thread.currentThread().interrupt();
        }
    }

    private static <S> S result(Future<S> ended) throws SQLException {
        // get() throws at once in an interrupted thread, even if the result is there.
        boolean interrupted = Thread.interrupted();
        try {
            return ended.get();
        } catch (ExecutionException e) {
            if (e.getCause() instanceof SQLException failed) {
                throw failed;
            }
            throw new RetryableException("read", "", String.valueOf(e.getCause()), "", e.getCause());
        } catch (InterruptedException e) {
            throw new IllegalStateException("interrupted before the work had ended", e);
        } finally {
            if (interrupted) {
                Thread.currentThread().interrupt();
            }
        }
    }

    @Override
    public void close() {
        other.shutdown();
    }
}
