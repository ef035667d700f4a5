package io.wherry.rehearsal;

import io.wherry.embedded.ServerException;
import java.time.Duration;
import java.util.concurrent.TimeUnit;

/** Waits until something holds. */
public final class Waits {
    private Waits() {}

    /** What is awaited. */
    public interface Condition {
        boolean holds() throws Exception;
    }

    /**
     * Asks again and again.
     *
     * @param what for the message, as text for people
     * @param pollMillis between two questions, ms
     * @throws ServerException when the time is up
     */
    public static void until(String what, Duration limit, long pollMillis, Condition condition) throws Exception {
        long end = System.nanoTime() + limit.toNanos();
        while (!condition.holds()) {
            if (System.nanoTime() > end) {
                throw new ServerException("not reached within " + limit.toSeconds() + " s: " + what);
            }
            TimeUnit.MILLISECONDS.sleep(pollMillis);
        }
    }
}
