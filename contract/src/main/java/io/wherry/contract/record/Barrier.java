package io.wherry.contract.record;

import io.wherry.contract.postgres.Lsn;
import java.nio.ByteBuffer;
import org.apache.kafka.clients.consumer.ConsumerRecord;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.apache.kafka.common.header.Header;

/**
 * The mark of records at which the partitions of one table wait for one another. A change that concerns several keys (TRUNCATE, a
 * key change) has its place among the changes of all partitions. So it goes to every one of them, and what the same Kafka
 * transaction holds of that table afterwards, the section, goes to partition 0 alone. All these records carry the mark: the
 * commit LSN of the source transaction that the first one is of.
 *
 * <p>Who reads a topic partition by partition applies the section from partition 0, after everything before the mark in the
 * others, and before everything after it. Tables with one partition have no marks.
 */
public final class Barrier {
    private static final String HEADER = "wherry.barrier";

    private Barrier() {}

    /** Marks a record as part of a section. */
    public static void mark(ProducerRecord<byte[], byte[]> record, Lsn section) {
        record.headers()
                .add(
                        HEADER,
                        ByteBuffer.allocate(Long.BYTES).putLong(section.value()).array());
    }

    /** The section of the record, or of the value that it is a part of; null when it is not marked. */
    public static Lsn section(ConsumerRecord<byte[], byte[]> record) {
        Header header = record.headers().lastHeader(HEADER);
        return header == null || header.value() == null || header.value().length != Long.BYTES
                ? null
                : new Lsn(ByteBuffer.wrap(header.value()).getLong());
    }
}
