package io.wherry.sink.merge;

import io.wherry.contract.postgres.TableShape;

/**
 * One event of a change topic. Values are PostgreSQL's text in the order of the shape's columns; null is NULL.
 *
 * @param shape the same object for every event written with one schema
 * @param before the old row or its identity columns; null when the event has none
 * @param after the new row; null for DELETE, TRUNCATE and BREAK
 * @param commitLsn of the source transaction, unsigned
 * @param order within it
 */
public record Change(TableShape shape, Kind kind, String[] before, String[] after, long commitLsn, long order) {
    /** Stands for a column that the stream did not carry. Compared by identity, so no value of a row can equal it. */
    @SuppressWarnings("StringOperationCanBeSimplified")
    public static final String UNCHANGED = new String("UNCHANGED");

    /** What happened. */
    public enum Kind {
        INSERT,
        UPDATE,
        DELETE,
        TRUNCATE,
        /** Rows came or went that no event names. */
        BREAK
    }

    public static boolean isUnchanged(String value) {
        return value == UNCHANGED;
    }

    /** Whether it must keep its place among changes of other keys: TRUNCATE, or an update that changes the key. */
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
