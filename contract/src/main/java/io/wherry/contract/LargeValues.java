package io.wherry.contract;

import java.nio.ByteBuffer;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import org.apache.kafka.clients.consumer.ConsumerRecord;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.apache.kafka.common.header.Header;

/**
 * Values larger than a broker takes travel as several records, one after another on the same partition, and are joined by
 * the reader. All parts stand in one Kafka transaction, so a committed reader sees all of them or none.
 */
public final class LargeValues {
    /** Bytes of a part: below the broker's default {@code message.max.bytes} (1,048,588) with room for key and headers. */
    public static final int PART_BYTES = 900 * 1024;

    private static final String PART = "wherry.part";

    private LargeValues() {}

    /** The record itself when its value fits, else its parts in order; each part carries its number and their count. */
    public static List<ProducerRecord<byte[], byte[]>> split(ProducerRecord<byte[], byte[]> record) {
        byte[] value = record.value();
        if (value == null || value.length <= PART_BYTES) {
            return List.of(record);
        }
        int count = (value.length + PART_BYTES - 1) / PART_BYTES;
        List<ProducerRecord<byte[], byte[]>> parts = new ArrayList<>(count);
        for (int part = 0; part < count; part++) {
            int from = part * PART_BYTES;
            byte[] bytes = Arrays.copyOfRange(value, from, Math.min(value.length, from + PART_BYTES));
            ProducerRecord<byte[], byte[]> piece =
                    new ProducerRecord<>(record.topic(), record.partition(), record.key(), bytes);
            piece.headers()
                    .add(PART, ByteBuffer.allocate(8).putInt(part).putInt(count).array());
            parts.add(piece);
        }
        return parts;
    }

    /** Joins the parts of one topic-partition; one instance each, fed every record in order. */
    public static final class Joiner {
        private final List<byte[]> parts = new ArrayList<>();
        private long firstOffset = -1;

        /**
         * @return the whole value, or null while parts are missing
         * @throws DataException when a part is out of order, which a broker never does to a transaction
         */
        public byte[] add(ConsumerRecord<byte[], byte[]> record) {
            Header header = record.headers().lastHeader(PART);
            if (header == null) {
                require(parts.isEmpty(), record);
                return record.value();
            }
            ByteBuffer numbers = ByteBuffer.wrap(header.value());
            int part = numbers.getInt();
            int count = numbers.getInt();
            require(part == parts.size() && part < count, record);
            if (part == 0) {
                firstOffset = record.offset();
            }
            parts.add(record.value());
            if (part + 1 < count) {
                return null;
            }
            byte[] whole = join();
            parts.clear();
            firstOffset = -1;
            return whole;
        }

        /** Offset of the first part of an unfinished value, or -1: a checkpoint must not pass it. */
        public long unfinishedFrom() {
            return firstOffset;
        }

        private byte[] join() {
            int size = 0;
            for (byte[] part : parts) {
                size += part.length;
            }
            ByteBuffer whole = ByteBuffer.allocate(size);
            parts.forEach(whole::put);
            return whole.array();
        }

        private static void require(boolean inOrder, ConsumerRecord<byte[], byte[]> record) {
            if (!inOrder) {
                throw new DataException(
                        "join large value",
                        record.topic() + "-" + record.partition() + " offset " + record.offset(),
                        "its parts are not in order",
                        "Records of this topic were removed or written by somebody else; load the table again");
            }
        }
    }
}
