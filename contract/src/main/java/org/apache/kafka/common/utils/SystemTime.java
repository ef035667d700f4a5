package org.apache.kafka.common.utils;

import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicLong;
import java.util.function.Supplier;
import org.apache.kafka.common.errors.TimeoutException;

/**
 * Takes the place of the class of this name in kafka-clients, before which it stands on the class path: the wall clock, but it
 * never goes back. Kafka's clients measure their waits by it and let nobody give them another. With theirs, a client whose
 * connection breaks while the wall clock is two hours behind what it was does not connect again for two hours, and a
 * poll of 50 ms may take as long: see docs/adr/0021.
 */
public class SystemTime implements Time {
    private static final SystemTime SYSTEM_TIME = new SystemTime();

    /** What the wall clock was ahead of the monotonic one at most, ms. */
    private final AtomicLong ahead = new AtomicLong(Long.MIN_VALUE);

    /** The only one; {@link Time#SYSTEM}. */
    public static SystemTime getSystemTime() {
        return SYSTEM_TIME;
    }

    /** The wall clock, ms; once that was set back, what it would have been without, until it has caught up. */
    @Override
    public long milliseconds() {
        long monotonic = TimeUnit.NANOSECONDS.toMillis(System.nanoTime());
        return monotonic + ahead.accumulateAndGet(System.currentTimeMillis() - monotonic, Math::max);
    }

    @Override
    public long nanoseconds() {
        return System.nanoTime();
    }

    @Override
    public void sleep(long millis) {
        Utils.sleep(millis);
    }

    @Override
    public void waitObject(Object monitor, Supplier<Boolean> condition, long deadlineMillis)
            throws InterruptedException {
        synchronized (monitor) {
            while (!condition.get()) {
                long left = deadlineMillis - milliseconds();
                if (left <= 0) {
                    throw new TimeoutException("Condition not satisfied before deadline");
                }
                monitor.wait(left);
            }
        }
    }
}
