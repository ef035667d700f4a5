package io.wherry.rehearsal.values;

import io.wherry.contract.config.Flow;
import io.wherry.contract.kafka.SchemaRegistry;
import io.wherry.sink.read.ChangeDecoder;
import java.lang.management.ManagementFactory;
import java.nio.ByteBuffer;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collections;
import java.util.List;
import java.util.OptionalInt;
import org.apache.avro.Schema;
import org.apache.kafka.clients.consumer.ConsumerRecord;
import org.apache.kafka.common.compress.Compression;
import org.apache.kafka.common.record.TimestampType;
import org.apache.kafka.common.record.internal.MemoryRecords;
import org.apache.kafka.common.record.internal.MemoryRecordsBuilder;
import org.apache.kafka.common.record.internal.Record;
import org.apache.kafka.common.utils.BufferSupplier;

/**
 * The cost of a row from the server's message to the sink-applier's change, without network and disks: CPU time of the source
 * (decode, encode, compress) and of the sink (decompress, decode), and bytes of its record, alone and in a compressed batch.
 */
public final class RecordCost {
    private static final int ROWS = 20_000;
    private static final int BATCH_BYTES = 256 * 1024;
    private static final String TOPIC = "shop.public.orders";

    private record Profile(String name, List<String> types, int unchanged, int perTransaction, int perBatch) {}

    private static final List<String> NARROW = List.of("int8", "int4", "int4", "timestamptz");
    private static final List<String> USUAL = List.of(
            "int8", "uuid", "varchar", "numeric", "numeric", "timestamptz", "timestamptz", "bool", "int4", "text");

    private static final List<Profile> PROFILES = List.of(
            new Profile("4 columns, 1 a transaction, full batches", NARROW, 0, 1, ROWS),
            new Profile("10 columns, 4 a transaction, full batches", USUAL, 0, 4, ROWS),
            new Profile("10 columns, 4 a transaction, batches of 8", USUAL, 0, 4, 8),
            new Profile("10 columns, 2 of them unchanged, full batches", USUAL, 2, 4, ROWS),
            new Profile("40 columns, 100 a transaction, full batches", repeat(USUAL, 4), 0, 100, ROWS));

    private final Profile profile;
    private final Registry registry = new Registry();
    private final WireRows rows;
    private final List<byte[][]> encoded = new ArrayList<>(ROWS);
    private final List<ByteBuffer> batches = new ArrayList<>();
    private final ByteBuffer room = ByteBuffer.allocate(2 * BATCH_BYTES);
    private long bytes;
    private long compressed;
    private long sum;

    private RecordCost(Profile profile) {
        this.profile = profile;
        rows = new WireRows(registry, profile.types(), profile.unchanged(), ROWS, profile.perTransaction());
    }

    /** @param arguments how many rounds are measured; the same number of rounds runs before them to warm up */
    public static void main(String[] arguments) {
        int rounds = Integer.parseInt(arguments[0]);
        for (Profile profile : PROFILES) {
            new RecordCost(profile).run(rounds);
        }
    }

    private void run(int rounds) {
        List<long[]> times = new ArrayList<>();
        for (int round = 0; round < 2 * rounds; round++) {
            long[] time = {cpu(this::encode), cpu(this::compress), cpu(this::decompressAndDecode)};
            if (round >= rounds) {
                times.add(time);
            }
        }
        double[] medians = new double[3];
        for (int i = 0; i < medians.length; i++) {
            int stage = i;
            long[] sorted =
                    times.stream().mapToLong(time -> time[stage]).sorted().toArray();
            medians[i] = (double) sorted[sorted.length / 2] / ROWS;
        }
        System.out.printf(
                "%-46s encode %5.0f compress %5.0f read %5.0f sum %5.0f ns; %4d bytes, compressed %6.1f%n",
                profile.name(),
                medians[0],
                medians[1],
                medians[2],
                Arrays.stream(medians).sum(),
                bytes / ROWS,
                (double) compressed / ROWS);
        if (sum == 42) {
            System.out.println("never: it keeps the decoder's work from being left out");
        }
    }

    private static long cpu(Runnable work) {
        long before = ManagementFactory.getThreadMXBean().getCurrentThreadCpuTime();
        work.run();
        return ManagementFactory.getThreadMXBean().getCurrentThreadCpuTime() - before;
    }

    private void encode() {
        encoded.clear();
        rows.encode((key, value) -> encoded.add(new byte[][] {key, value}));
    }

    private void compress() {
        batches.clear();
        bytes = 0;
        compressed = 0;
        MemoryRecordsBuilder builder = null;
        int inBatch = 0;
        for (byte[][] record : encoded) {
            if (builder == null) {
                builder = MemoryRecords.builder(
                        room.clear().limit(BATCH_BYTES), Compression.lz4().build(), TimestampType.CREATE_TIME, 0L);
                inBatch = 0;
            }
            builder.append(1_800_000_000_000L, record[0], record[1]);
            bytes += record[1].length;
            if (++inBatch == profile.perBatch()
                    || !builder.hasRoomFor(1_800_000_000_000L, record[0], record[1], Record.EMPTY_HEADERS)) {
                close(builder);
                builder = null;
            }
        }
        if (builder != null) {
            close(builder);
        }
    }

    private void close(MemoryRecordsBuilder builder) {
        ByteBuffer batch = builder.build().buffer();
        compressed += batch.remaining();
        batches.add(ByteBuffer.allocate(batch.remaining()).put(batch).flip());
    }

    private void decompressAndDecode() {
        ChangeDecoder decoder = new ChangeDecoder(registry, Flow.FIRST_GENERATION);
        BufferSupplier buffers = BufferSupplier.create();
        for (ByteBuffer batch : batches) {
            MemoryRecords.readableRecords(batch.duplicate()).batches().forEach(one -> {
                try (var records = one.streamingIterator(buffers)) {
                    records.forEachRemaining(record -> sum += decode(decoder, record));
                }
            });
        }
        buffers.close();
    }

    private static long decode(ChangeDecoder decoder, Record record) {
        byte[] key = new byte[record.keySize()];
        record.key().get(key);
        byte[] value = new byte[record.valueSize()];
        record.value().get(value);
        ConsumerRecord<byte[], byte[]> consumed = new ConsumerRecord<>(TOPIC, 0, record.offset(), key, value);
        return decoder.decode(consumed, value, WireRows.table()).order();
    }

    private static List<String> repeat(List<String> types, int times) {
        return Collections.nCopies(times, types).stream().flatMap(List::stream).toList();
    }

    private static final class Registry implements SchemaRegistry {
        private final List<Schema> schemas = new ArrayList<>();

        @Override
        public int register(String subject, Schema schema) {
            int known = schemas.indexOf(schema);
            if (known < 0) {
                schemas.add(schema);
            }
            return known < 0 ? schemas.size() - 1 : known;
        }

        @Override
        public Schema byId(int id) {
            return schemas.get(id);
        }

        @Override
        public OptionalInt latest(String subject) {
            return OptionalInt.empty();
        }
    }
}
