package io.wherry.coordinator.witness;

import io.wherry.contract.name.TableId;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.List;
import java.util.Set;
import java.util.TreeSet;

/**
 * A relation message of the stream: what the tuples that follow it hold.
 *
 * @param oid of the table
 * @param id the table's name at the time of the change
 * @param columns names, in the order of the tuples
 * @param types oids of the columns' types, in the same order
 * @param flagged names of the columns that old tuples hold: the replica identity
 */
record Relation(int oid, TableId id, List<String> columns, List<Long> types, Set<String> flagged) {
    /** Reads the message after its type byte. */
    static Relation read(ByteBuffer message) {
        int oid = message.getInt();
        String schema = text(message);
        String table = text(message);
        message.get();
        int count = message.getShort();
        List<String> columns = new ArrayList<>(count);
        List<Long> types = new ArrayList<>(count);
        Set<String> flagged = new TreeSet<>();
        for (int i = 0; i < count; i++) {
            boolean identity = (message.get() & 1) != 0;
            String name = text(message);
            columns.add(name);
            types.add(Integer.toUnsignedLong(message.getInt()));
            message.getInt();
            if (identity) {
                flagged.add(name);
            }
        }
        return new Relation(oid, new TableId(schema.isEmpty() ? "pg_catalog" : schema, table), columns, types, flagged);
    }

    private static String text(ByteBuffer message) {
        int from = message.position();
        while (message.get() != 0) {
            // The text ends at a zero byte.
        }
        int length = message.position() - 1 - from;
        byte[] bytes = new byte[length];
        message.get(from, bytes);
        return new String(bytes, StandardCharsets.UTF_8);
    }
}
