package io.wherry.sink.table;

import io.wherry.contract.name.Identifiers;
import io.wherry.contract.postgres.TableShape.TypeName;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/**
 * A type as {@code format_type} writes it, parsed and written again (pure). The text comes from a topic or the registry, where
 * others may be able to write. So the SQL contains nothing of the text but names, which are quoted, and words and numbers of a
 * modifier.
 *
 * @param name schema and name as in {@code pg_type}
 * @param sql that names the type, its modifier and its collation
 */
public record TypeText(TypeName name, String sql) {
    /** A name has at most 63 bytes; a modifier of an extension's type has a few words. */
    private static final int LONGEST = 800;

    private static final String IDENTIFIER = "([a-z_][a-z0-9_]*|\"(?:[^\"]|\"\")+\")";
    private static final String ARGUMENT = "(?:-?[0-9]{1,9}|[A-Za-z][A-Za-z0-9_]*)";
    private static final String ARGUMENTS = "(?:\\((" + ARGUMENT + "(?:, ?" + ARGUMENT + ")*)\\))?";
    private static final String ARRAY = "(\\[\\])?";

    private static final Pattern COLLATED = Pattern.compile("(.*) COLLATE " + IDENTIFIER + "\\." + IDENTIFIER);
    private static final Pattern QUALIFIED = Pattern.compile(IDENTIFIER + "\\." + IDENTIFIER + ARGUMENTS + ARRAY);
    private static final Pattern TIME =
            Pattern.compile("(time|timestamp)" + ARGUMENTS + " (with|without) time zone" + ARRAY);
    private static final Pattern INTERVAL = Pattern.compile("interval( [a-z ]+)?(?:\\(([0-6])\\))?" + ARRAY);
    private static final Pattern PLAIN =
            Pattern.compile("([a-z_][a-z0-9_]*(?: [a-z]+)?|\"char\"|\"bit\")" + ARGUMENTS + ARRAY);

    /** Names that {@code format_type} uses for types that have another name in {@code pg_type}. */
    private static final Map<String, String> STANDARD = Map.ofEntries(
            Map.entry("boolean", "bool"),
            Map.entry("smallint", "int2"),
            Map.entry("integer", "int4"),
            Map.entry("bigint", "int8"),
            Map.entry("real", "float4"),
            Map.entry("double precision", "float8"),
            Map.entry("character", "bpchar"),
            Map.entry("character varying", "varchar"),
            Map.entry("bit varying", "varbit"),
            Map.entry("\"char\"", "char"),
            Map.entry("\"bit\"", "bit"));

    private static final Set<String> INTERVAL_FIELDS = Set.of(
            "year",
            "month",
            "day",
            "hour",
            "minute",
            "second",
            "year to month",
            "day to hour",
            "day to minute",
            "day to second",
            "hour to minute",
            "hour to second",
            "minute to second");

    /** Reads a type with its modifier, and its collation if the text names one; empty when no server writes such a type. */
    public static Optional<TypeText> parse(String text) {
        if (text.length() > LONGEST) {
            return Optional.empty();
        }
        Matcher collated = COLLATED.matcher(text);
        if (collated.matches()) {
            String collation = " COLLATE " + quote(collated.group(2)) + "." + quote(collated.group(3));
            return parse(collated.group(1)).map(type -> new TypeText(type.name, type.sql + collation));
        }
        Matcher time = TIME.matcher(text);
        if (time.matches()) {
            return of(
                    "pg_catalog",
                    time.group(1) + (time.group(3).equals("with") ? "tz" : ""),
                    time.group(2),
                    time.group(4));
        }
        Matcher interval = INTERVAL.matcher(text);
        if (interval.matches()) {
            return interval(interval.group(1), interval.group(2), interval.group(3));
        }
        Matcher qualified = QUALIFIED.matcher(text);
        if (qualified.matches()) {
            return of(unquote(qualified.group(1)), unquote(qualified.group(2)), qualified.group(3), qualified.group(4));
        }
        Matcher plain = PLAIN.matcher(text);
        if (plain.matches()) {
            String name = STANDARD.getOrDefault(plain.group(1), plain.group(1));
            return name.indexOf(' ') < 0 ? of("pg_catalog", name, plain.group(2), plain.group(3)) : Optional.empty();
        }
        return Optional.empty();
    }

    // A modifier of an interval is a mask of its fields, which only the words of the SQL grammar can express.
    private static Optional<TypeText> interval(String fields, String precision, String array) {
        String named = fields == null ? "" : fields.strip();
        if (!named.isEmpty() && !INTERVAL_FIELDS.contains(named)) {
            return Optional.empty();
        }
        String sql = "interval" + (named.isEmpty() ? "" : " " + named)
                + (precision == null ? "" : "(" + Integer.parseInt(precision) + ")");
        return Optional.of(new TypeText(new TypeName("pg_catalog", "interval"), sql + brackets(array)));
    }

    private static Optional<TypeText> of(String schema, String type, String arguments, String array) {
        TypeName name = new TypeName(schema, type);
        return Optional.of(new TypeText(name, name.quoted() + modifier(arguments) + brackets(array)));
    }

    private static String modifier(String arguments) {
        if (arguments == null) {
            return "";
        }
        List<String> rebuilt = new ArrayList<>();
        for (String argument : arguments.split(", ?")) {
            boolean word = Character.isLetter(argument.charAt(0));
            rebuilt.add(word ? Identifiers.literal(argument) : Integer.toString(Integer.parseInt(argument)));
        }
        return "(" + String.join(", ", rebuilt) + ")";
    }

    private static String brackets(String array) {
        return array == null ? "" : "[]";
    }

    private static String quote(String identifier) {
        return Identifiers.quote(unquote(identifier));
    }

    private static String unquote(String identifier) {
        return identifier.charAt(0) == '"'
                ? identifier.substring(1, identifier.length() - 1).replace("\"\"", "\"")
                : identifier;
    }
}
