package io.wherry.sink.read;

import java.nio.charset.StandardCharsets;
import java.util.Arrays;
import java.util.Objects;

/**
 * Reads Avro's binary encoding (Avro specification, "Binary Encoding") from a byte array. Avro's own decoder copies a string once
 * more and keeps the copy; for giant values there is no memory for that.
 */
final class AvroReader {
    private final byte[] bytes;
    private int at;

    /** @param from where the body starts */
    AvroReader(byte[] bytes, int from) {
        this.bytes = bytes;
        this.at = from;
    }

    /** An int, a long, an enum's symbol, or the index of a union's branch: zigzag, seven bits a byte. */
    long number() {
        byte first = bytes[at];
        if (first >= 0) {
            at++;
            return first >>> 1 ^ -(first & 1);
        }
        long value = 0;
        for (int shift = 0; shift < 64; shift += 7) {
            byte next = bytes[at++];
            value |= (next & 0x7FL) << shift;
            if (next >= 0) {
                return value >>> 1 ^ -(value & 1);
            }
        }
        throw new IllegalArgumentException("a number of more than ten bytes");
    }

    void skipNumbers(int count) {
        for (int i = 0; i < count; i++) {
            number();
        }
    }

    boolean atEnd() {
        return at == bytes.length;
    }

    boolean bool() {
        return bytes[at++] != 0;
    }

    int position() {
        return at;
    }

    /** The bytes that were read since a position. */
    byte[] since(int position) {
        return Arrays.copyOfRange(bytes, position, at);
    }

    /** Whether these bytes come next; if so, they are skipped. */
    boolean skipIfNext(byte[] encoded) {
        int to = at + encoded.length;
        boolean next = to <= bytes.length && Arrays.equals(bytes, at, to, encoded, 0, encoded.length);
        if (next) {
            at = to;
        }
        return next;
    }

    /** A string of one ASCII character; 0 for any other string. */
    char letter() {
        int length = Math.toIntExact(number());
        int from = Objects.checkFromIndexSize(at, length, bytes.length);
        at += length;
        return length == 1 ? (char) bytes[from] : 0;
    }

    void skipStrings(int count) {
        for (int i = 0; i < count; i++) {
            int length = Math.toIntExact(number());
            at = Objects.checkFromIndexSize(at, length, bytes.length) + length;
        }
    }

    String string() {
        int length = Math.toIntExact(number());
        int from = Objects.checkFromIndexSize(at, length, bytes.length);
        at += length;
        return new String(bytes, from, length, StandardCharsets.UTF_8);
    }
}
