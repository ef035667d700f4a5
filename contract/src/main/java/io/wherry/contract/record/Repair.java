package io.wherry.contract.record;

import java.io.ByteArrayOutputStream;
import java.io.DataOutputStream;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.security.MessageDigest;
import java.util.Arrays;
import java.util.List;
import java.util.Optional;
import org.apache.kafka.clients.consumer.ConsumerRecord;
import org.apache.kafka.clients.producer.ProducerRecord;

/**
 * Rows of one table as they are on the source, put into the stream by the coordinator: a logical message whose place in commit order
 * is that of its transaction. The source-connector turns the message into change records of the table. A record says what the row of
 * its key is, whatever the row was on the target: an update with the whole row and without an old one, or a delete of a row that may
 * not exist. The header {@code wherry.repair} says so.
 *
 * <p>The message has the proof of {@link RepairSecret} over all that follows, one byte with the version of the layout, the number of
 * the transaction (so that nobody can send the message again), the migration's name, the generation, the table as in pgoutput's
 * message {@code R} without the letter, the number of rows, and for each row {@code U} or {@code D} and a tuple as in pgoutput's
 * messages. The tuple of {@code D} holds the key, and NULL in all other columns.
 */
public final class Repair {
    /** Prefix of the logical message. */
    public static final String PREFIX = "wherry.repair";

    /** The row exists, and is this. */
    public static final char ROW = 'U';

    /** No row of this key exists, or the table's filter does not want it. */
    public static final char NO_ROW = 'D';

    /** A row of more than this, about, in bytes of its columns' texts, does not travel in a message. */
    public static final int MOST_ROW_BYTES = 16 << 20;

    /** No content of a message is longer than this, in bytes: a row of the most bytes, the description of a table, and many keys. */
    public static final int MOST_BYTES = 2 * MOST_ROW_BYTES;

    private static final String HEADER = "wherry.repair";
    private static final byte[] MARK = {1};
    private static final byte VERSION = 1;

    private Repair() {}

    /** Marks a record as a repair. */
    public static void mark(ProducerRecord<byte[], byte[]> record) {
        record.headers().add(HEADER, MARK);
    }

    /** Whether the record is a repair. */
    public static boolean isMarked(ConsumerRecord<byte[], byte[]> record) {
        return record.headers().lastHeader(HEADER) != null;
    }

    /**
     * Where a message belongs.
     *
     * @param transaction number of the message's own transaction, of which 32 bits count
     */
    public record Address(long transaction, String migration, int generation) {}

    /**
     * The table as the stream describes it.
     *
     * @param columns that the stream carries, in the table's order
     */
    public record Relation(long oid, String schema, String table, char replicaIdentity, List<Column> columns) {}

    /** @param identity part of the replica identity */
    public record Column(String name, boolean identity, long typeOid, int typeModifier) {}

    /**
     * A row.
     *
     * @param values as the server's output functions write them, null = NULL; without a row, those of the key alone
     */
    public record Row(boolean exists, List<String> values) {}

    /** The content of the message. */
    public static byte[] encode(RepairSecret secret, Address address, Relation relation, List<Row> rows) {
        ByteArrayOutputStream bytes = new ByteArrayOutputStream();
        try (DataOutputStream out = new DataOutputStream(bytes)) {
            out.write(new byte[RepairSecret.PROOF_BYTES]);
            out.writeByte(VERSION);
            out.writeInt((int) address.transaction());
            text(out, address.migration());
            out.writeInt(address.generation());
            write(out, relation);
            out.writeInt(rows.size());
            for (Row row : rows) {
                write(out, row);
            }
        } catch (IOException e) {
            throw new UncheckedIOException("memory", e);
        }
        byte[] content = bytes.toByteArray();
        byte[] proof = secret.proof(content, RepairSecret.PROOF_BYTES);
        System.arraycopy(proof, 0, content, 0, proof.length);
        return content;
    }

    private static void write(DataOutputStream out, Relation relation) throws IOException {
        out.writeInt((int) relation.oid());
        text(out, relation.schema());
        text(out, relation.table());
        out.writeByte(relation.replicaIdentity());
        out.writeShort(relation.columns().size());
        for (Column column : relation.columns()) {
            out.writeByte(column.identity() ? 1 : 0);
            text(out, column.name());
            out.writeInt((int) column.typeOid());
            out.writeInt(column.typeModifier());
        }
    }

    private static void write(DataOutputStream out, Row row) throws IOException {
        out.writeByte(row.exists() ? ROW : NO_ROW);
        out.writeShort(row.values().size());
        for (String value : row.values()) {
            if (value == null) {
                out.writeByte('n');
            } else {
                byte[] utf8 = value.getBytes(StandardCharsets.UTF_8);
                out.writeByte('t');
                out.writeInt(utf8.length);
                out.write(utf8);
            }
        }
    }

    /** Ends with a zero byte, which no name holds. */
    private static void text(DataOutputStream out, String text) throws IOException {
        out.write(text.getBytes(StandardCharsets.UTF_8));
        out.writeByte(0);
    }

    /** Whether the content has the proof of this secret. */
    public static boolean isProven(byte[] content, RepairSecret secret) {
        return content.length > RepairSecret.PROOF_BYTES
                && MessageDigest.isEqual(
                        Arrays.copyOf(content, RepairSecret.PROOF_BYTES),
                        secret.proof(content, RepairSecret.PROOF_BYTES));
    }

    /**
     * The part of a proven content that begins with the table.
     *
     * @return empty when the message belongs to another migration, generation or transaction, or has another layout
     */
    public static Optional<ByteBuffer> read(byte[] content, Address address) {
        ByteBuffer in = ByteBuffer.wrap(content);
        in.position(RepairSecret.PROOF_BYTES);
        if (in.get() != VERSION || in.getInt() != (int) address.transaction()) {
            return Optional.empty();
        }
        int from = in.position();
        while (in.get() != 0) {
            // The name ends with a zero byte.
        }
        String migration = new String(content, from, in.position() - 1 - from, StandardCharsets.UTF_8);
        return migration.equals(address.migration()) && in.getInt() == address.generation()
                ? Optional.of(in)
                : Optional.empty();
    }
}
