package io.wherry.contract.name;

import com.fasterxml.jackson.annotation.JsonIgnore;
import java.util.Comparator;
import java.util.Objects;

/** A table's schema and name, exactly as the catalog spells them (unquoted, case kept). */
public record TableId(String schema, String table) implements Comparable<TableId> {
    private static final Comparator<TableId> ORDER =
            Comparator.comparing(TableId::schema).thenComparing(TableId::table);

    public TableId {
        Objects.requireNonNull(schema, "schema");
        Objects.requireNonNull(table, "table");
    }

    /** The name as SQL text: {@code "public"."Order Items"}. */
    @JsonIgnore
    public String quoted() {
        return Identifiers.quote(schema) + "." + Identifiers.quote(table);
    }

    @Override
    public int compareTo(TableId other) {
        return ORDER.compare(this, other);
    }

    /** For display: {@code public.Order Items}. */
    @Override
    public String toString() {
        return schema + "." + table;
    }
}
