package io.wherry.contract.record;

import java.io.ByteArrayOutputStream;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.Optional;

/**
 * Values of any size as records of the control topic. The topic has several writers, so pieces of one value may stand between
 * records of others, and a writer that dies leaves a value without its last pieces. Each piece names its value, so that a reader
 * takes neither for anything else; {@link LargeValues} leaves that to the Kafka transaction.
 */
public final class Pieces {
    /** With the text form of bytes in JSON, far below the broker's default {@code message.max.bytes}. */
    private static final int PIECE_BYTES = 384 * 1024;

    private Pieces() {}

    /**
     * One piece.
     *
     * @param id number of the value; a later value of the same key has a higher one, unless it takes the earlier one's place
     * @param number of the piece, from 0
     * @param of count of the pieces
     */
    public record Piece(long id, int number, int of, byte[] bytes) {
        public Piece {
            Objects.requireNonNull(bytes, "bytes");
        }
    }

    /** A whole value. */
    public record Whole<T>(long id, T value) {}

    /** The pieces of a value, in the order in which they must be written. */
    public static List<Piece> of(long id, Object value) {
        byte[] all = Json.write(value);
        int count = Math.max(1, (all.length + PIECE_BYTES - 1) / PIECE_BYTES);
        List<Piece> pieces = new ArrayList<>();
        for (int i = 0; i < count; i++) {
            int from = i * PIECE_BYTES;
            pieces.add(
                    new Piece(id, i, count, Arrays.copyOfRange(all, from, Math.min(all.length, from + PIECE_BYTES))));
        }
        return pieces;
    }

    /** Joins the pieces of the values of one key; gets each piece in the topic's order. Not safe for use by several threads. */
    public static final class Joiner<T> {
        private final Class<T> type;
        private final Map<Long, List<Piece>> open = new HashMap<>();

        public Joiner(Class<T> type) {
            this.type = type;
        }

        /**
         * The whole value, with its last piece.
         *
         * @throws io.wherry.contract.error.DataException when the pieces are not such a value
         */
        public Optional<Whole<T>> add(Piece piece) {
            if (piece.number() == 0) {
                open.put(piece.id(), new ArrayList<>());
            }
            List<Piece> before = open.get(piece.id());
            if (before == null || before.size() != piece.number()) {
                // The rest of a value whose writer was replaced, or a piece that came twice: the value that is open
                // does
                // not need it. Only a first piece begins the value again.
                return Optional.empty();
            }
            before.add(piece);
            if (before.size() < piece.of()) {
                return Optional.empty();
            }
            open.remove(piece.id());
            ByteArrayOutputStream all = new ByteArrayOutputStream();
            before.forEach(one -> all.writeBytes(one.bytes()));
            return Optional.of(new Whole<>(piece.id(), Json.read(all.toByteArray(), type)));
        }
    }
}
