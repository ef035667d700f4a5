package io.wherry.source.decode;

import io.wherry.contract.error.DataException;
import java.nio.ByteBuffer;

/**
 * Where the columns of one tuple stand in a row message; nothing is copied. Used again for every row, so valid only until
 * the next {@link #read}.
 */
final class Tuple {
    private static final int NULL = -1;
    private static final int UNCHANGED = -2;

    private ByteBuffer message;
    private int[] offsets = new int[16];
    private int[] lengths = new int[16];
    private int columns;

    /**
     * Reads a TupleData at the message's position and leaves the position behind it.
     *
     * @param leftOut columns that are as if they were not there; null = none
     */
    void read(ByteBuffer from, boolean[] leftOut) {
        message = from;
        int onWire = from.getShort();
        if (onWire > offsets.length) {
            offsets = new int[onWire];
            lengths = new int[onWire];
        }
        columns = 0;
        for (int at = 0; at < onWire; at++) {
            // The next column overwrites one that is left out.
            int i = columns;
            if (leftOut == null || at >= leftOut.length || !leftOut[at]) {
                columns++;
            }
            byte kind = from.get();
            switch (kind) {
                case 'n' -> lengths[i] = NULL;
                case 'u' -> lengths[i] = UNCHANGED;
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
                            "This server speaks a protocol that Wherry does not know; report its version");
            }
        }
    }

    /** Bytes of all values together, in the wire's text. */
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

    /** The stream did not carry the value: a TOAST value that the update left alone. */
    boolean isUnchanged(int column) {
        return lengths[column] == UNCHANGED;
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
            // Summed up below zero: the least int8 has no positive counterpart.
            value = value * 10 - (message.get(i) - '0');
        }
        return negative ? value : -value;
    }
}
