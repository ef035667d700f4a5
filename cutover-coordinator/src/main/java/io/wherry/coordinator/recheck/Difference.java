package io.wherry.coordinator.recheck;

import io.wherry.contract.name.TableId;
import java.util.List;

/**
 * A row that differs between the sides and is not on its way. The key is the only value that is shown.
 *
 * @param key values of the table's identity; empty = the content of a whole table
 * @param columns names of the columns that differ; empty when the row exists on one side only
 */
public record Difference(TableId table, List<String> key, Kind kind, List<String> columns) {
    /** What differs. */
    public enum Kind {
        MISSING_ON_TARGET("is missing on the target"),
        ONLY_ON_TARGET("is only on the target"),
        DIFFERS("differs"),
        /** Rows of a table that is compared as a whole. */
        CONTENT_DIFFERS("holds other rows on the target");

        private final String words;

        Kind(String words) {
            this.words = words;
        }
    }

    public Difference {
        key = List.copyOf(key);
        columns = List.copyOf(columns);
    }

    /** The key as people read it: {@code (42)}. */
    public String keyText() {
        return "(" + String.join(",", key) + ")";
    }

    /** One line for people: {@code public.hay (42) differs in v, n}. */
    public String explained() {
        return table + (key.isEmpty() ? "" : " " + keyText()) + " " + kind.words
                + (columns.isEmpty() ? "" : " in " + String.join(", ", columns));
    }
}
