package io.wherry.coordinator.witness;

import java.nio.ByteBuffer;
import java.nio.charset.CharacterCodingException;
import java.nio.charset.StandardCharsets;
import java.util.Arrays;
import java.util.List;
import java.util.Optional;

/** The key columns of one tuple of the stream; the other columns are skipped. */
final class Tuple {
    private static final byte TEXT = 't';
    private static final byte UNCHANGED = 'u';
    private static final byte NULL = 'n';

    private final String[] values;
    private final boolean[] unchanged;

    private Tuple(int columns) {
        values = new String[columns];
        unchanged = new boolean[columns];
    }

    /** @param places for each column of the key, its place in the tuple */
    static Tuple read(ByteBuffer message, int[] places) {
        Tuple tuple = new Tuple(places.length);
        int count = message.getShort();
        for (int column = 0; column < count; column++) {
            byte kind = message.get();
            int place = placeOf(column, places);
            switch (kind) {
                case TEXT -> {
                    int length = message.getInt();
                    if (place >= 0) {
                        tuple.values[place] = text(message.slice(message.position(), length));
                    }
                    message.position(message.position() + length);
                }
                case UNCHANGED -> {
                    if (place >= 0) {
                        tuple.unchanged[place] = true;
                    }
                }
                case NULL -> {}
                default -> throw new IllegalStateException("unknown kind of value " + kind);
            }
        }
        return tuple;
    }

    /** Takes the values of the old tuple for those that the server left out because the update did not change them. */
    void complete(Tuple old) {
        for (int i = 0; i < values.length; i++) {
            if (unchanged[i]) {
                values[i] = old.values[i];
            }
        }
    }

    /** Empty when a column is NULL, left out, or no UTF-8. */
    Optional<List<String>> key() {
        return Arrays.stream(values).anyMatch(value -> value == null) ? Optional.empty() : Optional.of(List.of(values));
    }

    private static int placeOf(int column, int[] places) {
        for (int i = 0; i < places.length; i++) {
            if (places[i] == column) {
                return i;
            }
        }
        return -1;
    }

    /** Null when the bytes are no UTF-8, as a database of encoding SQL_ASCII may send: another row could have the same text. */
    private static String text(ByteBuffer bytes) {
        try {
            return StandardCharsets.UTF_8.newDecoder().decode(bytes).toString();
        } catch (CharacterCodingException e) {
            return null;
        }
    }
}
