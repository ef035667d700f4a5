package io.wherry.coordinator.whole;

import io.wherry.coordinator.thread.MonotonicClock;
import java.sql.SQLException;
import java.time.Duration;

/**
 * How long it takes to compare all rows of one table as the window does: in sessions that know the table, by one statement on each
 * side. One thread measures, any thread may ask.
 */
public final class WholeTime {
    /** A pass reads a table in parts and lists buckets of rows, so it takes longer than one statement. */
    private static final int PASS_TIMES = 4;

    /** A cutover that begins now waits for the measurement. */
    private static final double LONGEST_MILLIS = 2_500;

    private static final long AGAIN_MILLIS = 10 * 60_000;

    // A million rows took one to three seconds (ADR 48).
    private static final double ROWS_PER_MILLI = 500;
    // 5,000 tables of one row took 6 s, two at a time (docs/performance.md).
    private static final double MILLIS_OF_A_TABLE = 2;
    // Assumed, not measured: for wide rows, and for tables that were never analyzed.
    private static final double BYTES_PER_MILLI = 100_000;

    private static final String CANCELED = "57014";

    private final Duration wholeWithin;
    private volatile long nanos;
    private long againAfter;

    /** A comparison of all rows. */
    public interface Comparison {
        void run() throws SQLException;
    }

    /** @param wholeWithin {@code verify.whole-within}: no table that takes longer is compared whole for choice */
    public WholeTime(Duration wholeWithin) {
        this.wholeWithin = wholeWithin;
    }

    /** Time of the last measurement, or of the last pass of a table that takes long; 0 = unknown. */
    public long nanos() {
        return nanos;
    }

    /**
     * A pass is complete.
     *
     * @param tookNanos without its pauses
     * @param whole whether the pass has read the table by one statement
     */
    public void passed(Comparison comparison, long tookNanos, boolean whole) throws SQLException {
        nanos = whole || tookNanos > PASS_TIMES * wholeWithin.toNanos() ? tookNanos : measure(comparison, tookNanos);
    }

    /**
     * The table changes all the time, so that no pass of it begins: measures now and then, because the window will have to compare all
     * rows.
     *
     * @param rows by the statistics; not above 0 = unknown
     * @return whether the table was read
     */
    public boolean measured(Comparison comparison, long rows, long bytes) throws SQLException {
        long now = MonotonicClock.millis();
        if (againAfter != 0 && now < againAfter || expectedMillis(rows, bytes) > LONGEST_MILLIS) {
            return false;
        }
        nanos = measure(comparison, 0);
        againAfter = MonotonicClock.millis() + AGAIN_MILLIS;
        return true;
    }

    /**
     * Expected time of a comparison of which nothing is known but the table's size, ms.
     *
     * @param rows by the statistics; not above 0 = unknown
     * @param bytes heap and TOAST
     */
    public static double expectedMillis(long rows, long bytes) {
        return MILLIS_OF_A_TABLE + Math.max(rows / ROWS_PER_MILLI, bytes / BYTES_PER_MILLI);
    }

    private static long measure(Comparison comparison, long otherwise) throws SQLException {
        long began = System.nanoTime();
        try {
            comparison.run();
        } catch (SQLException e) {
            if (CANCELED.equals(e.getSQLState())) {
                return otherwise;
            }
            throw e;
        }
        return System.nanoTime() - began;
    }
}
