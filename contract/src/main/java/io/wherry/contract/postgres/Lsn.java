package io.wherry.contract.postgres;

/**
 * A PostgreSQL log sequence number: a byte position in the write-ahead log.
 *
 * <p>Text form {@code X/Y} as in the PostgreSQL documentation, section 8.20 (pg_lsn Type). Ordered as an unsigned
 * 64-bit number, as the server orders it.
 *
 * @param value the position in bytes, unsigned
 */
public record Lsn(long value) implements Comparable<Lsn> {
    /** Before every position a server can report. */
    public static final Lsn ZERO = new Lsn(0);

    /**
     * Reads the text form {@code X/Y}.
     *
     * @throws IllegalArgumentException when the text is not two hexadecimal numbers of up to eight digits
     */
    public static Lsn parse(String text) {
        int slash = text.indexOf('/');
        if (slash < 1 || slash > 8 || text.length() - slash < 2 || text.length() - slash > 9) {
            throw new IllegalArgumentException("not an LSN: " + text);
        }
        long high = Long.parseUnsignedLong(text.substring(0, slash), 16);
        long low = Long.parseUnsignedLong(text.substring(slash + 1), 16);
        return new Lsn(high << 32 | low);
    }

    /** Bytes of write-ahead log from {@code earlier} to this position; negative when this one is the earlier. */
    public long bytesSince(Lsn earlier) {
        return value - earlier.value;
    }

    public boolean isAfter(Lsn other) {
        return compareTo(other) > 0;
    }

    public static Lsn max(Lsn a, Lsn b) {
        return a.isAfter(b) ? a : b;
    }

    @Override
    public int compareTo(Lsn other) {
        return Long.compareUnsigned(value, other.value);
    }

    @Override
    public String toString() {
        return String.format("%X/%X", value >>> 32, value & 0xFFFFFFFFL);
    }
}
