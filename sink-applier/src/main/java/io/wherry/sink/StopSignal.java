package io.wherry.sink;

import java.time.Duration;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;

/** Asks threads to end, once. */
final class StopSignal {
    private final CountDownLatch requested = new CountDownLatch(1);

    void request() {
        requested.countDown();
    }

    boolean isRequested() {
        return requested.getCount() == 0;
    }

    /**
     * Waits, but no longer than until a stop is requested.
     *
     * @return whether it is
     */
    boolean await(Duration time) {
        try {
            return requested.await(time.toMillis(), TimeUnit.MILLISECONDS);
        } catch (InterruptedException e) {
            // Whoever interrupts one of our threads wants it to end.
            Thread.currentThread().interrupt();
            return true;
        }
    }
}
