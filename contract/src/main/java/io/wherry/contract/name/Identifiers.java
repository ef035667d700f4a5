package io.wherry.contract.name;

/** Quoting for SQL text, by the rules of the PostgreSQL documentation, section 4.1 (Lexical Structure). */
public final class Identifiers {
    private Identifiers() {}

    /** A quoted identifier: {@code Order Items} becomes {@code "Order Items"}, inner quotes doubled. */
    public static String quote(String name) {
        if (name.isEmpty() || name.indexOf('\0') >= 0) {
            throw new IllegalArgumentException("not an identifier: '" + name + "'");
        }
        return '"' + name.replace("\"", "\"\"") + '"';
    }

    /** A string literal that reads the same whatever {@code standard_conforming_strings} says. */
    public static String literal(String value) {
        String quoted = '\'' + value.replace("'", "''") + '\'';
        return value.indexOf('\\') < 0 ? quoted : 'E' + quoted.replace("\\", "\\\\");
    }
}
