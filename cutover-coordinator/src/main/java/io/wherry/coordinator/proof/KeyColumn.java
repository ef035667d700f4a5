package io.wherry.coordinator.proof;

import io.wherry.contract.name.Identifiers;
import io.wherry.contract.postgres.CatalogColumn;
import java.util.Set;

/**
 * A column of a table's key, as SQL.
 *
 * @param name quoted
 * @param type quoted, without modifiers: a cast to {@code char(4)} would cut a longer value
 * @param operator the one for equality that the key's index knows
 * @param ordered whether every server orders the column's values alike
 */
record KeyColumn(String name, String type, String operator, boolean ordered) {
    private static final Set<String> ORDERED_ALIKE = Set.of(
            "int2", "int4", "int8", "oid", "numeric", "date", "timestamp", "timestamptz", "uuid", "bool", "bytea");
    private static final Set<String> ORDERED_BY_BYTES = Set.of("text", "varchar");

    /**
     * @param bytesOnSource whether the source's database orders texts by their bytes where a column does not say otherwise
     * @param bytesOnTarget the same for the target's
     */
    static KeyColumn of(CatalogColumn source, CatalogColumn target, boolean bytesOnSource, boolean bytesOnTarget) {
        String schema = source.type().schema();
        boolean builtIn = schema.equals("pg_catalog");
        boolean same = builtIn && source.type().equals(target.type());
        boolean ordered = same
                && (ORDERED_ALIKE.contains(source.type().name())
                        || ORDERED_BY_BYTES.contains(source.type().name())
                                && byBytes(source, bytesOnSource)
                                && byBytes(target, bytesOnTarget));
        // The operators of an extension's type are in the schema of the type, not in the session's path; those of
        // enums,
        // domains, ranges and arrays are built in.
        boolean own = !builtIn && source.typeKind() == 'b' && source.elementOid() == 0;
        return new KeyColumn(
                Identifiers.quote(source.name()),
                Identifiers.quote(schema) + "."
                        + Identifiers.quote(source.type().name()),
                own ? "OPERATOR(" + Identifiers.quote(schema) + ".=)" : "=",
                ordered);
    }

    private static boolean byBytes(CatalogColumn column, boolean byDefault) {
        String definition = column.definition();
        return definition.contains(" COLLATE ")
                ? definition.endsWith(" COLLATE pg_catalog.\"C\"")
                        || definition.endsWith(" COLLATE pg_catalog.\"POSIX\"")
                : byDefault;
    }

    /** A value that the statement has as text, as a value of the column. */
    String value(String text) {
        return text + "::pg_catalog.text::" + type;
    }

    /** The value's text as the server's output function writes it, and as the witness has it; a cast would cut blanks. */
    String text() {
        return "format('%s', " + name + ")";
    }
}
