package io.wherry.contract;

import java.util.List;

/**
 * A table's columns as one relation message of the stream, or the catalog, describes them.
 *
 * @param identity names of the columns that identify a row (primary key or replica identity index), in column order;
 *     empty = keyless: a row is identified by all its columns
 */
public record TableShape(TableId id, List<Column> columns, List<String> identity) {
    public TableShape {
        columns = List.copyOf(columns);
        identity = List.copyOf(identity);
    }

    /** @param type the column's type, never with a modifier */
    public record Column(String name, TypeName type) {}

    /** A type's schema and name as in {@code pg_type}: {@code pg_catalog.int4}. */
    public record TypeName(String schema, String name) {
        public static TypeName parse(String text) {
            int dot = text.indexOf('.');
            return new TypeName(text.substring(0, dot).replace("%2E", "."), text.substring(dot + 1));
        }

        /** As SQL text. Quoted always: unquoted {@code bit} means {@code bit(1)}, {@code "bit"} any length. */
        public String quoted() {
            return Identifiers.quote(schema) + "." + Identifiers.quote(name);
        }

        /** Text that {@link #parse} reads back. */
        @Override
        public String toString() {
            return schema.replace(".", "%2E") + "." + name;
        }
    }
}
