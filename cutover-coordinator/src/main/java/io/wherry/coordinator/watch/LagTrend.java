package io.wherry.coordinator.watch;

import java.util.ArrayDeque;
import java.util.Deque;

/**
 * Whether the lag of one table grew over the last two minutes: the slope of the straight line that fits best. A slope that the lag's
 * own ups and downs explain is none. Not safe for use by several threads.
 */
final class LagTrend {
    private static final long WINDOW_MILLIS = 120_000;
    private static final long PERIOD_MILLIS = 5_000;
    private static final long LEAST_MILLIS = 10_000;

    private final Deque<Sample> samples = new ArrayDeque<>();

    private record Sample(long millis, long records) {
        double secondsSince(long beginMillis) {
            return (millis - beginMillis) / 1000.0;
        }
    }

    /** Where the lag goes. */
    enum Direction {
        GROWING,
        STEADY,
        SHRINKING
    }

    /** @param recordsPerSecond by which the lag grows; negative = shrinks */
    record Slope(Direction direction, double recordsPerSecond) {}

    void see(long records, long nowMillis) {
        if (samples.isEmpty() || nowMillis - samples.peekLast().millis() >= PERIOD_MILLIS) {
            samples.add(new Sample(nowMillis, records));
        }
        while (nowMillis - samples.peek().millis() > WINDOW_MILLIS) {
            samples.remove();
        }
    }

    /** Null = not known yet. */
    Slope slope() {
        if (samples.isEmpty() || samples.peekLast().millis() - samples.peek().millis() < LEAST_MILLIS) {
            return null;
        }
        long begin = samples.peek().millis();
        double seconds = samples.stream()
                .mapToDouble(sample -> sample.secondsSince(begin))
                .average()
                .orElse(0);
        double records = samples.stream().mapToDouble(Sample::records).average().orElse(0);
        double together = 0;
        double alone = 0;
        for (Sample sample : samples) {
            double x = sample.secondsSince(begin) - seconds;
            together += x * (sample.records() - records);
            alone += x * x;
        }
        double rate = together / alone;
        double noise = 0;
        for (Sample sample : samples) {
            double off = sample.records() - records - rate * (sample.secondsSince(begin) - seconds);
            noise += off * off;
        }
        double span = samples.peekLast().secondsSince(begin);
        boolean steady = Math.abs(rate * span) < Math.max(1, 2 * Math.sqrt(noise / samples.size()));
        Direction direction = steady ? Direction.STEADY : rate > 0 ? Direction.GROWING : Direction.SHRINKING;
        return new Slope(direction, Math.round(rate * 10) / 10.0);
    }
}
