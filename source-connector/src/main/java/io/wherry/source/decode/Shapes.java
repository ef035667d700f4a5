package io.wherry.source.decode;

import io.wherry.contract.name.TableId;
import io.wherry.contract.postgres.TableShape;
import io.wherry.source.control.ColumnNumbers;
import java.util.Set;

/** What the decoder must know about a relation beyond its message. */
public interface Shapes {
    /**
     * Waits until the catalog shows what the transaction did ({@code CommitVisibility}).
     *
     * @param transaction its number, unsigned
     */
    default void await(long transaction) {}

    /**
     * Names of the relation's generated columns that the server sends: from 18 on, a publication may request them. The records
     * leave these columns out, because the target's server computes them.
     */
    default Set<String> generated(RelationMessage relation) {
        return Set.of();
    }

    /** @param relation under its carrier's name */
    TableShape of(RelationMessage relation);

    /**
     * A table that carries rows.
     *
     * @param oid 0 when only its name is known
     */
    record Carrier(int oid, TableId id) {}

    /** The table that carries the relation's rows: the relation itself, or the whole table for its partition. */
    default Carrier carrier(RelationMessage relation) {
        return new Carrier(relation.oid(), relation.id());
    }

    /** The table's columns as they are now. */
    default ColumnNumbers columns(int oid) {
        return ColumnNumbers.NONE;
    }

    /** Whether the changes of the partition name a row by the same columns as the table that carries them. */
    default boolean namesRows(RelationMessage partition, TableShape shape) {
        return true;
    }

    /** Whether these oids are all partitions of the table, so that the table is empty when they are truncated. */
    default boolean isAll(TableId whole, Set<Integer> truncated) {
        return true;
    }
}
