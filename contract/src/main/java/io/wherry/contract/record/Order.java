package io.wherry.contract.record;

import io.wherry.contract.name.TableId;
import java.util.Objects;

/**
 * An order of the operator to the source-connector; record of the control topic, written by the coordinator.
 *
 * @param table that the order concerns; null = all
 * @param atMillis when the order was given, ms since 1970
 */
public record Order(Kind kind, TableId table, long atMillis) {
    public Order {
        Objects.requireNonNull(kind, "kind");
    }

    /** Key of this record in the control topic. */
    public static final String KEY = "order";

    /** The kind of an order. */
    public enum Kind {
        /** Continue the load of a table whose load has failed. */
        RETRY,
        /** Load again from the beginning; for all tables this includes a new slot. */
        RELOAD
    }

    public boolean means(TableId other) {
        return table == null || table.equals(other);
    }
}
