package io.wherry.coordinator.thread;

/**
 * Time for durations. The wall clock jumps. Counterexample: set back by an hour, an observer that has died would count as fresh for
 * an hour, and the lag it saw last as known; set forward, a lag seen twice would count as stable.
 */
public final class MonotonicClock {
    private MonotonicClock() {}

    /** Milliseconds since some instant, the same for all of this process; never set. */
    public static long millis() {
        return System.nanoTime() / 1_000_000;
    }
}
