package io.wherry.source.decode;

import io.wherry.contract.kafka.SchemaRegistry;
import io.wherry.contract.postgres.TableShape;
import io.wherry.contract.record.ChangeSchemas;
import java.util.List;
import org.apache.avro.Schema;

/**
 * Encodes rows of one table shape from the wire's bytes straight to Avro, by the schemas of {@link ChangeSchemas}. Not safe
 * for use by several threads.
 */
final class ChangeEncoder {
    private enum Kind {
        BOOLEAN,
        NUMBER,
        TEXT
    }

    /** The part of the envelope that places a row in the total order. */
    record Source(long commitLsn, long order, long transaction, long commitMillis) {}

    private final Kind[] kinds;
    private final boolean[] identity;
    private final boolean keyed;
    private final int valueSchema;
    private final int keySchema;
    private final AvroWriter out;

    /**
     * @param topic names the registry's subjects
     * @param out shared by all encoders of one thread
     */
    ChangeEncoder(TableShape shape, String topic, SchemaRegistry registry, AvroWriter out) {
        List<TableShape.Column> columns = shape.columns();
        kinds = new Kind[columns.size()];
        identity = new boolean[columns.size()];
        for (int i = 0; i < kinds.length; i++) {
            kinds[i] = switch (ChangeSchemas.encoding(columns.get(i).type())) {
                case BOOLEAN -> Kind.BOOLEAN;
                case INT, LONG -> Kind.NUMBER;
                default -> Kind.TEXT;
            };
            identity[i] = shape.identity().contains(columns.get(i).name());
        }
        keyed = !shape.identity().isEmpty();
        valueSchema = registry.register(topic + "-value", ChangeSchemas.value(shape));
        Schema key = ChangeSchemas.key(shape);
        keySchema = key == null ? -1 : registry.register(topic + "-key", key);
        this.out = out;
    }

    int columns() {
        return kinds.length;
    }

    /** Number of the keys' schema, which every key begins with; -1 when keyless. */
    int keySchema() {
        return keySchema;
    }

    /**
     * The envelope of one change.
     *
     * @param before or null
     * @param identityOnly {@code before} holds the identity columns only; the stream fills the others with NULL, which they
     *     need not be
     * @param after or null
     */
    byte[] value(Tuple before, boolean identityOnly, Tuple after, String operation, Source source) {
        int bytes = (before == null ? 0 : before.textBytes()) + (after == null ? 0 : after.textBytes());
        if (bytes > AvroWriter.KEPT_BYTES) {
            out.count();
            envelope(before, identityOnly, after, operation, source);
            out.begin(valueSchema, out.counted());
        } else {
            out.begin(valueSchema);
        }
        envelope(before, identityOnly, after, operation, source);
        return out.finish();
    }

    private void envelope(Tuple before, boolean identityOnly, Tuple after, String operation, Source source) {
        row(before, identityOnly);
        row(after, false);
        out.ascii(operation);
        out.number(source.commitLsn());
        out.number(source.order());
        out.number(source.transaction());
        out.number(source.commitMillis());
    }

    /** The key: identity columns of {@code row}, or of {@code old} where {@code row} does not carry them; null when keyless. */
    byte[] key(Tuple row, Tuple old) {
        if (!keyed) {
            return null;
        }
        out.begin(keySchema);
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
            if (row.isUnchanged(i) || identityOnly && !identity[i]) {
                out.number(ChangeSchemas.UNCHANGED);
                out.number(0);
            } else if (row.isNull(i)) {
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
