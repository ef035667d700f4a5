package io.wherry.contract.service;

import java.util.concurrent.TimeUnit;
import java.util.function.BooleanSupplier;

/** Longer and longer pauses between attempts; short again after one that lasted. Not safe for use by several threads. */
public final class Backoff {
    private static final long FIRST_MILLIS = 250;
    private static final long LONGEST_MILLIS = 15_000;
    private static final long LOOK_MILLIS = 250;

    private final BooleanSupplier closing;
    private long millis = FIRST_MILLIS;

    /** @param closing ends a pause early when true */
    public Backoff(BooleanSupplier closing) {
        this.closing = closing;
    }

    /**
     * Waits before the next attempt.
     *
     * @param began {@link System#nanoTime} when the failed attempt began
     */
    public void pause(long began) {
        if (System.nanoTime() - began > TimeUnit.MILLISECONDS.toNanos(2 * LONGEST_MILLIS)) {
            millis = FIRST_MILLIS;
        }
        try {
            for (long left = millis; left > 0 && !closing.getAsBoolean(); left -= LOOK_MILLIS) {
                Thread.sleep(Math.min(left, LOOK_MILLIS));
            }
        } catch (InterruptedException e) {
            throw Stopped.interrupted("wait", e);
        }
        millis = Math.min(LONGEST_MILLIS, 2 * millis);
    }
}
