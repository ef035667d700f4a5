package io.wherry.coordinator.proof;

import io.wherry.coordinator.thread.MonotonicClock;
import java.sql.SQLException;
import java.time.Duration;

/**
 * How long it takes to compare all rows of one table as the window does: in sessions that know the table, by one statement on each
 * side. One thread measures, any thread may ask.
 */
final class WholeTime {
    /** A pass reads a table in parts and lists buckets of rows, so it takes longer than one statement. */
    private static final int PASS_TIMES = 4;

    /** A cutover that begins now waits for the measurement. */
    private static final double LONGEST_MILLIS = 2_500;

    private static final long AGAIN_MILLIS = 10 * 60_000;

    private final Duration wholeWithin;
    private volatile long nanos;
    private long againAfter;

    /** @param wholeWithin {@code verify.whole-within}: no table that takes longer is compared whole for choice */
    WholeTime(Duration wholeWithin) {
        this.wholeWithin = wholeWithin;
    }

    /** Time of the last measurement, or of the last pass of a table that takes long; 0 = unknown. */
    long nanos() {
        return nanos;
    }

    /**
     * A pass is complete.
     *
     * @param tookNanos without its pauses
     * @param whole whether the pass has read the table by one statement
     */
    void passed(SqlSides sides, long tookNanos, boolean whole) throws SQLException {
        nanos = whole || tookNanos > PASS_TIMES * wholeWithin.toNanos() ? tookNanos : measure(sides, tookNanos);
    }

    /**
     * The table changes all the time, so that no pass of it begins: measures now and then, because the window will have to compare all
     * rows.
     *
     * @param rows by the statistics; not above 0 = unknown
     * @return whether the table was read
     */
    boolean measured(SqlSides sides, long rows, long bytes) throws SQLException {
        long now = MonotonicClock.millis();
        if (againAfter != 0 && now < againAfter || WindowForecast.millis(rows, bytes) > LONGEST_MILLIS) {
            return false;
        }
        nanos = measure(sides, 0);
        againAfter = MonotonicClock.millis() + AGAIN_MILLIS;
        return true;
    }

    private static long measure(SqlSides sides, long otherwise) throws SQLException {
        long began = System.nanoTime();
        try {
            sides.sums();
        } catch (SQLException e) {
            if (Pass.CANCELED.equals(e.getSQLState())) {
                return otherwise;
            }
            throw e;
        }
        return System.nanoTime() - began;
    }
}
