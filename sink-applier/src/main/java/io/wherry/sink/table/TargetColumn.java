package io.wherry.sink.table;

import io.wherry.contract.postgres.TableShape.TypeName;
import java.math.BigDecimal;
import java.util.Set;

/**
 * A column of a table on the target.
 *
 * @param type the column's own type
 * @param parameter type whose array carries the values of many rows, so that the type's input function reads each; null when the
 *     values must travel as {@code text[]} and be cast
 * @param equality when two texts are the same value to the type's {@code =}
 * @param operator the type's own {@code =}, that of its default btree class, schema-qualified; null = none
 * @param generated whether the server computes the column
 * @param alwaysIdentity {@code GENERATED ALWAYS AS IDENTITY}: an UPDATE cannot set it
 */
public record TargetColumn(
        String name,
        TypeName type,
        TypeName parameter,
        Equality equality,
        String operator,
        boolean generated,
        boolean alwaysIdentity) {
    private static final Set<String> CAST_OTHERWISE = Set.of("bpchar", "xml");

    /** The same column, but equal values may have different texts. */
    TargetColumn inexact() {
        return new TargetColumn(name, type, parameter, Equality.UNKNOWN, operator, generated, alwaysIdentity);
    }

    /**
     * Whether a cast to text gives what the server sends for a value. For bpchar the cast removes the blanks at the end. For xml
     * the cast shows a declaration that the server does not send. For a type of any other schema, its author may have defined a
     * cast that drops part of the value.
     */
    public boolean castAsSent() {
        TypeName base = parameter == null ? type : parameter;
        return base.schema().equals("pg_catalog") && !CAST_OTHERWISE.contains(base.name());
    }

    /** How the {@code =} of a type and the text of its values agree. */
    public enum Equality {
        /** Equal exactly if the texts are. */
        TEXT,
        /** Scale does not matter: 1.0 = 1.00. */
        NUMERIC,
        /** -0 = 0. */
        FLOAT,
        /** Trailing blanks do not matter. */
        PADDED,
        /** Not known: equal values may have different texts, or the type has no {@code =}. */
        UNKNOWN;

        /** A text that is the same for equal values. Undefined for {@link #UNKNOWN}. */
        public String canonical(String text) {
            return switch (this) {
                case NUMERIC -> numeric(text);
                case FLOAT -> text.equals("-0") ? "0" : text;
                case PADDED -> text.replaceFirst(" +$", "");
                case TEXT, UNKNOWN -> text;
            };
        }

        private static String numeric(String text) {
            boolean number = Character.isDigit(text.charAt(text.length() - 1));
            return number ? new BigDecimal(text).stripTrailingZeros().toString() : text;
        }
    }
}
