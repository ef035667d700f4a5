package io.wherry.source.decode;

import java.io.ByteArrayOutputStream;
import java.io.DataOutputStream;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;

/** Builds messages of pgoutput, as PostgreSQL's documentation describes them. */
final class WireMessages {
    /** Stands for an unchanged TOAST value. */
    static final String UNCHANGED = new String("unchanged");

    private final ByteArrayOutputStream bytes = new ByteArrayOutputStream();
    private final DataOutputStream out = new DataOutputStream(bytes);

    /** Writes fields; checked exceptions cannot come from memory. */
    private interface Fields {
        void write(DataOutputStream out) throws IOException;
    }

    /** @param identity which of the columns are flagged as replica identity */
    static ByteBuffer relation(
            int oid,
            String schema,
            String table,
            char replicaIdentity,
            String[] names,
            long[] types,
            boolean[] identity) {
        return message('R', out -> {
            out.writeInt(oid);
            text(out, schema);
            text(out, table);
            out.writeByte(replicaIdentity);
            out.writeShort(names.length);
            for (int i = 0; i < names.length; i++) {
                out.writeByte(identity[i] ? 1 : 0);
                text(out, names[i]);
                out.writeInt((int) types[i]);
                out.writeInt(-1);
            }
        });
    }

    static ByteBuffer begin(long commitLsn, long micros, int transaction) {
        return message('B', out -> {
            out.writeLong(commitLsn);
            out.writeLong(micros);
            out.writeInt(transaction);
        });
    }

    static ByteBuffer commit(long commitLsn, long endLsn) {
        return message('C', out -> {
            out.writeByte(0);
            out.writeLong(commitLsn);
            out.writeLong(endLsn);
            out.writeLong(0);
        });
    }

    static ByteBuffer insert(int oid, String... row) {
        return message('I', out -> {
            out.writeInt(oid);
            tuple(out, 'N', row);
        });
    }

    /** @param oldKind {@code K}, {@code O}, or 0 for none */
    static ByteBuffer update(int oid, char oldKind, String[] old, String... row) {
        return message('U', out -> {
            out.writeInt(oid);
            if (oldKind != 0) {
                tuple(out, oldKind, old);
            }
            tuple(out, 'N', row);
        });
    }

    static ByteBuffer delete(int oid, char oldKind, String... old) {
        return message('D', out -> {
            out.writeInt(oid);
            tuple(out, oldKind, old);
        });
    }

    static ByteBuffer truncate(int... oids) {
        return message('T', out -> {
            out.writeInt(oids.length);
            out.writeByte(0);
            for (int oid : oids) {
                out.writeInt(oid);
            }
        });
    }

    /** A logical message that an application wrote. */
    static ByteBuffer logicalMessage(String prefix, byte[] content) {
        return message('M', out -> {
            out.writeByte(1);
            out.writeLong(1000);
            text(out, prefix);
            out.writeInt(content.length);
            out.write(content);
        });
    }

    @SuppressWarnings("StringEquality")
    private static void tuple(DataOutputStream out, char kind, String... row) throws IOException {
        out.writeByte(kind);
        out.writeShort(row.length);
        for (String value : row) {
            if (value == null) {
                out.writeByte('n');
            } else if (value == UNCHANGED) {
                out.writeByte('u');
            } else {
                byte[] text = value.getBytes(StandardCharsets.UTF_8);
                out.writeByte('t');
                out.writeInt(text.length);
                out.write(text);
            }
        }
    }

    private static void text(DataOutputStream out, String text) throws IOException {
        out.write(text.getBytes(StandardCharsets.UTF_8));
        out.writeByte(0);
    }

    private static ByteBuffer message(char kind, Fields fields) {
        WireMessages message = new WireMessages();
        try {
            message.out.writeByte(kind);
            fields.write(message.out);
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
        return ByteBuffer.wrap(message.bytes.toByteArray());
    }
}
