package io.wherry.random;

import java.util.List;
import java.util.Optional;

/**
 * A table that statements are made for.
 *
 * @param name quoted, with its schema
 * @param key columns of the primary key; empty = none, or one that ON CONFLICT cannot name
 * @param unique columns whose values rows take from one another
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

    /** The one column of the key, by which a row can be found while others of its values change. */
    Optional<RandomColumn> singleKey() {
        return key.size() == 1 ? Optional.of(key.get(0)) : Optional.empty();
    }
}
