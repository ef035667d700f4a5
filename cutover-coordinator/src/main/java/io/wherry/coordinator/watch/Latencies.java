package io.wherry.coordinator.watch;

import java.util.Arrays;
import java.util.OptionalLong;

/** The latest heartbeats' latencies, for percentiles. Safe for use by several threads. */
public final class Latencies {
    private static final int KEPT = 10_000;

    private final long[] samples = new long[KEPT];
    private long count;

    public synchronized void add(long millis) {
        samples[(int) (count++ % KEPT)] = millis;
    }

    /** @param fraction 0.5 for the median; empty without samples */
    public synchronized OptionalLong percentile(double fraction) {
        int kept = (int) Math.min(count, KEPT);
        if (kept == 0) {
            return OptionalLong.empty();
        }
        long[] sorted = Arrays.copyOf(samples, kept);
        Arrays.sort(sorted);
        return OptionalLong.of(sorted[Math.max(0, (int) Math.ceil(fraction * kept) - 1)]);
    }
}
