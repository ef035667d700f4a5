package io.wherry.contract;

import org.apache.kafka.clients.consumer.ConsumerRecord;
import org.apache.kafka.clients.producer.ProducerRecord;

/**
 * Marks a record at which the partitions of one table wait for one another. A change that concerns several keys (TRUNCATE, a key
 * change) has its place among the changes of all partitions: it goes to every one of them, marked, within one Kafka transaction.
 * What the same source transaction does to that table afterwards goes to partition 0 alone, unmarked.
 *
 * <p>So who reads a topic partition by partition applies the change and what follows of its source transaction from partition
 * 0, after everything that stands before the mark in the others, and before everything that stands after it. Tables with one
 * partition have no marks.
 */
public final class Barrier {
    private static final String HEADER = "wherry.barrier";
    private static final byte[] NOTHING = {};

    private Barrier() {}

    public static void mark(ProducerRecord<byte[], byte[]> record) {
        record.headers().add(HEADER, NOTHING);
    }

    /** Whether the record, or the value that it is a part of, is marked. */
    public static boolean marks(ConsumerRecord<byte[], byte[]> record) {
        return record.headers().lastHeader(HEADER) != null;
    }
}
