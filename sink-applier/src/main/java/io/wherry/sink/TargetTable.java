package io.wherry.sink;

import io.wherry.contract.TableId;
import java.util.Map;
import java.util.Set;

/**
 * A table as the target's catalog describes it.
 *
 * @param partitioned its rows are those of its partitions
 * @param columns by name
 * @param uniqueKeys for each set of columns with an immediate unique index over exactly them: the operator that compares each
 *     column, schema-qualified. With {@code search_path=pg_catalog} the {@code =} of an extension's type, such as
 *     citext, would else not be found, or a different one be taken.
 */
record TargetTable(
        TableId id,
        boolean partitioned,
        Map<String, TargetColumn> columns,
        Map<Set<String>, Map<String, String>> uniqueKeys) {
    /** Its rows, as what follows FROM, UPDATE or DELETE FROM in SQL: each row of an inheritance tree is an event of its own table. */
    String rows() {
        return (partitioned ? "" : "ONLY ") + id.quoted();
    }
}
