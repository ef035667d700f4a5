package io.wherry.bench;

import java.util.Arrays;
import java.util.Map;

/**
 * How a set of times is distributed.
 *
 * @param median ms
 * @param p99 99 % of the times are at most this, ms
 * @param longest ms
 */
record Percentiles(double median, double p99, double longest) {
    /** @param nanos one or more times; sorted here */
    static Percentiles of(long[] nanos) {
        Arrays.sort(nanos);
        return new Percentiles(at(nanos, 0.5), at(nanos, 0.99), at(nanos, 1));
    }

    private static double at(long[] sorted, double share) {
        int index = (int) Math.ceil(share * sorted.length) - 1;
        return sorted[Math.max(0, index)] / 1e6;
    }

    /** Adds the three values under names that begin so. */
    void put(String name, Map<String, Double> values) {
        values.put(name + " p50 ms", median);
        values.put(name + " p99 ms", p99);
        values.put(name + " max ms", longest);
    }
}
