package io.wherry.sink.read;

import io.wherry.contract.error.DataException;
import io.wherry.contract.kafka.SchemaRegistry;
import io.wherry.contract.name.TableId;
import io.wherry.contract.postgres.TableShape;
import io.wherry.contract.postgres.TableShape.Column;
import io.wherry.contract.record.Break;
import io.wherry.contract.record.ChangeSchemas;
import io.wherry.contract.record.Repair;
import io.wherry.sink.merge.Change;
import io.wherry.sink.merge.Change.Kind;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.util.Arrays;
import java.util.HashMap;
import java.util.Map;
import java.util.function.Supplier;
import org.apache.avro.Schema;
import org.apache.avro.SchemaNormalization;
import org.apache.kafka.clients.consumer.ConsumerRecord;

/**
 * Reads change records: Confluent's wire format, with Avro in the schema that the record was written with. The body becomes text
 * directly, without generic records in between: every schema has the one layout of {@link ChangeSchemas}, which is checked once,
 * when the schema is first met. Not safe for use by several threads.
 */
public final class ChangeDecoder {
    private static final int HEADER_BYTES = 5;
    private static final int NUMBERS_AFTER_COMMIT_LSN = 2;

    private final SchemaRegistry registry;
    private final int generation;
    private final Map<Integer, Writer> writers = new HashMap<>();
    /** Of the previous record: the next record mostly has the same schema and table. */
    private Writer last;

    private int lastSchema;
    private TableId lastTable;

    /** @param generation of the flow that the changes belong to */
    public ChangeDecoder(SchemaRegistry registry, int generation) {
        this.registry = registry;
        this.generation = generation;
    }

    /** A schema that records were written with. */
    private static final class Writer {
        final TableShape shape;
        final Schema.Type[] encodings;
        final boolean[] all;
        /** Columns that {@code before} always holds: those of the identity, or all. */
        final boolean[] known;
        /** Names of the columns' fields, encoded. */
        final byte[][] names;
        /** The end of {@code source} as in the last record, which was checked and is valid; null = there was no record. */
        byte[] sourceEnd;

        Writer(TableShape shape) {
            int columns = shape.columns().size();
            this.shape = shape;
            encodings = new Schema.Type[columns];
            all = new boolean[columns];
            known = new boolean[columns];
            names = new byte[columns][];
            for (int i = 0; i < columns; i++) {
                Column column = shape.columns().get(i);
                encodings[i] = ChangeSchemas.encoding(column.type());
                all[i] = true;
                known[i] = shape.identity().isEmpty() || shape.identity().contains(column.name());
                names[i] = ChangeSchemas.avroName(column.name()).getBytes(StandardCharsets.US_ASCII);
            }
        }
    }

    /**
     * @param record the record; for a value in parts, the last part
     * @param value the record's whole value
     * @param table whose topic it is
     * @throws DataException when the record is not one of Wherry's changes, or not of this table
     */
    public Change decode(ConsumerRecord<byte[], byte[]> record, byte[] value, TableId table) {
        if (value == null || value.length < HEADER_BYTES || value[0] != 0) {
            throw foreign(where(record), "not in the registry's wire format", null);
        }
        int schema = ByteBuffer.wrap(value).getInt(1);
        if (last == null || schema != lastSchema || table != lastTable) {
            last = writer(schema, table, record);
            lastSchema = schema;
            lastTable = table;
        }
        try {
            return change(new AvroReader(value, HEADER_BYTES), last, marked(record));
        } catch (RuntimeException e) {
            throw foreign(where(record), "its body cannot be read: " + e.getMessage(), e);
        }
    }

    private Writer writer(int schema, TableId table, ConsumerRecord<byte[], byte[]> record) {
        Writer writer = writers.computeIfAbsent(schema, id -> writer(id, () -> where(record)));
        if (!writer.shape.id().equals(table)) {
            // A registry that lost its schemas reuses their numbers for others.
            throw foreign(where(record), "its schema, number " + schema + ", is that of " + writer.shape.id(), null);
        }
        return writer;
    }

    /** What the record's mark makes of the change; null = it has none. */
    private static Kind marked(ConsumerRecord<byte[], byte[]> record) {
        if (Break.isMarked(record)) {
            return Kind.BREAK;
        }
        return Repair.isMarked(record) ? Kind.REPAIR : null;
    }

    /** @param marked what the change is by the mark of its record; null = what its op says */
    private Change change(AvroReader in, Writer writer, Kind marked) {
        String[] before = row(in, writer, writer.known);
        String[] after = row(in, writer, writer.all);
        long order = in.number();
        in.skipNumbers(1);
        long commitLsn = in.number();
        in.skipNumbers(NUMBERS_AFTER_COMMIT_LSN);
        if (writer.sourceEnd == null || !in.skipIfNext(writer.sourceEnd)) {
            int from = in.position();
            sourceEnd(in);
            writer.sourceEnd = in.since(from);
        }
        char op = in.letter();
        Kind kind = marked == null ? kind(op) : marked;
        in.skipNumbers(1);
        unchanged(in, writer, after);
        require(in.atEnd(), "it is longer than its schema says");
        requireRows(kind, before, after, writer.shape);
        return new Change(writer.shape, kind, before, after, commitLsn, order);
    }

    /** Reads the part that is the same in all records of a table and a generation. */
    private void sourceEnd(AvroReader in) {
        if (in.number() != ChangeSchemas.NULL) {
            in.skipStrings(1);
        }
        if (in.number() != ChangeSchemas.NULL) {
            in.skipNumbers(1);
        }
        long written = in.number();
        require(written == generation, "its generation is " + written);
        in.skipStrings(ChangeSchemas.LAST_STRINGS);
    }

    /** The names come in the order of the columns. */
    private static void unchanged(AvroReader in, Writer writer, String[] after) {
        int column = 0;
        for (long names = in.number(); names != 0; names = in.number()) {
            if (names < 0) {
                // A block that states its length.
                in.skipNumbers(1);
            }
            for (long i = Math.abs(names); i > 0; i--) {
                require(after != null, "a column is marked unchanged, but there is no row");
                int length = Math.toIntExact(in.number());
                while (column < after.length && !isUnchanged(in, writer, after, column, length)) {
                    column++;
                }
                require(column < after.length, "a column is marked unchanged but does not exist or has a value");
                after[column] = Change.UNCHANGED;
            }
        }
    }

    private static boolean isUnchanged(AvroReader in, Writer writer, String[] after, int column, int length) {
        byte[] name = writer.names[column];
        return after[column] == null && name.length == length && in.skipIfNext(name);
    }

    private static void requireRows(Kind kind, String[] before, String[] after, TableShape shape) {
        boolean fits =
                switch (kind) {
                    case INSERT, UPDATE -> after != null;
                    case DELETE ->
                        after == null && (before != null || shape.identity().isEmpty());
                    case TRUNCATE, BREAK -> before == null && after == null;
                    case REPAIR -> isRepair(before, after, shape);
                };
        require(fits, "its rows do not fit its op");
    }

    /** Either a whole row or a key. */
    private static boolean isRepair(String[] before, String[] after, TableShape shape) {
        return !shape.identity().isEmpty()
                && (before == null) != (after == null)
                && (after == null || Arrays.stream(after).noneMatch(Change::isUnchanged));
    }

    private static void require(boolean holds, String problem) {
        if (!holds) {
            throw new IllegalArgumentException(problem);
        }
    }

    /**
     * The shape of the records that were written with the schema of that id; the same object as in those records.
     *
     * @throws DataException when the schema is not one of Wherry's
     */
    public TableShape shape(int id) {
        return writers.computeIfAbsent(id, unknown -> writer(unknown, () -> "schema " + unknown)).shape;
    }

    private Writer writer(int id, Supplier<String> where) {
        Schema schema = registry.byId(id);
        TableShape shape = shape(schema, where);
        String expected = SchemaNormalization.toParsingForm(ChangeSchemas.value(shape));
        if (!SchemaNormalization.toParsingForm(schema).equals(expected)) {
            throw foreign(where.get(), "schema " + id + " has another layout than in this version of Wherry", null);
        }
        return new Writer(shape);
    }

    private static TableShape shape(Schema schema, Supplier<String> where) {
        try {
            return ChangeSchemas.shape(schema);
        } catch (DataException e) {
            throw e;
        } catch (RuntimeException e) {
            throw foreign(where.get(), "its schema is not one of Wherry's: " + e, e);
        }
    }

    /** @param known columns that are taken; the others are treated as columns that the stream did not carry */
    private static String[] row(AvroReader in, Writer writer, boolean[] known) {
        if (in.number() == ChangeSchemas.NULL) {
            return null;
        }
        String[] row = new String[known.length];
        for (int i = 0; i < row.length; i++) {
            boolean isNull = in.number() == ChangeSchemas.NULL;
            if (known[i]) {
                row[i] = isNull ? null : text(in, writer.encodings[i]);
            } else {
                row[i] = Change.UNCHANGED;
                if (!isNull) {
                    skip(in, writer.encodings[i]);
                }
            }
        }
        return row;
    }

    private static void skip(AvroReader in, Schema.Type encoding) {
        switch (encoding) {
            case BOOLEAN -> in.bool();
            case INT, LONG -> in.skipNumbers(1);
            default -> in.skipStrings(1);
        }
    }

    private static String text(AvroReader in, Schema.Type encoding) {
        return switch (encoding) {
            case BOOLEAN -> in.bool() ? "t" : "f";
            case INT, LONG -> Long.toString(in.number());
            default -> in.string();
        };
    }

    private static Kind kind(char op) {
        return switch (op) {
            case ChangeSchemas.CREATE -> Kind.INSERT;
            case ChangeSchemas.UPDATE -> Kind.UPDATE;
            case ChangeSchemas.DELETE -> Kind.DELETE;
            case ChangeSchemas.TRUNCATE -> Kind.TRUNCATE;
            default -> throw new IllegalArgumentException("its op is unknown");
        };
    }

    private static String where(ConsumerRecord<byte[], byte[]> record) {
        return record.topic() + "-" + record.partition() + " offset " + record.offset();
    }

    private static DataException foreign(String where, String problem, Exception cause) {
        return new DataException(
                "read change",
                where,
                problem,
                "Only the source-connector of the same version may write to this topic, and the registry must keep its"
                        + " schemas. To continue without the record: delete the topic's records up to it"
                        + " (kafka-delete-records.sh, with the offset after it), then wherry reload of the table",
                cause);
    }
}
