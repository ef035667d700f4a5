package io.wherry.rehearsal.values;

import io.wherry.contract.kafka.SchemaRegistry;
import io.wherry.contract.name.TableId;
import io.wherry.contract.postgres.TableShape;
import io.wherry.contract.postgres.TableShape.Column;
import io.wherry.contract.postgres.TableShape.TypeName;
import io.wherry.source.control.CaptureCounts;
import io.wherry.source.control.ColumnNumbers;
import io.wherry.source.control.Route;
import io.wherry.source.control.Routes;
import io.wherry.source.decode.Origin;
import io.wherry.source.decode.RepairMessages;
import io.wherry.source.decode.RowDecoder;
import io.wherry.source.decode.RowMark;
import io.wherry.source.decode.RowPlace;
import io.wherry.source.decode.SourceTransactions;
import java.io.ByteArrayOutputStream;
import java.io.DataOutputStream;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.time.Clock;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Optional;
import java.util.Random;

/** Updates of one table as the server sends them, to measure the cost of a row. */
public final class WireRows {
    private static final int OID = 16_400;
    private static final TableId TABLE = new TableId("public", "orders");
    private static final long FIRST_LSN = 0x2A_1000_0000L;

    private final List<String> types;
    private final List<byte[]> messages = new ArrayList<>();
    private final List<Long> lsns = new ArrayList<>();
    private final byte[] relation;
    private final SchemaRegistry registry;

    /**
     * @param types of the columns; the first column is the key
     * @param unchanged how many of the last columns are TOAST values that the updates did not touch
     * @param perTransaction rows
     */
    public WireRows(SchemaRegistry registry, List<String> types, int unchanged, int rows, int perTransaction) {
        this.registry = registry;
        this.types = types;
        relation = relation();
        Random random = new Random(1);
        long lsn = FIRST_LSN;
        for (int row = 0; row < rows; row++) {
            if (row % perTransaction == 0) {
                add(lsn, begin(lsn + 200L * perTransaction, row));
            }
            lsn += 120 + random.nextInt(80);
            add(lsn, update(random, unchanged));
            if ((row + 1) % perTransaction == 0) {
                add(lsn, commit(lsn));
                lsn += 56;
            }
        }
    }

    public static TableId table() {
        return TABLE;
    }

    /** Receives the parts of an encoded row; {@code key} and {@code value} as they go to Kafka. */
    public interface Sink {
        void row(byte[] key, byte[] value);
    }

    /** Decodes all messages and encodes their rows. */
    public void encode(Sink sink) {
        Routes routes = new Routes();
        routes.put(new Route(TABLE, "shop.public.orders", 1));
        routes.bind(Map.of(TABLE, new Routes.Identity(OID, ColumnNumbers.NONE)));
        RowDecoder decoder = new RowDecoder(
                routes,
                registry,
                relation -> shape(),
                new Rows(sink),
                new CaptureCounts(),
                new Origin("3.6.3.Final", "shop", "shop", 1),
                new RepairMessages("shop", 1, Optional::empty),
                Clock.systemUTC());
        decoder.take(ByteBuffer.wrap(relation), 0);
        for (int i = 0; i < messages.size(); i++) {
            decoder.take(ByteBuffer.wrap(messages.get(i)), lsns.get(i));
        }
    }

    private TableShape shape() {
        List<Column> columns = new ArrayList<>();
        for (int i = 0; i < types.size(); i++) {
            columns.add(new Column("column_" + i, new TypeName("pg_catalog", types.get(i))));
        }
        return new TableShape(TABLE, columns, List.of("column_0"));
    }

    private record Rows(Sink sink) implements SourceTransactions {
        @Override
        public Start begin(long commitLsn, long commitMillis) {
            return Start.WHOLE;
        }

        @Override
        public void row(RowPlace place, Route route, int partition, byte[] key, byte[] value, RowMark mark) {
            sink.row(key, value);
        }

        @Override
        public void barrier(RowPlace place, Route route, byte[] key, byte[] value, RowMark mark) {
            throw new IllegalStateException("one partition has no barriers");
        }

        @Override
        public void commit(long commitLsn, long endLsn) {}

        @Override
        public void quiet() {}
    }

    private void add(long lsn, byte[] message) {
        lsns.add(lsn);
        messages.add(message);
    }

    private interface Fields {
        void write(DataOutputStream out) throws IOException;
    }

    private static byte[] message(char kind, Fields fields) {
        ByteArrayOutputStream bytes = new ByteArrayOutputStream();
        DataOutputStream out = new DataOutputStream(bytes);
        try {
            out.writeByte(kind);
            fields.write(out);
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
        return bytes.toByteArray();
    }

    private byte[] relation() {
        return message('R', out -> {
            out.writeInt(OID);
            text(out, TABLE.schema());
            text(out, TABLE.table());
            out.writeByte('d');
            out.writeShort(types.size());
            for (int i = 0; i < types.size(); i++) {
                out.writeByte(i == 0 ? 1 : 0);
                text(out, "column_" + i);
                out.writeInt(25);
                out.writeInt(-1);
            }
        });
    }

    private static byte[] begin(long commitLsn, int number) {
        return message('B', out -> {
            out.writeLong(commitLsn);
            out.writeLong(820_000_000_000_000L + 1700L * number);
            out.writeInt(700_000 + number);
        });
    }

    private static byte[] commit(long lsn) {
        return message('C', out -> {
            out.writeByte(0);
            out.writeLong(lsn);
            out.writeLong(lsn + 56);
            out.writeLong(0);
        });
    }

    private byte[] update(Random random, int unchanged) {
        return message('U', out -> {
            out.writeInt(OID);
            out.writeByte('N');
            out.writeShort(types.size());
            for (int i = 0; i < types.size(); i++) {
                if (i >= types.size() - unchanged) {
                    out.writeByte('u');
                } else {
                    byte[] text = value(types.get(i), random).getBytes(StandardCharsets.UTF_8);
                    out.writeByte('t');
                    out.writeInt(text.length);
                    out.write(text);
                }
            }
        });
    }

    private static String value(String type, Random random) {
        return switch (type) {
            case "bool" -> random.nextBoolean() ? "t" : "f";
            case "int4" -> Integer.toString(random.nextInt(1_000_000));
            case "int8" -> Long.toString(random.nextLong(1_000_000_000));
            case "numeric" -> String.format(Locale.ROOT, "%.2f", random.nextDouble() * 1000);
            case "timestamptz" ->
                "2026-03-07 12:34:%02d.%06d+00".formatted(random.nextInt(60), random.nextInt(1000000));
            case "uuid" -> new java.util.UUID(random.nextLong(), random.nextLong()).toString();
            case "varchar" -> List.of("open", "paid", "shipped", "returned").get(random.nextInt(4));
            default -> "customer note %08x about %08x".formatted(random.nextInt(), random.nextInt());
        };
    }

    private static void text(DataOutputStream out, String text) throws IOException {
        out.write(text.getBytes(StandardCharsets.UTF_8));
        out.writeByte(0);
    }
}
