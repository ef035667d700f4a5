package io.wherry.sink.merge;

import io.wherry.contract.postgres.TableShape;

/**
 * One event of a change topic. Values are PostgreSQL's text in the order of the shape's columns; null is NULL.
 *
 * @param shape the same object for every event written with one schema
 * @param before the old row; only the identity columns are known if the table has some; null when the event has no old row
 * @param after the new row; null for DELETE, TRUNCATE, BREAK and a REPAIR of a row that is not to exist
 * @param commitLsn of the source transaction, unsigned
 * @param order of the event within the transaction
 */
public record Change(TableShape shape, Kind kind, String[] before, String[] after, long commitLsn, long order) {
    /** Marks a column that the stream did not carry. Compared by identity, so no value of a row can equal it. */
    @SuppressWarnings("StringOperationCanBeSimplified")
    public static final String UNCHANGED = new String("UNCHANGED");

    /** What happened. */
    public enum Kind {
        INSERT,
        UPDATE,
        DELETE,
        TRUNCATE,
        /** Rows were added or removed that no event names. */
        BREAK,
        /** No row has changed; this says what the row of a key is: {@code after}, or none when that is null. */
        REPAIR
    }

    public static boolean isUnchanged(String value) {
        return value == UNCHANGED;
    }

    /** Whether the event must keep its place among changes of other keys: TRUNCATE, or an update that changes the key. */
    public boolean concernsSeveralKeys() {
        if (kind == Kind.TRUNCATE) {
            return true;
        }
        if (kind != Kind.UPDATE || before == null) {
            return false;
        }
        for (int i = 0; i < after.length; i++) {
            boolean inKey = shape.identity().contains(shape.columns().get(i).name());
            if (inKey && !isUnchanged(after[i]) && !after[i].equals(before[i])) {
                return true;
            }
        }
        return false;
    }
}
