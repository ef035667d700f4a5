package io.wherry.contract.record;

import io.wherry.contract.error.DataException;
import io.wherry.contract.name.TableId;
import io.wherry.contract.postgres.TableShape;
import io.wherry.contract.postgres.TableShape.Column;
import io.wherry.contract.postgres.TableShape.ColumnDefinition;
import io.wherry.contract.postgres.TableShape.TypeName;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.List;
import org.apache.avro.Schema;

/**
 * The Avro schemas of change topics: Debezium's envelope, built from a table's shape and read back to the shape. Records use the
 * Confluent wire format: byte 0, four bytes of schema id (big-endian), Avro body.
 *
 * <p>A row's field is a union of {@code null} and the value. A boolean is a boolean, int2 and int4 an int, int8 a long; every
 * other type is PostgreSQL's own text. A null in {@code after} is NULL unless the envelope's {@code unchanged} names the field:
 * then the stream did not carry the value, and the value is the same as before. In {@code before} of a table with an identity,
 * only the identity's columns are always present. Names that Avro does not allow are escaped; the original names are in
 * properties {@code wherry.*}.
 */
public final class ChangeSchemas {
    /** Branches of a column's union, in order. */
    public static final int NULL = 0, VALUE = 1;

    /** Fields of the envelope, in order. {@code ts_ms} is the source-connector's clock when the transaction started to arrive. */
    public static final String BEFORE = "before",
            AFTER = "after",
            SOURCE = "source",
            OP = "op",
            READ_MILLIS = "ts_ms",
            UNCHANGED = "unchanged";

    /**
     * Values of {@code op}, as in Debezium: create, update, delete, truncate. Debezium's {@code r}, a row of a snapshot, is in no
     * change topic: rows of the load travel as COPY blocks.
     */
    public static final char CREATE = 'c', UPDATE = 'u', DELETE = 'd', TRUNCATE = 't';

    /**
     * Fields of {@code source}, in order: first the fields that differ from row to row, then those that are the same in all
     * records of a table. So the bytes of the latter are written once and compress to almost nothing. {@code commit_lsn}, {@code
     * order} and {@code generation} are Wherry's fields, all others are Debezium's. {@code xmin} is null, which is Debezium's
     * default. {@code sequence} is null too: it would repeat {@code lsn}, as text that differs in every row.
     */
    public static final String ORDER = "order",
            LSN = "lsn",
            COMMIT_LSN = "commit_lsn",
            TX_ID = "txId",
            COMMIT_MILLIS = "ts_ms",
            SEQUENCE = "sequence",
            XMIN = "xmin",
            GENERATION = "generation",
            VERSION = "version",
            CONNECTOR = "connector",
            NAME = "name",
            SNAPSHOT = "snapshot",
            DATABASE = "db",
            TABLE_SCHEMA = "schema",
            TABLE = "table";

    /** How many fields of {@code source}, from the last on, are strings. */
    public static final int LAST_STRINGS = 7;

    private static final String NAMESPACE = "io.wherry.change";
    private static final String SCHEMA_PROPERTY = "wherry.schema";
    private static final String TABLE_PROPERTY = "wherry.table";
    private static final String IDENTITY_PROPERTY = "wherry.identity";
    private static final String COLUMN_PROPERTY = "wherry.column";
    private static final String TYPE_PROPERTY = "wherry.type";
    private static final String DEFINITION_PROPERTY = "wherry.definition";
    private static final Object NULL_DEFAULT = Schema.Field.NULL_DEFAULT_VALUE;

    private ChangeSchemas() {}

    /** How a type's value is encoded: the kind of the union's second branch. */
    public static Schema.Type encoding(TypeName type) {
        if (!type.schema().equals("pg_catalog")) {
            return Schema.Type.STRING;
        }
        return switch (type.name()) {
            case "bool" -> Schema.Type.BOOLEAN;
            case "int2", "int4" -> Schema.Type.INT;
            case "int8" -> Schema.Type.LONG;
            default -> Schema.Type.STRING;
        };
    }

    /** The envelope's schema for a table. */
    public static Schema value(TableShape shape) {
        Schema row = Schema.createRecord("Row", null, NAMESPACE, false);
        List<Schema.Field> columns = new ArrayList<>();
        for (Column column : shape.columns()) {
            Schema.Field field = field(column, optional(Schema.create(encoding(column.type()))), NULL_DEFAULT);
            if (column.definition() != null) {
                field.addProp(DEFINITION_PROPERTY, new String(Json.write(column.definition()), StandardCharsets.UTF_8));
            }
            columns.add(field);
        }
        row.setFields(columns);
        Schema envelope = Schema.createRecord("Envelope", null, NAMESPACE, false);
        envelope.setFields(List.of(
                new Schema.Field(BEFORE, optional(row), null, NULL_DEFAULT),
                new Schema.Field(AFTER, optional(row), null, NULL_DEFAULT),
                new Schema.Field(SOURCE, source()),
                of(OP, Schema.Type.STRING),
                of(READ_MILLIS, Schema.Type.LONG),
                new Schema.Field(
                        UNCHANGED,
                        Schema.createArray(Schema.create(Schema.Type.STRING)),
                        "fields that are null in after because the update left their values as they were",
                        List.of())));
        name(envelope, shape);
        return envelope;
    }

    private static Schema source() {
        Schema source = Schema.createRecord("Source", null, NAMESPACE, false);
        source.setFields(List.of(
                of(ORDER, Schema.Type.LONG),
                of(LSN, Schema.Type.LONG),
                of(COMMIT_LSN, Schema.Type.LONG),
                of(TX_ID, Schema.Type.LONG),
                of(COMMIT_MILLIS, Schema.Type.LONG),
                new Schema.Field(SEQUENCE, optional(Schema.create(Schema.Type.STRING)), null, NULL_DEFAULT),
                new Schema.Field(XMIN, optional(Schema.create(Schema.Type.LONG)), null, NULL_DEFAULT),
                of(GENERATION, Schema.Type.INT),
                of(VERSION, Schema.Type.STRING),
                of(CONNECTOR, Schema.Type.STRING),
                of(NAME, Schema.Type.STRING),
                of(SNAPSHOT, Schema.Type.STRING),
                of(DATABASE, Schema.Type.STRING),
                of(TABLE_SCHEMA, Schema.Type.STRING),
                of(TABLE, Schema.Type.STRING)));
        return source;
    }

    /** The key's schema: a record of the identity columns; null for a keyless table, whose records have no key. */
    public static Schema key(TableShape shape) {
        if (shape.identity().isEmpty()) {
            return null;
        }
        Schema key = Schema.createRecord("Key", null, NAMESPACE, false);
        List<Schema.Field> columns = new ArrayList<>();
        for (Column column : shape.columns()) {
            if (shape.identity().contains(column.name())) {
                columns.add(field(column, Schema.create(encoding(column.type())), null));
            }
        }
        key.setFields(columns);
        name(key, shape);
        return key;
    }

    /**
     * Reads the shape back from a registered envelope schema.
     *
     * @throws DataException when the schema is not one of Wherry's
     */
    public static TableShape shape(Schema envelope) {
        String schema = envelope.getProp(SCHEMA_PROPERTY);
        String table = envelope.getProp(TABLE_PROPERTY);
        if (schema == null || table == null || envelope.getField(BEFORE) == null) {
            throw new DataException(
                    "read schema",
                    envelope.getFullName(),
                    "not one of Wherry's change schemas",
                    "Check who else writes to this migration's topics or registry");
        }
        if (envelope.getField(UNCHANGED) == null) {
            throw new DataException(
                    "read schema",
                    new TableId(schema, table).toString(),
                    "an earlier version of Wherry registered the schema, and this version does not read such records",
                    "Start the migration again from the beginning: drop the slot and the publication, delete this"
                            + " migration's topics, empty the target, start the services");
        }
        List<Column> columns = new ArrayList<>();
        for (Schema.Field field :
                envelope.getField(BEFORE).schema().getTypes().get(1).getFields()) {
            String definition = field.getProp(DEFINITION_PROPERTY);
            columns.add(new Column(
                    field.getProp(COLUMN_PROPERTY),
                    TypeName.parse(field.getProp(TYPE_PROPERTY)),
                    definition == null
                            ? null
                            : Json.read(definition.getBytes(StandardCharsets.UTF_8), ColumnDefinition.class)));
        }
        @SuppressWarnings("unchecked")
        List<String> identity = (List<String>) envelope.getObjectProp(IDENTITY_PROPERTY);
        return new TableShape(new TableId(schema, table), columns, identity);
    }

    private static void name(Schema schema, TableShape shape) {
        schema.addProp(SCHEMA_PROPERTY, shape.id().schema());
        schema.addProp(TABLE_PROPERTY, shape.id().table());
        schema.addProp(IDENTITY_PROPERTY, shape.identity());
    }

    private static Schema.Field field(Column column, Schema type, Object standard) {
        Schema.Field field = new Schema.Field(avroName(column.name()), type, null, standard);
        field.addProp(COLUMN_PROPERTY, column.name());
        field.addProp(TYPE_PROPERTY, column.type().toString());
        return field;
    }

    private static Schema optional(Schema type) {
        return Schema.createUnion(Schema.create(Schema.Type.NULL), type);
    }

    private static Schema.Field of(String name, Schema.Type type) {
        return new Schema.Field(name, Schema.create(type));
    }

    /**
     * The name of a column's field. One-to-one: {@code _xHHHH} replaces a character outside {@code [A-Za-z0-9_]}, a leading
     * digit, and the '_' of a literal {@code _x}.
     */
    public static String avroName(String column) {
        StringBuilder out = new StringBuilder(column.length() + 8);
        for (int i = 0; i < column.length(); i++) {
            char c = column.charAt(i);
            boolean letter = c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z';
            boolean digit = c >= '0' && c <= '9' && i > 0;
            boolean underscore = c == '_' && !(i + 1 < column.length() && column.charAt(i + 1) == 'x');
            if (letter || digit || underscore) {
                out.append(c);
            } else {
                out.append(String.format("_x%04x", (int) c));
            }
        }
        return out.toString();
    }
}
