package io.wherry.coordinator.witness;

import io.wherry.contract.name.TableId;

/**
 * How changes of one relation of the stream are named.
 *
 * @param table that carries the rows; null = the migration does not follow the table
 * @param places for each column of the key, its place in the tuples; null = no key can be named
 * @param settled whether the catalog agrees with the message; if not, the catalog is read again later
 * @param lookedAt {@link System#nanoTime} when the catalog was read
 */
record Naming(TableId table, int[] places, boolean settled, long lookedAt) {
    boolean ignored() {
        return table == null;
    }

    boolean keyed() {
        return places != null;
    }
}
