package io.wherry.contract.record;

import io.wherry.contract.postgres.Lsn;
import java.nio.ByteBuffer;
import org.apache.kafka.clients.consumer.ConsumerRecord;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.apache.kafka.common.header.Header;

/**
 * The mark of records at which the partitions of one table wait for one another. A change that concerns several keys (TRUNCATE, a
 * key change) has its place among the changes of all partitions. So the change goes to every partition, and what the same Kafka
 * transaction holds of that table afterwards, the section, goes to partition 0 alone. All these records carry the mark of the
 * section.
 *
 * <p>A reader that reads a topic partition by partition applies the section from partition 0, after everything before the mark in
 * the others, and before everything after it. Tables with one partition have no marks.
 */
public final class Barrier {
    private static final String HEADER = "wherry.barrier";

    private Barrier() {}

    /**
     * Names a section by its first change. The commit LSN alone would not do: one source transaction may need several Kafka
     * transactions, and each of them may begin a section of the same table.
     *
     * @param commitLsn of the first change's source transaction
     * @param order of the first change within that transaction
     */
    public record Section(Lsn commitLsn, long order) {
        @Override
        public String toString() {
            return commitLsn + " change " + order;
        }
    }

    /** Marks a record as part of a section. */
    public static void mark(ProducerRecord<byte[], byte[]> record, Section section) {
        record.headers()
                .add(
                        HEADER,
                        ByteBuffer.allocate(2 * Long.BYTES)
                                .putLong(section.commitLsn().value())
                                .putLong(section.order())
                                .array());
    }

    /** The section of the record, or of the value that it is a part of; null when it is not marked. */
    public static Section section(ConsumerRecord<byte[], byte[]> record) {
        Header header = record.headers().lastHeader(HEADER);
        if (header == null || header.value() == null || header.value().length != 2 * Long.BYTES) {
            return null;
        }
        ByteBuffer section = ByteBuffer.wrap(header.value());
        return new Section(new Lsn(section.getLong()), section.getLong());
    }
}
