package io.wherry.sink.table;

import io.wherry.contract.name.Identifiers;
import io.wherry.contract.postgres.TableShape.TypeName;
import java.math.BigDecimal;
import java.util.Optional;
import java.util.Set;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/**
 * A default as {@code pg_get_expr} writes it, parsed and written again (pure). The text comes from the registry, where others may
 * be able to write, and a default runs as the role that inserts a row. So only constants, and the few functions that most
 * defaults call, are built from the text. The coordinator copies any other default from the source's own catalog.
 */
final class DefaultText {
    private static final Pattern NUMBER = Pattern.compile("-?[0-9]{1,400}(?:\\.[0-9]{1,400})?");
    private static final Pattern BITS = Pattern.compile("B'([01]{0,1000})'");
    private static final Set<String> WORDS = Set.of(
            "true",
            "false",
            "NULL",
            "CURRENT_DATE",
            "CURRENT_TIMESTAMP",
            "LOCALTIMESTAMP",
            "CURRENT_USER",
            "SESSION_USER");
    private static final Set<String> FUNCTIONS = Set.of(
            "now()", "clock_timestamp()", "statement_timestamp()", "transaction_timestamp()", "gen_random_uuid()");
    private static final String CAST = "::";
    /** No constant that a server writes nests deeper; a hostile text would exhaust the stack. */
    private static final int DEPTH = 20;

    private final TypeName column;

    private DefaultText(TypeName column) {
        this.column = column;
    }

    /**
     * The same default as SQL that Wherry has written.
     *
     * @param column the column's type; values are cast only to that type and to the server's own types, as any role may define a
     *     cast function
     * @return empty when the default is something else
     */
    static Optional<String> parse(String expression, TypeName column) {
        return new DefaultText(column).expression(expression, DEPTH);
    }

    private Optional<String> expression(String text, int depth) {
        if (depth == 0) {
            return Optional.empty();
        }
        Optional<String> value = value(text);
        int cast = text.lastIndexOf(CAST);
        if (value.isEmpty() && cast > 0) {
            value = type(text.substring(cast + CAST.length()))
                    .flatMap(type ->
                            expression(text.substring(0, cast), depth - 1).map(left -> left + CAST + type));
        }
        // The rest of a cast, or the text within parentheses, is parsed in turn: a cut at a wrong place parses to
        // nothing.
        if (value.isEmpty() && text.length() > 2 && text.charAt(0) == '(' && text.endsWith(")")) {
            return expression(text.substring(1, text.length() - 1), depth - 1).map(inner -> "(" + inner + ")");
        }
        return value;
    }

    private static Optional<String> value(String text) {
        if (WORDS.contains(text)) {
            return Optional.of(text);
        }
        if (FUNCTIONS.contains(text)) {
            return Optional.of("\"pg_catalog\"." + text);
        }
        if (NUMBER.matcher(text).matches()) {
            return Optional.of(new BigDecimal(text).toPlainString());
        }
        Matcher bits = BITS.matcher(text);
        if (bits.matches()) {
            return Optional.of("B'" + bits.group(1) + "'");
        }
        if (text.startsWith("E'")) {
            return string(text.substring(1), true);
        }
        return text.startsWith("'") ? string(text, false) : Optional.empty();
    }

    private static Optional<String> string(String quoted, boolean escapes) {
        StringBuilder value = new StringBuilder(quoted.length());
        int last = quoted.length() - 1;
        if (last == 0 || quoted.charAt(last) != '\'') {
            return Optional.empty();
        }
        for (int i = 1; i < last; i++) {
            char c = quoted.charAt(i);
            boolean special = c == '\'' || escapes && c == '\\';
            if (special && (i + 1 == last || quoted.charAt(i + 1) != c)) {
                return Optional.empty();
            }
            value.append(c);
            i += special ? 1 : 0;
        }
        return Optional.of(Identifiers.literal(value.toString()));
    }

    private Optional<String> type(String text) {
        return TypeText.parse(text)
                .filter(type ->
                        type.name().schema().equals("pg_catalog") || type.name().equals(column))
                .map(TypeText::sql);
    }
}
