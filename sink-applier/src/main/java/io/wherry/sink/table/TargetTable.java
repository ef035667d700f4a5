package io.wherry.sink.table;

import io.wherry.contract.name.TableId;
import java.util.Map;
import java.util.Set;

/**
 * A table as the target's catalog describes it.
 *
 * @param partitioned its rows are those of its partitions
 * @param columns by name
 * @param uniqueKeys for each set of columns with a unique index over exactly them
 */
public record TargetTable(
        TableId id, boolean partitioned, Map<String, TargetColumn> columns, Map<Set<String>, UniqueKey> uniqueKeys) {
    /**
     * What the unique indexes over one set of columns allow.
     *
     * @param operators by column: the operator that tells whether two values are equal, schema-qualified. With
     *     {@code search_path=pg_catalog} the {@code =} of an extension's type, such as citext, would else not be found, or a
     *     different one be taken. Before it stands the index's collation where that is not the column's.
     * @param inexact those columns whose values the index's collation takes for equal though their texts differ
     * @param nameable whether {@code ON CONFLICT} can name these columns. It cannot name a key {@code WITHOUT OVERLAPS}, whose
     *     index is that of an exclusion constraint, nor a deferrable one.
     * @param exclusion whether the index is that of an exclusion constraint
     */
    public record UniqueKey(Map<String, String> operators, Set<String> inexact, boolean nameable, boolean exclusion) {
        /**
         * The same with another index over these columns. A deferrable one spoils it: {@code ON CONFLICT} takes every unique index
         * over the columns, and is then refused for this one. That of an exclusion constraint is passed over.
         */
        UniqueKey beside(UniqueKey other) {
            return new UniqueKey(operators, inexact, nameable && (other.nameable || other.exclusion), exclusion);
        }
    }

    /** Its rows, as what follows FROM, UPDATE or DELETE FROM in SQL: each row of an inheritance tree is an event of its own table. */
    public String rows() {
        return (partitioned ? "" : "ONLY ") + id.quoted();
    }

    /** What stands between two values of a column to ask whether the unique key over these columns takes them for the same. */
    public String equality(Set<String> key, String column) {
        UniqueKey unique = uniqueKeys.get(key);
        String operator = unique == null ? null : unique.operators().get(column);
        if (operator == null) {
            operator = columns.get(column).operator();
        }
        // Enums, arrays and ranges share the one of their kind.
        return operator == null ? "OPERATOR(\"pg_catalog\".=)" : operator;
    }
}
