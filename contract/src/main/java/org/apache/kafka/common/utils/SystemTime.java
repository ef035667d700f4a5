package org.apache.kafka.common.utils;

import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicLong;
import java.util.function.Supplier;
import org.apache.kafka.common.errors.TimeoutException;

/**
 * Replaces the class of this name in kafka-clients, as it comes first on the class path: the wall clock, but it never goes back.
 * Kafka's clients measure their waits by this class, and no setting gives them another clock. With Kafka's own class, a client
 * whose connection breaks while the wall clock is two hours behind its earlier value does not connect again for two hours, and a
 * poll of 50 ms may take as long: see docs/adr/0021.
 */
public class SystemTime implements Time {
    private static final SystemTime SYSTEM_TIME = new SystemTime();

    /** The most that the wall clock was ahead of the monotonic clock, ms. */
    private final AtomicLong ahead = new AtomicLong(Long.MIN_VALUE);

    /** The only instance; {@link Time#SYSTEM}. */
    public static SystemTime getSystemTime() {
        return SYSTEM_TIME;
    }

    /** The wall clock, ms. After the wall clock was set back, the time that it would show otherwise, until it has caught up. */
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
