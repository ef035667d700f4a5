package io.wherry.source.decode;

import io.wherry.contract.error.DataException;
import java.nio.ByteBuffer;

/**
 * The places of the columns of one tuple in a row message; nothing is copied. Every row uses the same object, so its content is
 * valid only until the next {@link #read}.
 */
final class Tuple {
    private static final int NULL = -1;
    private static final int UNCHANGED = -2;

    private ByteBuffer message;
    private int[] offsets = new int[16];
    private int[] lengths = new int[16];
    private int columns;
    private boolean complete;

    /**
     * Reads a TupleData at the position of the message, and moves the position to its end.
     *
     * @param leftOut columns to skip; null = none
     */
    void read(ByteBuffer from, boolean[] leftOut) {
        message = from;
        int onWire = from.getShort();
        if (onWire > offsets.length) {
            offsets = new int[onWire];
            lengths = new int[onWire];
        }
        columns = 0;
        complete = true;
        for (int at = 0; at < onWire; at++) {
            // The next column overwrites a column that is left out.
            int i = columns;
            if (leftOut == null || at >= leftOut.length || !leftOut[at]) {
                columns++;
            }
            byte kind = from.get();
            switch (kind) {
                case 'n' -> lengths[i] = NULL;
                case 'u' -> {
                    lengths[i] = UNCHANGED;
                    complete = false;
                }
                case 't' -> {
                    lengths[i] = from.getInt();
                    offsets[i] = from.position();
                    from.position(offsets[i] + lengths[i]);
                }
                default ->
                    throw new DataException(
                            "decode",
                            "a row of the stream",
                            "unknown kind of column '" + (char) kind + "'",
                            "Report this with the version of the source");
            }
        }
    }

    /** Size of all values together as text on the wire, in bytes. */
    int textBytes() {
        int bytes = 0;
        for (int i = 0; i < columns; i++) {
            bytes += Math.max(0, lengths[i]);
        }
        return bytes;
    }

    int columns() {
        return columns;
    }

    boolean isNull(int column) {
        return lengths[column] == NULL;
    }

    /** The stream did not carry the value: a TOAST value that the update did not change. */
    boolean isUnchanged(int column) {
        return lengths[column] == UNCHANGED;
    }

    /** Whether no column is unchanged. */
    boolean isComplete() {
        return complete;
    }

    void writeText(int column, AvroWriter out) {
        out.string(message, offsets[column], lengths[column]);
    }

    boolean bool(int column) {
        return message.get(offsets[column]) == 't';
    }

    /** The value of an integer column, from PostgreSQL's decimal text. */
    long number(int column) {
        int at = offsets[column];
        int end = at + lengths[column];
        boolean negative = message.get(at) == '-';
        long value = 0;
        for (int i = negative ? at + 1 : at; i < end; i++) {
            // The sum is negative, because the smallest int8 has no positive counterpart.
            value = value * 10 - (message.get(i) - '0');
        }
        return negative ? value : -value;
    }
}
