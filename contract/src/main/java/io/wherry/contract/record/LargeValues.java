package io.wherry.contract.record;

import io.wherry.contract.error.DataException;
import java.nio.ByteBuffer;
import java.util.AbstractList;
import java.util.Arrays;
import java.util.List;
import java.util.Objects;
import org.apache.kafka.clients.consumer.ConsumerRecord;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.header.Header;

/**
 * Values larger than a broker accepts travel as several records, one after another on the same partition; the reader joins them.
 * All parts are in one Kafka transaction, so a reader of committed records sees all of them or none.
 */
public final class LargeValues {
    /**
     * Bytes of a part: far below the broker's default {@code message.max.bytes} (1,048,588). A reader must ask for records by
     * their number; with small parts it knows how much memory they take, however well they were compressed.
     */
    public static final int PART_BYTES = 240 * 1024;

    private static final int HEADER_BYTES = 12;
    private static final String PART = "wherry.part";

    private LargeValues() {}

    /**
     * The record itself if its value fits, otherwise its parts in order. Each part carries the record's headers, its number, the
     * number of parts and the total bytes. A part is built when it is requested, so that a giant value is not held twice.
     */
    public static List<ProducerRecord<byte[], byte[]>> split(ProducerRecord<byte[], byte[]> record) {
        byte[] value = record.value();
        if (value == null || value.length <= PART_BYTES) {
            return List.of(record);
        }
        int count = (value.length + PART_BYTES - 1) / PART_BYTES;
        return new AbstractList<>() {
            @Override
            public ProducerRecord<byte[], byte[]> get(int part) {
                return part(record, Objects.checkIndex(part, count), count);
            }

            @Override
            public int size() {
                return count;
            }
        };
    }

    private static ProducerRecord<byte[], byte[]> part(ProducerRecord<byte[], byte[]> record, int part, int count) {
        byte[] value = record.value();
        int from = part * PART_BYTES;
        byte[] bytes = Arrays.copyOfRange(value, from, Math.min(value.length, from + PART_BYTES));
        ProducerRecord<byte[], byte[]> piece =
                new ProducerRecord<>(record.topic(), record.partition(), record.key(), bytes);
        ByteBuffer numbers =
                ByteBuffer.allocate(HEADER_BYTES).putInt(part).putInt(count).putInt(value.length);
        record.headers().forEach(piece.headers()::add);
        piece.headers().add(PART, numbers.array());
        return piece;
    }

    /** Whether the record is a part of a longer one. */
    public static boolean isPart(ConsumerRecord<byte[], byte[]> record) {
        return record.headers().lastHeader(PART) != null;
    }

    /**
     * Bytes of the value whose first part this record is; a joiner reserves that memory when the part arrives. 0 for any other
     * record.
     */
    public static int bytesBegun(ConsumerRecord<byte[], byte[]> record) {
        Header header = record.headers().lastHeader(PART);
        if (header == null || header.value() == null || header.value().length != HEADER_BYTES) {
            return 0;
        }
        ByteBuffer numbers = ByteBuffer.wrap(header.value());
        return numbers.getInt() == 0 ? numbers.getInt(2 * Integer.BYTES) : 0;
    }

    /** Joins the parts of one topic-partition; one instance for each partition, which gets every record in order. */
    public static final class Joiner {
        private ByteBuffer whole;
        private int next;
        private long firstOffset = -1;

        /**
         * @return the whole value, or null while parts are missing
         * @throws DataException when a part is out of order, which a broker never does to a transaction
         */
        public byte[] add(ConsumerRecord<byte[], byte[]> record) {
            Header header = record.headers().lastHeader(PART);
            if (header == null) {
                require(whole == null, record);
                return record.value();
            }
            require(header.value() != null && header.value().length == HEADER_BYTES && record.value() != null, record);
            ByteBuffer numbers = ByteBuffer.wrap(header.value());
            int part = numbers.getInt();
            int count = numbers.getInt();
            require(part == next && part < count, record);
            if (part == 0) {
                firstOffset = record.offset();
                int bytes = numbers.getInt();
                // A foreign header must not make Wherry reserve memory that the parts do not need.
                require(
                        record.value().length == PART_BYTES && bytes / PART_BYTES <= count && bytes > PART_BYTES,
                        record);
                whole = ByteBuffer.allocate(bytes);
            }
            require(record.value().length <= whole.remaining(), record);
            whole.put(record.value());
            next++;
            if (next < count) {
                return null;
            }
            require(!whole.hasRemaining(), record);
            byte[] joined = whole.array();
            whole = null;
            next = 0;
            firstOffset = -1;
            return joined;
        }

        /** Offset of the first part of an unfinished value, or -1: a checkpoint must not pass it. */
        public long unfinishedFrom() {
            return firstOffset;
        }

        /**
         * @throws DataException when a value is unfinished: all its parts are in one transaction, and no committed record is left
         */
        public void requireWhole(TopicPartition partition) {
            if (whole != null) {
                throw broken(partition + " offset " + firstOffset, "its last parts are missing");
            }
        }

        private static void require(boolean inOrder, ConsumerRecord<byte[], byte[]> record) {
            if (!inOrder) {
                throw broken(
                        record.topic() + "-" + record.partition() + " offset " + record.offset(),
                        "its parts are not in order");
            }
        }

        private static DataException broken(String where, String problem) {
            return new DataException(
                    "join large value",
                    where,
                    problem,
                    "Records of this topic were removed, or another program wrote to it; run wherry reload --table for"
                            + " its table");
        }
    }
}
