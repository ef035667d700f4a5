package io.wherry.contract.service;

import java.time.Duration;
import java.util.function.BooleanSupplier;

/**
 * Longer and longer pauses between attempts: each is twice the previous one, up to the longest. Several threads may ask for the
 * pauses; only one waits.
 */
public final class Backoff {
    private static final Duration FIRST = Duration.ofMillis(250);
    private static final Duration LONGEST = Duration.ofSeconds(15);
    private static final long LOOK_MILLIS = 250;

    private final Duration first;
    private final Duration longest;
    private final BooleanSupplier closing;
    private Duration next;

    /** @param closing ends a pause early when true */
    public Backoff(BooleanSupplier closing) {
        this(FIRST, LONGEST, closing);
    }

    /** For a caller that waits in its own way, by {@link #next}. */
    public Backoff(Duration first, Duration longest) {
        this(first, longest, () -> false);
    }

    private Backoff(Duration first, Duration longest, BooleanSupplier closing) {
        this.first = first;
        this.longest = longest;
        this.closing = closing;
        this.next = first;
    }

    /** The pause before the next attempt; the pause after it is longer. */
    public synchronized Duration next() {
        Duration pause = next;
        Duration doubled = pause.multipliedBy(2);
        next = doubled.compareTo(longest) < 0 ? doubled : longest;
        return pause;
    }

    /** The next pause is the first one again. */
    public synchronized void reset() {
        next = first;
    }

    /**
     * Waits before the next attempt. After an attempt that lasted long, the pause is as short as the first.
     *
     * @param began {@link System#nanoTime} when the failed attempt began
     */
    public void pause(long began) {
        if (System.nanoTime() - began > longest.multipliedBy(2).toNanos()) {
            reset();
        }
        try {
            for (long left = next().toMillis(); left > 0 && !closing.getAsBoolean(); left -= LOOK_MILLIS) {
                Thread.sleep(Math.min(left, LOOK_MILLIS));
            }
        } catch (InterruptedException e) {
            throw Interruption.during("wait", e);
        }
    }
}
