package io.wherry.sink.read;

import java.nio.charset.StandardCharsets;
import java.util.Objects;

/**
 * Reads Avro's binary encoding (Avro specification, "Binary Encoding") from a byte array. Avro's own decoder copies a string
 * once more and keeps the copy, which for giant values is memory that nobody has.
 */
final class AvroReader {
    private final byte[] bytes;
    private int at;

    /** @param from where the body begins */
    AvroReader(byte[] bytes, int from) {
        this.bytes = bytes;
        this.at = from;
    }

    /** An int, a long, an enum's symbol, or the index of a union's branch: zigzag, seven bits a byte. */
    long number() {
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

    String string() {
        int length = Math.toIntExact(number());
        int from = Objects.checkFromIndexSize(at, length, bytes.length);
        at += length;
        return new String(bytes, from, length, StandardCharsets.UTF_8);
    }
}
