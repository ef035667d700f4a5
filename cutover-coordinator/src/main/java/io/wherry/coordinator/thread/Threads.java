package io.wherry.coordinator.thread;

import io.wherry.contract.service.DaemonThreads;
import io.wherry.contract.service.Ends;
import java.time.Duration;
import java.util.List;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.ThreadFactory;
import java.util.concurrent.TimeUnit;

/** Threads with names, so that a thread dump reads as a list of what is being done. */
public final class Threads {
    private Threads() {}

    /** Daemon threads {@code name-1}, {@code name-2}: none keeps the process alive by itself. */
    public static ThreadFactory named(String name) {
        return DaemonThreads.named(name);
    }

    /** Ends workers, within a second where possible: their work on a server ends with its session, wholly done or not at all. */
    public static void end(ExecutorService workers) {
        workers.shutdownNow();
        try {
            workers.awaitTermination(1, TimeUnit.SECONDS);
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
        }
    }

    /**
     * Runs {@code close} on a separate thread, and waits for the end of that thread.
     *
     * @throws io.wherry.contract.error.StuckException when the thread does not end within the limit
     */
    public static void closeWithin(String service, Duration limit, Runnable close) {
        Thread thread = named(service + "-close").newThread(close);
        thread.start();
        Ends.await(service, List.of(thread), limit);
    }

    /**
     * Waits for the end of the thread, also when interrupted; an interrupt stays set.
     *
     * @param millis at most; 0 = as long as it takes
     */
    public static void join(Thread thread, long millis) {
        long deadline = System.nanoTime() + millis * 1_000_000;
        boolean interrupted = false;
        while (thread.isAlive() && (millis == 0 || System.nanoTime() - deadline < 0)) {
            try {
                thread.join(millis);
            } catch (InterruptedException e) {
                interrupted = true;
            }
        }
        if (interrupted) {
            Thread.currentThread().interrupt();
        }
    }
}
