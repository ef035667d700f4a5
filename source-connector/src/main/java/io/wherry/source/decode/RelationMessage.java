package io.wherry.source.decode;

import io.wherry.contract.name.TableId;
import io.wherry.contract.postgres.ReplicaIdentity;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.List;
import java.util.Set;

/**
 * A relation message of the stream: what the tuples that follow it look like (PostgreSQL documentation, "Logical
 * Replication Message Formats").
 *
 * @param oid of the table
 */
public record RelationMessage(int oid, TableId id, ReplicaIdentity replicaIdentity, List<RelationColumn> columns) {
    /**
     * @param identity part of the replica identity
     * @param typeOid of the column's type
     * @param typeModifier {@code atttypmod}; -1 = none
     */
    record RelationColumn(String name, boolean identity, long typeOid, int typeModifier) {}

    /** The same without some columns. */
    RelationMessage without(Set<String> names) {
        return new RelationMessage(
                oid,
                id,
                replicaIdentity,
                columns.stream().filter(c -> !names.contains(c.name())).toList());
    }

    /** For each column of a tuple on the wire, whether it is left out; null = no column is left out. */
    boolean[] leftOut(Set<String> names) {
        if (names.isEmpty()) {
            return null;
        }
        boolean[] left = new boolean[columns.size()];
        for (int i = 0; i < left.length; i++) {
            left[i] = names.contains(columns.get(i).name());
        }
        return left;
    }

    /** The same; the rows are carried under the name of another table. */
    RelationMessage under(TableId carrier) {
        return new RelationMessage(oid, carrier, replicaIdentity, columns);
    }

    /** Reads the message after its type byte. */
    static RelationMessage read(ByteBuffer message) {
        int oid = message.getInt();
        String schema = text(message);
        String table = text(message);
        ReplicaIdentity replicaIdentity = ReplicaIdentity.of((char) message.get());
        int count = message.getShort();
        List<RelationColumn> columns = new ArrayList<>(count);
        for (int i = 0; i < count; i++) {
            boolean identity = (message.get() & 1) != 0;
            String name = text(message);
            long typeOid = Integer.toUnsignedLong(message.getInt());
            columns.add(new RelationColumn(name, identity, typeOid, message.getInt()));
        }
        return new RelationMessage(
                oid, new TableId(schema.isEmpty() ? "pg_catalog" : schema, table), replicaIdentity, columns);
    }

    private static String text(ByteBuffer message) {
        int from = message.position();
        int to = from;
        while (message.get(to) != 0) {
            to++;
        }
        byte[] bytes = new byte[to - from];
        message.get(bytes);
        message.get();
        return new String(bytes, StandardCharsets.UTF_8);
    }
}
