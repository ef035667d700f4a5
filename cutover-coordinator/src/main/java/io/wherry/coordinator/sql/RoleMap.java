package io.wherry.coordinator.sql;

import io.wherry.contract.name.Identifiers;
import java.util.Arrays;
import java.util.Map;
import java.util.function.UnaryOperator;
import java.util.regex.MatchResult;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import java.util.stream.Collectors;

/** Replaces the source's roles by the target's, as {@code target.role-map} says (pure). */
public final class RoleMap {
    private static final String NAME = "(?:\"(?:[^\"]|\"\")+\"|[^\\s\",;()]+)";
    private static final String QUALIFIED = NAME + "(?:\\." + NAME + ")?";
    private static final String NAMES = "(" + NAME + "(?:, " + NAME + ")*)";

    /** Where pg_dump's statements name roles: the text before, and the group that holds names. */
    private static final Pattern[] PLACES = {
        Pattern.compile("(ALTER [A-Z ]+ .* OWNER TO )" + NAMES, Pattern.DOTALL),
        Pattern.compile(
                "((?:GRANT|REVOKE) .* (?:TO|FROM) )" + NAMES + "( WITH GRANT OPTION)?( CASCADE)?", Pattern.DOTALL),
        Pattern.compile("(ALTER DEFAULT PRIVILEGES FOR ROLE )" + NAMES + "( .*)", Pattern.DOTALL),
        Pattern.compile(
                "(ALTER DEFAULT PRIVILEGES .* (?:GRANT|REVOKE) .* (?:TO|FROM) )" + NAMES + "( WITH GRANT OPTION)?",
                Pattern.DOTALL),
        Pattern.compile(
                "(CREATE POLICY " + NAME + " ON " + QUALIFIED + "(?: AS [A-Z]+)?(?: FOR [A-Z]+)? TO )" + NAMES
                        + "( .*)?",
                Pattern.DOTALL),
        Pattern.compile("(CREATE USER MAPPING FOR )" + NAMES + "( .*)", Pattern.DOTALL),
        Pattern.compile("(ALTER ROLE )" + NAMES + "( IN DATABASE .*)", Pattern.DOTALL),
        Pattern.compile("(SET SESSION AUTHORIZATION )" + NAMES),
    };

    private final Map<String, String> targets;

    public RoleMap(Map<String, String> targets) {
        this.targets = Map.copyOf(targets);
    }

    boolean empty() {
        return targets.isEmpty();
    }

    /** The target's role for a role of the source. */
    public String role(String source) {
        return targets.getOrDefault(source, source);
    }

    /** A statement of pg_dump, rewritten for the target's roles. */
    public String statement(String sql) {
        String mapped = sql;
        if (!empty()) {
            for (Pattern place : PLACES) {
                Matcher matcher = place.matcher(mapped);
                if (matcher.matches()) {
                    mapped = rewritten(matcher.toMatchResult(), this::quoted);
                }
            }
        }
        return mapped;
    }

    private static String rewritten(MatchResult match, UnaryOperator<String> role) {
        StringBuilder sql = new StringBuilder(match.group(1));
        sql.append(Arrays.stream(match.group(2).split(", (?=(?:[^\"]*\"[^\"]*\")*[^\"]*$)"))
                .map(role)
                .collect(Collectors.joining(", ")));
        for (int group = 3; group <= match.groupCount(); group++) {
            sql.append(match.group(group) == null ? "" : match.group(group));
        }
        return sql.toString();
    }

    private String quoted(String name) {
        boolean quotes = name.startsWith("\"");
        String plain = quotes ? name.substring(1, name.length() - 1).replace("\"\"", "\"") : name;
        String target = role(plain);
        // Unquoted words such as PUBLIC and CURRENT_USER stay words.
        return target.equals(plain) ? name : Identifiers.quote(target);
    }
}
