package io.wherry.source.decode;

import io.wherry.contract.name.TableId;
import io.wherry.contract.postgres.TableShape;
import io.wherry.source.control.ColumnNumbers;
import java.util.Set;

/** What the decoder must know of a relation beyond its message. */
public interface Shapes {
    /** Waits until the catalog shows what the transaction did ({@code Visibility}); {@code transaction} is its number, unsigned. */
    default void await(long transaction) {}

    /**
     * Names of the relation's generated columns that the server sends, as from 18 on a publication may ask it to. They are left
     * out of the records: the target's server writes them itself.
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

    /** The table that the relation's rows go with: itself, or the whole that it is a partition of. */
    default Carrier carrier(RelationMessage relation) {
        return new Carrier(relation.oid(), relation.id());
    }

    /** The table's columns as they are today. */
    default ColumnNumbers columns(int oid) {
        return ColumnNumbers.NONE;
    }

    /** Whether the partition's changes name a row as the table does that carries it. */
    default boolean namesRows(RelationMessage partition, TableShape shape) {
        return true;
    }

    /** Whether nothing is left of the table when these of its partitions, by number, are truncated. */
    default boolean isAll(TableId whole, Set<Integer> truncated) {
        return true;
    }
}
