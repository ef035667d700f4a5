package io.wherry.coordinator.proof;

import io.wherry.coordinator.thread.MonotonicClock;

/** When the next pass of one table may begin. Times are those of {@link MonotonicClock}. Used by one thread. */
final class Pauses {
    // A table that is proven is compared again after this time, or after many times of what that takes.
    private static final long REPEAT_MILLIS = 60_000;
    private static final int REPEAT_TIMES = 20;
    private static final int WHOLE_TIMES = 5;
    private static final long PAUSE_MILLIS = 10_000;
    private static final long LONGEST_PAUSE_MILLIS = 10 * 60_000;

    private final long mostRepeatMillis;
    private final Long repeatMillis = Long.getLong(Proof.REPEAT_PROPERTY);
    private long notBefore = MonotonicClock.millis();
    private long repeatsAfter;
    private int failures;
    private int collapses;

    /** @param mostRepeatMillis longest time between two passes of a table that is proven, ms */
    Pauses(long mostRepeatMillis) {
        this.mostRepeatMillis = mostRepeatMillis;
    }

    /** Whether a step may be done now. */
    boolean over(long now) {
        return now >= notBefore;
    }

    /** When the next pass may begin although the table is proven. */
    long repeatsAfter() {
        return repeatsAfter;
    }

    /** Whether the last pass has failed. */
    boolean failed() {
        return failures > 0;
    }

    /** The operator does not want to wait. */
    void none() {
        notBefore = MonotonicClock.millis();
    }

    /** The table had more changes than are kept by key. */
    void afterCollapse(long now) {
        notBefore = now + Math.min(LONGEST_PAUSE_MILLIS, collapses++ * PAUSE_MILLIS);
    }

    /**
     * A pass is complete.
     *
     * @param tookMillis with its pauses
     * @param keyed whether the rows that change later are compared by key
     * @param differs whether a difference stands: the pauses after failures grow while what was found before still stands
     */
    void afterPass(long now, long tookMillis, boolean keyed, boolean differs) {
        failures = differs ? failures : 0;
        collapses = 0;
        notBefore = keyed ? now : now + WHOLE_TIMES * tookMillis;
        long pause = Math.min(mostRepeatMillis, REPEAT_TIMES * tookMillis);
        repeatsAfter = now + (repeatMillis != null ? repeatMillis : Math.max(REPEAT_MILLIS, pause));
    }

    /** The table cannot be compared now. */
    void afterFailure(long now) {
        notBefore = now + Math.min(LONGEST_PAUSE_MILLIS, PAUSE_MILLIS << Math.min(failures, 10));
        failures++;
    }
}
