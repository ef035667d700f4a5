package io.wherry.source.decode;

import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.util.Arrays;

/**
 * Writes Avro's binary encoding (Avro specification, "Binary Encoding") into one buffer, which every record uses again. Not safe
 * for use by several threads.
 */
final class AvroWriter {
    /** A record of this size or more, in bytes, is giant. */
    static final int KEPT_BYTES = 1 << 20;

    /** The most bytes that a number takes. */
    private static final int NUMBER_BYTES = 10;

    private byte[] buffer = new byte[4096];
    private int size;
    private boolean counting;

    /** Begins a record of any size in Confluent's wire format: byte 0 and the schema's id. */
    void begin(int schemaId) {
        begin(schemaId, 0);
    }

    /**
     * Begins a record.
     *
     * @param bytes exact size of a giant record, as {@link #counted} gives it, so that the record is never copied; 0 = unknown
     */
    void begin(int schemaId, int bytes) {
        counting = false;
        // The buffer of one giant row must not stay for the rest of the stream.
        if (bytes > 0 || buffer.length > KEPT_BYTES) {
            buffer = new byte[Math.max(bytes, bytes > 0 ? 0 : 4096)];
        }
        size = 0;
        ensure(5);
        buffer[size++] = 0;
        buffer[size++] = (byte) (schemaId >>> 24);
        buffer[size++] = (byte) (schemaId >>> 16);
        buffer[size++] = (byte) (schemaId >>> 8);
        buffer[size++] = (byte) schemaId;
    }

    /** Begins a part of records, without the header of the wire format. */
    void beginBare() {
        counting = false;
        size = 0;
    }

    /** From now on the bytes are counted, not written. */
    void count() {
        counting = true;
        // The header.
        size = 5;
    }

    /** Size of the record that was counted since {@link #count}, in bytes. */
    int counted() {
        return size;
    }

    byte[] finish() {
        if (size == buffer.length) {
            byte[] whole = buffer;
            buffer = new byte[4096];
            return whole;
        }
        return Arrays.copyOf(buffer, size);
    }

    /** An int, a long, or the index of a union's branch: zigzag, seven bits a byte. */
    void number(long value) {
        long rest = value << 1 ^ value >> 63;
        if (counting) {
            size = Math.addExact(size, (70 - Long.numberOfLeadingZeros(rest | 1)) / 7);
            return;
        }
        if (buffer.length - size < NUMBER_BYTES) {
            // Not more than the number takes: the buffer of a giant record has exactly the size of the record.
            ensure((70 - Long.numberOfLeadingZeros(rest | 1)) / 7);
        }
        while ((rest & ~0x7FL) != 0) {
            buffer[size++] = (byte) (rest & 0x7F | 0x80);
            rest >>>= 7;
        }
        buffer[size++] = (byte) rest;
    }

    void bool(boolean value) {
        if (counting) {
            size++;
            return;
        }
        ensure(1);
        buffer[size++] = (byte) (value ? 1 : 0);
    }

    /** A string whose UTF-8 bytes are {@code length} bytes of {@code from} starting at {@code offset}. */
    void string(ByteBuffer from, int offset, int length) {
        number(length);
        if (counting) {
            size = Math.addExact(size, length);
            return;
        }
        ensure(length);
        from.get(offset, buffer, size, length);
        size += length;
    }

    /** A string of one ASCII character. */
    void letter(char character) {
        number(1);
        if (counting) {
            size++;
            return;
        }
        ensure(1);
        buffer[size++] = (byte) character;
    }

    /** A string. */
    void text(String text) {
        byte[] utf8 = text.getBytes(StandardCharsets.UTF_8);
        number(utf8.length);
        encoded(utf8);
    }

    /** Bytes that are already encoded. */
    void encoded(byte[] bytes) {
        if (counting) {
            size = Math.addExact(size, bytes.length);
            return;
        }
        ensure(bytes.length);
        System.arraycopy(bytes, 0, buffer, size, bytes.length);
        size += bytes.length;
    }

    private void ensure(int more) {
        int needed = Math.addExact(size, more);
        if (needed > buffer.length) {
            buffer = Arrays.copyOf(buffer, Math.max(needed, 2 * buffer.length));
        }
    }
}
