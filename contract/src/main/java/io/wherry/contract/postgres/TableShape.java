package io.wherry.contract.postgres;

import io.wherry.contract.name.Identifiers;
import io.wherry.contract.name.TableId;
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

    /**
     * @param type the column's type, never with a modifier
     * @param definition null where no caller needs to create the column
     */
    public record Column(String name, TypeName type, ColumnDefinition definition) {
        public Column(String name, TypeName type) {
            this(name, type, null);
        }
    }

    /** What the rows from before the column was added hold in it. */
    public enum EarlierRows {
        NULL,
        /** One value, the same in every row. */
        VALUE,
        /** The source rewrote its rows, which the stream does not show: each row may hold another value. */
        UNKNOWN
    }

    /**
     * All that is needed to add the column to a table elsewhere; everything as SQL text.
     *
     * @param type with its modifier, {@code character varying(20)}; null when the type no longer exists on the source
     * @param collation if it differs from the type's, else null
     * @param defaultExpression null = none
     * @param earlierValue for {@link EarlierRows#VALUE}, in the type's text form; else null
     */
    public record ColumnDefinition(
            String type,
            String collation,
            boolean notNull,
            String defaultExpression,
            EarlierRows earlierRows,
            String earlierValue) {}

    /** A type's schema and name as in {@code pg_type}: {@code pg_catalog.int4}. */
    public record TypeName(String schema, String name) {
        public static TypeName parse(String text) {
            int dot = text.indexOf('.');
            return new TypeName(text.substring(0, dot).replace("%2E", "."), text.substring(dot + 1));
        }

        /** As SQL text. Always quoted: unquoted {@code bit} means {@code bit(1)}, {@code "bit"} means any length. */
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
