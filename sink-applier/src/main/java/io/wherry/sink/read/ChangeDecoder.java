package io.wherry.sink.read;

import io.wherry.contract.error.DataException;
import io.wherry.contract.kafka.SchemaRegistry;
import io.wherry.contract.name.TableId;
import io.wherry.contract.postgres.TableShape;
import io.wherry.contract.postgres.TableShape.Column;
import io.wherry.contract.record.ChangeSchemas;
import io.wherry.sink.merge.Change;
import io.wherry.sink.merge.Change.Kind;
import java.nio.ByteBuffer;
import java.util.HashMap;
import java.util.Map;
import org.apache.avro.Schema;
import org.apache.avro.SchemaNormalization;

/**
 * Reads change records: Confluent's wire format, Avro by the schema they were written with. The body is read straight into
 * text, without generic records between: every schema is known to have the one layout of {@link ChangeSchemas}, which is
 * checked once when it is first met. Not safe for use by several threads.
 */
public final class ChangeDecoder {
    private static final int HEADER_BYTES = 5;
    private static final int NUMBERS_AFTER_ORDER = 2;

    private final SchemaRegistry registry;
    private final Map<Integer, Writer> writers = new HashMap<>();

    public ChangeDecoder(SchemaRegistry registry) {
        this.registry = registry;
    }

    private record Writer(TableShape shape, Schema.Type[] encodings) {}

    /**
     * @param table whose topic it is
     * @param where topic, partition and offset, for the error
     * @throws DataException when the record is not a change of Wherry's, or not of this table
     */
    public Change decode(byte[] value, TableId table, String where) {
        if (value == null || value.length < HEADER_BYTES || value[0] != 0) {
            throw foreign(where, "not in the registry's wire format", null);
        }
        int schema = ByteBuffer.wrap(value).getInt(1);
        Writer writer = writers.computeIfAbsent(schema, id -> writer(id, where));
        if (!writer.shape().id().equals(table)) {
            // A registry that lost its schemas gives their numbers to others.
            throw foreign(
                    where,
                    "its schema, number " + schema + ", is that of "
                            + writer.shape().id(),
                    null);
        }
        try {
            AvroReader in = new AvroReader(value, HEADER_BYTES);
            String[] before = row(in, writer);
            String[] after = row(in, writer);
            Kind kind = kind(in.string(), where);
            long commitLsn = in.number();
            long order = in.number();
            in.skipNumbers(NUMBERS_AFTER_ORDER);
            if (!in.atEnd()) {
                throw new IllegalArgumentException("it is longer than schema number " + schema + " says");
            }
            return new Change(writer.shape(), kind, before, after, commitLsn, order);
        } catch (RuntimeException e) {
            throw foreign(where, "its body cannot be read: " + e.getMessage(), e);
        }
    }

    /**
     * Of the records written with the schema of that id; the same object as theirs.
     *
     * @throws DataException when it is not a schema of Wherry's
     */
    public TableShape shape(int id) {
        return writers.computeIfAbsent(id, unknown -> writer(unknown, "schema " + unknown))
                .shape();
    }

    private Writer writer(int id, String where) {
        Schema schema = registry.byId(id);
        TableShape shape = shape(schema, where);
        String expected = SchemaNormalization.toParsingForm(ChangeSchemas.value(shape));
        if (!SchemaNormalization.toParsingForm(schema).equals(expected)) {
            throw foreign(where, "schema " + id + " has another layout than this version's", null);
        }
        return new Writer(
                shape,
                shape.columns().stream()
                        .map(Column::type)
                        .map(ChangeSchemas::encoding)
                        .toArray(Schema.Type[]::new));
    }

    private static TableShape shape(Schema schema, String where) {
        try {
            return ChangeSchemas.shape(schema);
        } catch (DataException e) {
            throw e;
        } catch (RuntimeException e) {
            throw foreign(where, "its schema is not one of Wherry's: " + e, e);
        }
    }

    private static String[] row(AvroReader in, Writer writer) {
        if (in.number() == ChangeSchemas.NULL) {
            return null;
        }
        String[] row = new String[writer.encodings().length];
        for (int i = 0; i < row.length; i++) {
            row[i] = switch ((int) in.number()) {
                case ChangeSchemas.NULL -> null;
                case ChangeSchemas.VALUE -> text(in, writer.encodings()[i]);
                default -> {
                    in.number();
                    yield Change.UNCHANGED;
                }
            };
        }
        return row;
    }

    private static String text(AvroReader in, Schema.Type encoding) {
        return switch (encoding) {
            case BOOLEAN -> in.bool() ? "t" : "f";
            case INT, LONG -> Long.toString(in.number());
            default -> in.string();
        };
    }

    private static Kind kind(String op, String where) {
        return switch (op) {
            case ChangeSchemas.CREATE -> Kind.INSERT;
            case ChangeSchemas.UPDATE -> Kind.UPDATE;
            case ChangeSchemas.DELETE -> Kind.DELETE;
            case ChangeSchemas.TRUNCATE -> Kind.TRUNCATE;
            case ChangeSchemas.BREAK -> Kind.BREAK;
            default -> throw foreign(where, "unknown op '" + op + "'", null);
        };
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
