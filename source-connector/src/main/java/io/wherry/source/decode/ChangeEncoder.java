package io.wherry.source.decode;

import io.wherry.contract.kafka.SchemaRegistry;
import io.wherry.contract.postgres.TableShape;
import io.wherry.contract.record.ChangeSchemas;
import java.nio.charset.StandardCharsets;
import java.util.List;
import org.apache.avro.Schema;

/**
 * Encodes rows of one table shape from the bytes of the wire directly to Avro, by the schemas of {@link ChangeSchemas}. Not safe
 * for use by several threads.
 */
final class ChangeEncoder {
    private enum Kind {
        BOOLEAN,
        NUMBER,
        TEXT
    }

    /**
     * Where a change comes from.
     *
     * @param lsn of the row's own WAL record, which several rows may share
     * @param order of the row within the transaction
     */
    record Source(SourceTransaction transaction, long lsn, long order) {}

    /** Numbers of a shape's schemas in the registry; {@code key} is -1 for a keyless table. */
    record Schemas(int value, int key) {
        /** @param topic names the registry's subjects */
        static Schemas register(TableShape shape, String topic, SchemaRegistry registry) {
            int value = registry.register(topic + "-value", ChangeSchemas.value(shape));
            Schema key = ChangeSchemas.key(shape);
            return new Schemas(value, key == null ? -1 : registry.register(topic + "-key", key));
        }
    }

    private final Kind[] kinds;
    private final boolean[] identity;
    private final boolean keyed;
    private final byte[][] names;
    private final byte[] origin;
    private final Schemas schemas;
    private final AvroWriter out;

    /** @param out shared by all encoders of one thread */
    ChangeEncoder(TableShape shape, Schemas schemas, Origin origin, AvroWriter out) {
        List<TableShape.Column> columns = shape.columns();
        kinds = new Kind[columns.size()];
        identity = new boolean[columns.size()];
        names = new byte[columns.size()][];
        for (int i = 0; i < kinds.length; i++) {
            kinds[i] = switch (ChangeSchemas.encoding(columns.get(i).type())) {
                case BOOLEAN -> Kind.BOOLEAN;
                case INT, LONG -> Kind.NUMBER;
                default -> Kind.TEXT;
            };
            identity[i] = shape.identity().contains(columns.get(i).name());
            names[i] = ChangeSchemas.avroName(columns.get(i).name()).getBytes(StandardCharsets.US_ASCII);
        }
        keyed = !shape.identity().isEmpty();
        this.origin = origin.encode(shape.id());
        this.schemas = schemas;
        this.out = out;
    }

    int columns() {
        return kinds.length;
    }

    /** Number of the schema of the keys, with which every key begins; -1 = keyless. */
    int keySchema() {
        return schemas.key();
    }

    /**
     * The envelope of one change.
     *
     * @param before or null
     * @param identityOnly {@code before} holds only the identity columns; the stream fills the other columns with NULL, which
     *     need not be their values
     * @param after or null
     */
    byte[] value(Tuple before, boolean identityOnly, Tuple after, char operation, Source source) {
        int bytes = (before == null ? 0 : before.textBytes()) + (after == null ? 0 : after.textBytes());
        if (bytes > AvroWriter.KEPT_BYTES) {
            out.count();
            envelope(before, identityOnly, after, operation, source);
            out.begin(schemas.value(), out.counted());
        } else {
            out.begin(schemas.value());
        }
        envelope(before, identityOnly, after, operation, source);
        return out.finish();
    }

    private void envelope(Tuple before, boolean identityOnly, Tuple after, char operation, Source source) {
        // The identity may consist of columns that Wherry leaves out (generated columns). Then the row names nothing.
        row(identityOnly && !keyed ? null : before, identityOnly);
        row(after, false);
        SourceTransaction transaction = source.transaction();
        out.number(source.order());
        out.number(source.lsn());
        out.number(transaction.commitLsn());
        out.number(transaction.number());
        out.number(transaction.commitMillis());
        out.encoded(origin);
        out.letter(operation);
        out.number(transaction.readMillis());
        unchanged(after);
    }

    private void unchanged(Tuple after) {
        if (after != null && !after.isComplete()) {
            for (int i = 0; i < kinds.length; i++) {
                if (after.isUnchanged(i)) {
                    // A block of one.
                    out.number(1);
                    out.number(names[i].length);
                    out.encoded(names[i]);
                }
            }
        }
        out.number(0);
    }

    /** The key: identity columns of {@code row}, or of {@code old} if {@code row} does not carry them; null = keyless. */
    byte[] key(Tuple row, Tuple old) {
        if (!keyed) {
            return null;
        }
        out.begin(schemas.key());
        for (int i = 0; i < kinds.length; i++) {
            if (identity[i]) {
                Tuple carrier = row.isUnchanged(i) && old != null ? old : row;
                if (carrier.isNull(i) || carrier.isUnchanged(i)) {
                    return null;
                }
                value(carrier, i);
            }
        }
        return out.finish();
    }

    private void row(Tuple row, boolean identityOnly) {
        out.number(row == null ? 0 : 1);
        if (row == null) {
            return;
        }
        for (int i = 0; i < kinds.length; i++) {
            if (row.isNull(i) || row.isUnchanged(i) || identityOnly && !identity[i]) {
                out.number(ChangeSchemas.NULL);
            } else {
                out.number(ChangeSchemas.VALUE);
                value(row, i);
            }
        }
    }

    private void value(Tuple row, int column) {
        switch (kinds[column]) {
            case BOOLEAN -> out.bool(row.bool(column));
            case NUMBER -> out.number(row.number(column));
            case TEXT -> row.writeText(column, out);
        }
    }
}
