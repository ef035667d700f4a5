package io.wherry.sink;

import io.wherry.contract.Break;
import io.wherry.contract.ChangeSchemas;
import io.wherry.contract.DataException;
import io.wherry.contract.SchemaRegistry;
import io.wherry.contract.TableId;
import io.wherry.contract.TableShape;
import io.wherry.contract.TableShape.Column;
import io.wherry.sink.Change.Kind;
import java.nio.ByteBuffer;
import java.util.HashMap;
import java.util.Map;
import java.util.function.Supplier;
import org.apache.avro.Schema;
import org.apache.avro.SchemaNormalization;
import org.apache.kafka.clients.consumer.ConsumerRecord;

/**
 * Reads change records: Confluent's wire format, Avro by the schema they were written with. The body is read straight into
 * text, without generic records between: every schema is known to have the one layout of {@link ChangeSchemas}, which is
 * checked once when it is first met. Not safe for use by several threads.
 */
final class ChangeDecoder {
    private static final int HEADER_BYTES = 5;
    /** Numbers of {@code source} before {@code sequence}. */
    private static final int NUMBERS_BEFORE_SEQUENCE = 3;

    private final SchemaRegistry registry;
    private final Map<Integer, Writer> writers = new HashMap<>();

    ChangeDecoder(SchemaRegistry registry) {
        this.registry = registry;
    }

    /**
     * A schema that records were written with.
     *
     * @param known columns that {@code before} is sure to hold: those of the identity, or all
     * @param fields places of the columns, by their fields' names
     */
    private record Writer(
            TableShape shape, Schema.Type[] encodings, boolean[] all, boolean[] known, Map<String, Integer> fields) {
        static Writer of(TableShape shape) {
            int columns = shape.columns().size();
            Writer writer = new Writer(
                    shape, new Schema.Type[columns], new boolean[columns], new boolean[columns], new HashMap<>());
            for (int i = 0; i < columns; i++) {
                Column column = shape.columns().get(i);
                writer.encodings[i] = ChangeSchemas.encoding(column.type());
                writer.all[i] = true;
                writer.known[i] = shape.identity().isEmpty() || shape.identity().contains(column.name());
                writer.fields.put(ChangeSchemas.avroName(column.name()), i);
            }
            return writer;
        }
    }

    /**
     * @param record or, of one in parts, the last part
     * @param value the record's whole value
     * @param table whose topic it is
     * @throws DataException when the record is not a change of Wherry's, or not of this table
     */
    Change decode(ConsumerRecord<byte[], byte[]> record, byte[] value, TableId table) {
        if (value == null || value.length < HEADER_BYTES || value[0] != 0) {
            throw foreign(where(record), "not in the registry's wire format", null);
        }
        int schema = ByteBuffer.wrap(value).getInt(1);
        Writer writer = writers.computeIfAbsent(schema, id -> writer(id, () -> where(record)));
        if (!writer.shape().id().equals(table)) {
            // A registry that lost its schemas gives their numbers to others.
            throw foreign(
                    where(record),
                    "its schema, number " + schema + ", is that of "
                            + writer.shape().id(),
                    null);
        }
        try {
            return change(new AvroReader(value, HEADER_BYTES), writer, Break.isMarked(record));
        } catch (RuntimeException e) {
            throw foreign(where(record), "its body cannot be read: " + e.getMessage(), e);
        }
    }

    private static Change change(AvroReader in, Writer writer, boolean isBreak) {
        String[] before = row(in, writer, writer.known());
        String[] after = row(in, writer, writer.all());
        in.skipStrings(ChangeSchemas.LEADING_STRINGS);
        if (in.number() != ChangeSchemas.NULL) {
            in.skipNumbers(1);
        }
        long generation = in.number();
        in.skipNumbers(NUMBERS_BEFORE_SEQUENCE);
        in.skipStrings(1);
        long commitLsn = in.number();
        long order = in.number();
        Kind kind = kind(in.string(), isBreak);
        in.skipNumbers(1);
        unchanged(in, writer, after);
        require(in.atEnd(), "it is longer than its schema says");
        require(generation == ChangeSchemas.FIRST_GENERATION, "it is of generation " + generation);
        requireRows(kind, before, after, writer.shape());
        return new Change(writer.shape(), kind, before, after, commitLsn, order);
    }

    private static void unchanged(AvroReader in, Writer writer, String[] after) {
        for (long names = in.number(); names != 0; names = in.number()) {
            if (names < 0) {
                // A block that says how long it is.
                in.skipNumbers(1);
            }
            for (long i = Math.abs(names); i > 0; i--) {
                Integer column = writer.fields().get(in.string());
                require(
                        column != null && after != null && after[column] == null,
                        "a column is unchanged that is not there");
                after[column] = Change.UNCHANGED;
            }
        }
    }

    private static void requireRows(Kind kind, String[] before, String[] after, TableShape shape) {
        boolean fits =
                switch (kind) {
                    case INSERT, UPDATE -> after != null;
                    case DELETE ->
                        after == null && (before != null || shape.identity().isEmpty());
                    case TRUNCATE, BREAK -> before == null && after == null;
                };
        require(fits, "its rows are not those of its op");
    }

    private static void require(boolean holds, String problem) {
        if (!holds) {
            throw new IllegalArgumentException(problem);
        }
    }

    /**
     * Of the records written with the schema of that id; the same object as theirs.
     *
     * @throws DataException when it is not a schema of Wherry's
     */
    TableShape shape(int id) {
        return writers.computeIfAbsent(id, unknown -> writer(unknown, () -> "schema " + unknown))
                .shape();
    }

    private Writer writer(int id, Supplier<String> where) {
        Schema schema = registry.byId(id);
        TableShape shape = shape(schema, where);
        String expected = SchemaNormalization.toParsingForm(ChangeSchemas.value(shape));
        if (!SchemaNormalization.toParsingForm(schema).equals(expected)) {
            throw foreign(where.get(), "schema " + id + " has another layout than this version's", null);
        }
        return Writer.of(shape);
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

    /** @param known columns that are taken, others are as if the stream had not carried them */
    private static String[] row(AvroReader in, Writer writer, boolean[] known) {
        if (in.number() == ChangeSchemas.NULL) {
            return null;
        }
        String[] row = new String[known.length];
        for (int i = 0; i < row.length; i++) {
            boolean isNull = in.number() == ChangeSchemas.NULL;
            if (known[i]) {
                row[i] = isNull ? null : text(in, writer.encodings()[i]);
            } else {
                row[i] = Change.UNCHANGED;
                if (!isNull) {
                    skip(in, writer.encodings()[i]);
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

    private static Kind kind(String op, boolean isBreak) {
        if (isBreak) {
            return Kind.BREAK;
        }
        return switch (op) {
            case ChangeSchemas.CREATE -> Kind.INSERT;
            case ChangeSchemas.UPDATE -> Kind.UPDATE;
            case ChangeSchemas.DELETE -> Kind.DELETE;
            case ChangeSchemas.TRUNCATE -> Kind.TRUNCATE;
            default -> throw new IllegalArgumentException("unknown op '" + op + "'");
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
                        + " schemas. To go on without the record: delete the topic's records up to it"
                        + " (kafka-delete-records.sh, with the offset after it), then wherry reload of the table",
                cause);
    }
}
