package io.wherry.contract.record;

import org.apache.kafka.clients.consumer.ConsumerRecord;
import org.apache.kafka.clients.producer.ProducerRecord;

/**
 * The mark of a record at which a table's rows are no longer what its records make of them: rows of a partition of a table that is
 * carried whole came or went, and no record names them. The record itself is an update without rows, so a reader that does not
 * know the mark has no row to alter.
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
