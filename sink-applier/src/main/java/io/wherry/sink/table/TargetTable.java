package io.wherry.sink.table;

import io.wherry.contract.name.TableId;
import java.util.Map;
import java.util.Set;

/**
 * A table as the target's catalog describes it.
 *
 * @param partitioned its rows are those of its partitions
 * @param copyable whether COPY writes a row as INSERT does: {@link TargetCatalog}
 * @param columns by name
 * @param uniqueKeys for each set of columns with a unique index over exactly them
 */
public record TargetTable(
        TableId id,
        boolean partitioned,
        boolean copyable,
        Map<String, TargetColumn> columns,
        Map<Set<String>, UniqueKey> uniqueKeys) {
    /**
     * What the unique indexes over one set of columns allow.
     *
     * @param operators by column: the schema-qualified operator that decides whether two values are equal. With {@code
     *     search_path=pg_catalog}, the {@code =} of an extension's type, such as citext, would not be found, or another operator
     *     would be used. The index's collation comes before the operator where it differs from the column's.
     * @param inexact columns with values that are equal in the index's collation although their texts differ
     * @param nameable whether {@code ON CONFLICT} can name these columns. It cannot name a key {@code WITHOUT OVERLAPS}, whose
     *     index belongs to an exclusion constraint, nor a deferrable key.
     * @param exclusion whether the index belongs to an exclusion constraint
     */
    public record UniqueKey(Map<String, String> operators, Set<String> inexact, boolean nameable, boolean exclusion) {
        /**
         * The same with another index over these columns. A deferrable index makes the columns not nameable: {@code ON CONFLICT}
         * takes every unique index over the columns, and is then refused for the deferrable one. The index of an exclusion
         * constraint is skipped.
         */
        UniqueKey beside(UniqueKey other) {
            return new UniqueKey(operators, inexact, nameable && (other.nameable || other.exclusion), exclusion);
        }
    }

    /** Its rows, as SQL after FROM, UPDATE or DELETE FROM: each row of an inheritance tree is an event of its own table. */
    public String rows() {
        return (partitioned ? "" : "ONLY ") + id.quoted();
    }

    /** The SQL between two values of a column that asks whether the unique key over these columns treats the values as equal. */
    public String equality(Set<String> key, String column) {
        UniqueKey unique = uniqueKeys.get(key);
        String operator = unique == null ? null : unique.operators().get(column);
        if (operator == null) {
            operator = columns.get(column).operator();
        }
        // Enums, arrays and ranges share one operator of their kind.
        return operator == null ? "OPERATOR(\"pg_catalog\".=)" : operator;
    }
}
