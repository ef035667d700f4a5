package io.wherry.coordinator.watch;

import io.wherry.coordinator.watch.Observation.Slot;
import java.util.ArrayDeque;
import java.util.Deque;

/** Estimates when a slot will be lost, from the growth of the write-ahead log that is kept for it. Not safe for use by several threads. */
public final class SlotForecast {
    /** The retained log shrinks in steps, at checkpoints of the stream: over a shorter period, each step would look like an improvement. */
    private static final long WINDOW_MILLIS = 120_000;

    private static final long LEAST_MILLIS = 5_000;

    private final Deque<Sample> samples = new ArrayDeque<>();

    private record Sample(long millis, long retained) {}

    /** @param millis when the slot was read, by {@code MonotonicClock} */
    public void see(Slot slot, long millis) {
        if (slot.retainedBytes() == null) {
            samples.clear();
            return;
        }
        samples.add(new Sample(millis, slot.retainedBytes()));
        while (millis - samples.peek().millis() > WINDOW_MILLIS) {
            samples.remove();
        }
    }

    /** Seconds until the slot is lost by either limit, of bytes or of idle time; null = no loss is expected. */
    public Long lostIn(Slot slot) {
        Long byBytes = lostInSeconds(slot.safeBytes());
        if (byBytes == null || slot.idleSeconds() == null) {
            return byBytes == null ? slot.idleSeconds() : byBytes;
        }
        return Math.min(byBytes, slot.idleSeconds());
    }

    /** Seconds until {@code safeBytes} are used up; null if they do not shrink, or if that is not known yet. */
    Long lostInSeconds(Long safeBytes) {
        if (safeBytes == null || samples.isEmpty()) {
            return null;
        }
        if (safeBytes <= 0) {
            return 0L;
        }
        long millis = samples.peekLast().millis() - samples.peek().millis();
        long grown = samples.peekLast().retained() - samples.peek().retained();
        if (millis < LEAST_MILLIS || grown <= 0) {
            return null;
        }
        return (long) (safeBytes / (grown * 1000.0 / millis));
    }
}
