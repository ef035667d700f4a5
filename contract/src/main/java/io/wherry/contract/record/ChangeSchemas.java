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
 * The Avro schemas of change topics: Debezium's envelope ({@code before}, {@code after}, {@code op}, {@code source}), made
 * from a table's shape and read back to it. Records carry the Confluent wire format: byte 0, four bytes of schema id
 * (big-endian), Avro body.
 *
 * <p>A row's field is a union of {@code null}, the value, and {@code Unchanged}. The third is not NULL: it says that the
 * stream did not carry the column (an unchanged TOAST value, or a column outside the identity in {@code before}). A boolean
 * is a boolean, int2 and int4 an int, int8 a long; every other type is PostgreSQL's own text. Names that Avro does not
 * allow are escaped; the true ones stand in properties {@code wherry.*}.
 */
public final class ChangeSchemas {
    /** Branches of a column's union, in order. */
    public static final int NULL = 0, VALUE = 1, UNCHANGED = 2;

    /** Fields of the envelope, in order. */
    public static final String BEFORE = "before", AFTER = "after", OP = "op", SOURCE = "source";

    /** Values of {@code op}, as Debezium's: create, update, delete, truncate. */
    public static final String CREATE = "c", UPDATE = "u", DELETE = "d", TRUNCATE = "t";

    /**
     * A value of {@code op} that is ours: rows of a partition of a table that is carried whole came or went in a way that
     * no record tells. What follows does not continue from what was before.
     */
    public static final String BREAK = "x";

    /** Fields of {@code source}, in order, all long. Commit LSN and order together are the total order of changes. */
    public static final String COMMIT_LSN = "commit_lsn", ORDER = "order", TX_ID = "tx_id", COMMIT_MILLIS = "ts_ms";

    private static final String NAMESPACE = "io.wherry.change";
    private static final String SCHEMA_PROPERTY = "wherry.schema";
    private static final String TABLE_PROPERTY = "wherry.table";
    private static final String IDENTITY_PROPERTY = "wherry.identity";
    private static final String COLUMN_PROPERTY = "wherry.column";
    private static final String TYPE_PROPERTY = "wherry.type";
    private static final String DEFINITION_PROPERTY = "wherry.definition";

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
        Schema unchanged = Schema.createEnum("Unchanged", null, NAMESPACE, List.of("UNCHANGED"));
        Schema row = Schema.createRecord("Row", null, NAMESPACE, false);
        List<Schema.Field> columns = new ArrayList<>();
        for (Column column : shape.columns()) {
            Schema type = Schema.createUnion(
                    Schema.create(Schema.Type.NULL), Schema.create(encoding(column.type())), unchanged);
            Schema.Field field = field(column, type);
            if (column.definition() != null) {
                field.addProp(DEFINITION_PROPERTY, new String(Json.write(column.definition()), StandardCharsets.UTF_8));
            }
            columns.add(field);
        }
        row.setFields(columns);
        Schema optionalRow = Schema.createUnion(Schema.create(Schema.Type.NULL), row);
        Schema source = Schema.createRecord("Source", null, NAMESPACE, false);
        source.setFields(List.of(long_(COMMIT_LSN), long_(ORDER), long_(TX_ID), long_(COMMIT_MILLIS)));
        Schema envelope = Schema.createRecord("Envelope", null, NAMESPACE, false);
        envelope.setFields(List.of(
                new Schema.Field(BEFORE, optionalRow),
                new Schema.Field(AFTER, optionalRow),
                new Schema.Field(OP, Schema.create(Schema.Type.STRING)),
                new Schema.Field(SOURCE, source)));
        name(envelope, shape);
        return envelope;
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
                columns.add(field(column, Schema.create(encoding(column.type()))));
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
                    "not a change schema of Wherry's",
                    "Look who else writes to this migration's topics or registry");
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

    private static Schema.Field field(Column column, Schema type) {
        Schema.Field field = new Schema.Field(avroName(column.name()), type);
        field.addProp(COLUMN_PROPERTY, column.name());
        field.addProp(TYPE_PROPERTY, column.type().toString());
        return field;
    }

    private static Schema.Field long_(String name) {
        return new Schema.Field(name, Schema.create(Schema.Type.LONG));
    }

    /** One-to-one: {@code _xHHHH} for a character outside {@code [A-Za-z0-9_]}, a leading digit, and the '_' of a literal {@code _x}. */
    static String avroName(String column) {
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
