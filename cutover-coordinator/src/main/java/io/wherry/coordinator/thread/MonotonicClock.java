package io.wherry.coordinator.thread;

/**
 * Time for durations. The wall clock jumps. Counterexample: if the wall clock is set back by an hour, the last lag of an observer
 * that has died would count as known for an hour; if the clock is set forward, a lag that was seen twice would count as stable.
 */
public final class MonotonicClock {
    private MonotonicClock() {}

    /** Milliseconds since some instant, the same for all of this process; never set. */
    public static long millis() {
        return System.nanoTime() / 1_000_000;
    }
}
