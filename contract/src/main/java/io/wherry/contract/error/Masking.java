package io.wherry.contract.error;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import com.fasterxml.jackson.databind.node.TextNode;
import java.util.List;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/**
 * Removes secrets and row values from text that many people may read (pure). Definitions in the catalog hold the passwords of
 * user mappings and subscriptions; a server's messages hold the row that the server refuses.
 */
public final class Masking {
    /** Replaces what was removed. */
    public static final String MASK = "***";

    // Replace a quote within a literal while the rules run: a pattern for pairs of quotes would exhaust the stack on a
    // long literal.
    private static final String DOUBLED = "\u0001";
    private static final String ESCAPED = "\u0002";

    /** A literal is not closed where the text was shortened. It starts with a pair of quotes if its value begins with a quote. */
    private static final String LITERAL = "E?" + DOUBLED + "*+'[^']*+'?";

    private static final String SECRET =
            "\"?[a-z_]{0,30}(?:passw|passphrase|passcode|secret|token|api_?key|access_?key|"
                    + "private_?key|credential)[a-z_]{0,30}\"?";

    /** Up to the last quote of the line, or up to the end of the line where that quote was cut off. */
    private static final String REST = "(?:[^\\n]*\"|[^\\n]*)";

    /** A longer text would not help a reader, and a hostile value could make the rules run for a long time. */
    private static final int LONGEST = 16 * 1024;

    private record Rule(Pattern pattern, String replacement) {
        static Rule of(String regex, String replacement) {
            return new Rule(Pattern.compile(regex, Pattern.CASE_INSENSITIVE), replacement);
        }
    }

    private static final List<Rule> RULES = List.of(
            Rule.of("(\\bCONNECTION\\s+)" + LITERAL, "$1'***'"),
            Rule.of("(" + SECRET + "\\s*=?\\s*)" + LITERAL, "$1'***'"),
            Rule.of("(" + SECRET + "=)[^\\s'\"&,;)]+", "$1***"),
            Rule.of("(://[^\\s/:@]{1,200}:)[^\\s/@]+@", "$1***@"),
            // The server's words about the row that it refuses; up to the end of the line where the text was cut off.
            Rule.of(
                    "(\\bkey \\([^\\n]*?\\)=\\()(?:[^\\n]*?\\)( already exists| is not present| is still referenced"
                            + "| conflicts with| is duplicated|\\.?\\s*(?:\\n|$))|[^\\n]*$)",
                    "$1***)$2"),
            Rule.of(
                    "(row contains (?:\\([^)\\n]*\\) = )?\\()(?:[^\\n]*\\)(?=\\. The target refused|\\.?\\s*(?:\\n|$))|[^\\n]*)",
                    "$1***)"),
            Rule.of(
                    "(\\b(?:invalid input syntax|invalid input value|malformed|value too long|invalid value)\\b[^\\n]*?: \")"
                            + REST,
                    "$1***\""),
            Rule.of("(\\bvalue \")[^\\n]*(\" is out of range)", "$1***$2"),
            Rule.of("(\\bCOPY [^\\n]+?, line [0-9]+(?:, column [^\\n]+?)?: \")" + REST, "$1***\""),
            Rule.of("(portal parameter \\$[0-9]+ = |parameters: )[^\\n]*", "$1***"));

    private static final Pattern OPTIONS = Pattern.compile(
            "\\b(?:CREATE|ALTER) (?:USER MAPPING|SERVER|FOREIGN DATA WRAPPER)\\b.*?\\bOPTIONS\\s*\\(",
            Pattern.CASE_INSENSITIVE | Pattern.DOTALL);
    private static final Pattern ANY_LITERAL = Pattern.compile(LITERAL);

    private Masking() {}

    /** The text without secrets and values. */
    public static String mask(String text) {
        String shown = text.length() <= LONGEST ? text : text.substring(0, LONGEST) + " …";
        String masked = shown.replace("''", DOUBLED).replace("\\'", ESCAPED);
        Matcher options = OPTIONS.matcher(masked);
        if (options.find()) {
            // An option may have any name, and no list of secret names would be complete.
            masked = masked.substring(0, options.end())
                    + ANY_LITERAL.matcher(masked.substring(options.end())).replaceAll("'***'");
        }
        for (Rule rule : RULES) {
            masked = rule.pattern.matcher(masked).replaceAll(rule.replacement);
        }
        return masked.replace(DOUBLED, "''").replace(ESCAPED, "\\'");
    }

    /** Masks every text within the value; field names stay. */
    public static JsonNode mask(JsonNode value) {
        if (value.isTextual()) {
            return TextNode.valueOf(mask(value.asText()));
        }
        if (value instanceof ArrayNode list) {
            ArrayNode masked = list.arrayNode();
            list.forEach(element -> masked.add(mask(element)));
            return masked;
        }
        if (value instanceof ObjectNode object) {
            ObjectNode masked = object.objectNode();
            object.properties().forEach(field -> masked.set(field.getKey(), mask(field.getValue())));
            return masked;
        }
        return value;
    }
}
