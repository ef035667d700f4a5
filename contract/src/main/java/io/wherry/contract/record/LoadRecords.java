package io.wherry.contract.record;

import io.wherry.contract.error.DataException;
import io.wherry.contract.name.TableId;
import io.wherry.contract.postgres.Lsn;
import java.nio.charset.StandardCharsets;
import java.util.List;
import java.util.Objects;
import org.apache.kafka.clients.consumer.ConsumerRecord;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.apache.kafka.common.header.Header;

/**
 * Records of the load topic. A chunk is one {@link ChunkHeader}, the raw COPY byte stream cut into blocks at arbitrary bytes, and
 * one {@link ChunkTrailer}, in this order on one partition. A header without its trailer belongs to a chunk whose reader died:
 * the records after it are void until the next header.
 */
public final class LoadRecords {
    private static final String KIND = "wherry";
    private static final byte[] HEADER = {'H'};
    private static final byte[] BLOCK = {'B'};
    private static final byte[] TRAILER = {'T'};

    private LoadRecords() {}

    /** A record of the load topic, decoded. */
    public sealed interface LoadRecord {}

    /**
     * @param epoch of the load plan it belongs to
     * @param chunk number within the table, from 0
     * @param binary COPY format: binary, else text
     * @param columns names in the order of the stream
     * @param types of the columns, as SQL text with modifier and collation; empty = not known
     * @param replaces key columns; the chunk's rows replace rows with the same key. Empty = the chunk replaces no rows
     */
    public record ChunkHeader(
            TableId table,
            int epoch,
            int chunk,
            Lsn snapshotLsn,
            boolean binary,
            List<String> columns,
            List<String> types,
            List<String> replaces)
            implements LoadRecord {
        public ChunkHeader {
            Objects.requireNonNull(table, "table");
            Objects.requireNonNull(columns, "columns");
            types = types == null ? List.of() : List.copyOf(types);
            replaces = replaces == null ? List.of() : List.copyOf(replaces);
        }

        public ChunkHeader(TableId table, int epoch, int chunk, Lsn snapshotLsn, boolean binary, List<String> columns) {
            this(table, epoch, chunk, snapshotLsn, binary, columns, List.of(), List.of());
        }
    }

    /** @param bytes of the COPY stream; a block starts and ends anywhere, also within a value */
    public record Block(byte[] bytes) implements LoadRecord {}

    /**
     * @param rows as the server counted them when COPY ended
     * @param bytes of all blocks together
     * @param crc32c of all blocks' bytes in order
     */
    public record ChunkTrailer(TableId table, int epoch, int chunk, long rows, long bytes, int crc32c)
            implements LoadRecord {
        public ChunkTrailer {
            Objects.requireNonNull(table, "table");
        }
    }

    public static ProducerRecord<byte[], byte[]> record(String topic, int partition, LoadRecord record) {
        if (record instanceof Block block) {
            return kind(new ProducerRecord<>(topic, partition, null, block.bytes()), BLOCK);
        }
        byte[] kind = record instanceof ChunkHeader ? HEADER : TRAILER;
        return kind(new ProducerRecord<>(topic, partition, null, Json.write(record)), kind);
    }

    /** @throws DataException when the record is not one of Wherry's */
    public static LoadRecord parse(ConsumerRecord<byte[], byte[]> record) {
        Header kind = record.headers().lastHeader(KIND);
        byte[] code = kind == null ? null : kind.value();
        return switch (code == null || code.length != 1 || record.value() == null ? 0 : code[0]) {
            case 'H' -> Json.read(record, ChunkHeader.class);
            case 'B' -> new Block(record.value());
            case 'T' -> Json.read(record, ChunkTrailer.class);
            default ->
                throw new DataException(
                        "read",
                        record.topic() + "-" + record.partition() + " offset " + record.offset(),
                        "a record that is not Wherry's (kind '"
                                + (code == null ? "" : new String(code, StandardCharsets.UTF_8)) + "')",
                        "Check who else writes to this topic; it must belong to the migration alone");
        };
    }

    private static ProducerRecord<byte[], byte[]> kind(ProducerRecord<byte[], byte[]> record, byte[] kind) {
        record.headers().add(KIND, kind);
        return record;
    }
}
