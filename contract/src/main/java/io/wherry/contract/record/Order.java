package io.wherry.contract.record;

import io.wherry.contract.name.TableId;
import java.util.Objects;

/**
 * What the operator wants of the source-connector; record of the control topic, written by the coordinator.
 *
 * @param table that is meant; null = all
 * @param atMillis when it was given, ms since 1970
 */
public record Order(Kind kind, TableId table, long atMillis) {
    public Order {
        Objects.requireNonNull(kind, "kind");
    }

    /** Key of this record in the control topic. */
    public static final String KEY = "order";

    /** What to do. */
    public enum Kind {
        /** Go on with the load of a table that was given up. */
        RETRY,
        /** Load again from the beginning; of all tables: under a new slot. */
        RELOAD
    }

    public boolean means(TableId other) {
        return table == null || table.equals(other);
    }
}
