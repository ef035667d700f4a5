package io.wherry.contract.record;

import org.apache.kafka.clients.consumer.ConsumerRecord;
import org.apache.kafka.clients.producer.ProducerRecord;

/**
 * Marks a record after which a table's rows are no longer the result of its records: rows were added to or removed from a
 * partition of a table that is carried whole, and no record names these rows. The record itself is an update without rows, so a
 * reader that does not know the mark has no row to alter.
 */
public final class Break {
    private static final String HEADER = "wherry.break";
    private static final byte[] MARK = {1};

    private Break() {}

    /** Marks a record as a break. */
    public static void mark(ProducerRecord<byte[], byte[]> record) {
        record.headers().add(HEADER, MARK);
    }

    /** Whether the record is a break. */
    public static boolean isMarked(ConsumerRecord<byte[], byte[]> record) {
        return record.headers().lastHeader(HEADER) != null;
    }
}
