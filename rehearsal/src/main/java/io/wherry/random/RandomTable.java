package io.wherry.random;

import java.util.List;
import java.util.Optional;

/**
 * A table that statements are generated for.
 *
 * @param name quoted, with its schema
 * @param key columns of the primary key; empty = the table has none, or one that ON CONFLICT cannot name
 * @param unique columns whose values rows take from each other
 * @param parts quoted names of partitions, which can be truncated alone
 */
record RandomTable(
        String name,
        List<RandomColumn> columns,
        List<RandomColumn> key,
        List<RandomColumn> unique,
        List<String> parts) {
    RandomTable {
        columns = List.copyOf(columns);
        key = List.copyOf(key);
        unique = List.copyOf(unique);
        parts = List.copyOf(parts);
    }

    RandomTable renamed(String other) {
        return new RandomTable(other, columns, key, unique, parts);
    }

    /** Columns that a statement may give a value. */
    List<RandomColumn> writable() {
        return columns.stream().filter(c -> !c.generated()).toList();
    }

    /** The one column of the key. It finds a row while other values of the row change. */
    Optional<RandomColumn> singleKey() {
        return key.size() == 1 ? Optional.of(key.get(0)) : Optional.empty();
    }
}
