package io.wherry.contract.service;

import io.wherry.contract.error.StuckException;
import java.time.Duration;
import java.util.Collection;
import java.util.concurrent.TimeUnit;

/**
 * Waits for threads that were asked to end, but not forever. Counterexample: the server ends the engine's session at a bad
 * moment, and the engine waits for one of its own threads that never returns. A service that waited for the engine would neither
 * end nor start again, while every other part of it reports that it is well.
 */
public final class Ends {
    /** Lets tests set another limit, in seconds. */
    public static final String PROPERTY = "wherry.close-limit";

    /** Longer than Kafka's clients wait for a broker that does not answer. */
    public static final Duration LIMIT = Duration.ofSeconds(Integer.getInteger(PROPERTY, 75));

    private Ends() {}

    /**
     * Waits until all threads have ended. An interrupt does not shorten the wait, and stays set.
     *
     * @param service that the threads belong to, for display
     * @throws StuckException with the name of a thread that still runs after the limit, and where it waits
     */
    public static void await(String service, Collection<Thread> threads, Duration limit) {
        long deadline = System.nanoTime() + limit.toNanos();
        boolean interrupted = false;
        for (Thread thread : threads) {
            long left = deadline - System.nanoTime();
            while (thread.isAlive() && left > 0) {
                try {
                    thread.join(Math.max(1, TimeUnit.NANOSECONDS.toMillis(left)));
                } catch (InterruptedException e) {
                    interrupted = true;
                }
                left = deadline - System.nanoTime();
            }
        }
        if (interrupted) {
            Thread.currentThread().interrupt();
        }
        threads.stream().filter(Thread::isAlive).findFirst().ifPresent(thread -> {
            throw new StuckException(service, describe(thread, limit));
        });
    }

    private static String describe(Thread thread, Duration limit) {
        StackTraceElement[] stack = thread.getStackTrace();
        return "thread " + thread.getName() + " did not end within " + limit.toSeconds() + " s"
                + (stack.length == 0 ? "" : "; it is at " + stack[0]);
    }
}
