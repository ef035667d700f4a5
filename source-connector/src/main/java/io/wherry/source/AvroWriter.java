package io.wherry.source;

import java.nio.ByteBuffer;
import java.util.Arrays;

/**
 * Writes Avro's binary encoding (Avro specification, "Binary Encoding") into one buffer that is used again for every
 * record. Not safe for use by several threads.
 */
final class AvroWriter {
    private static final int KEPT_BYTES = 1 << 20;

    private byte[] buffer = new byte[4096];
    private int size;

    /** Begins a record in Confluent's wire format: byte 0 and the schema's id. */
    void begin(int schemaId) {
        // One giant row must not pin its buffer for the rest of the stream.
        if (buffer.length > KEPT_BYTES) {
            buffer = new byte[4096];
        }
        size = 0;
        ensure(5);
        buffer[size++] = 0;
        buffer[size++] = (byte) (schemaId >>> 24);
        buffer[size++] = (byte) (schemaId >>> 16);
        buffer[size++] = (byte) (schemaId >>> 8);
        buffer[size++] = (byte) schemaId;
    }

    byte[] finish() {
        return Arrays.copyOf(buffer, size);
    }

    /** An int, a long, or the index of a union's branch: zigzag, seven bits a byte. */
    void number(long value) {
        ensure(10);
        long rest = value << 1 ^ value >> 63;
        while ((rest & ~0x7FL) != 0) {
            buffer[size++] = (byte) (rest & 0x7F | 0x80);
            rest >>>= 7;
        }
        buffer[size++] = (byte) rest;
    }

    void bool(boolean value) {
        ensure(1);
        buffer[size++] = (byte) (value ? 1 : 0);
    }

    /** A string whose UTF-8 bytes are {@code length} bytes of {@code from} starting at {@code offset}. */
    void string(ByteBuffer from, int offset, int length) {
        number(length);
        ensure(length);
        from.get(offset, buffer, size, length);
        size += length;
    }

    /** A string of ASCII characters. */
    void ascii(String text) {
        number(text.length());
        ensure(text.length());
        for (int i = 0; i < text.length(); i++) {
            buffer[size++] = (byte) text.charAt(i);
        }
    }

    private void ensure(int more) {
        int needed = Math.addExact(size, more);
        if (needed > buffer.length) {
            // Doubling a giant row's buffer would cost twice the row in memory.
            int capacity = needed > KEPT_BYTES ? needed + 4096 : Math.max(needed, 2 * buffer.length);
            buffer = Arrays.copyOf(buffer, capacity);
        }
    }
}
