package io.wherry.cli;

import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/**
 * The statements that a line of {@code check} offers as its remedy; the first way where the line offers several.
 *
 * @param onTarget whether the statements are for the target, else for the source
 */
record OfferedSql(boolean onTarget, List<String> statements) {
    private static final Pattern BEGIN = Pattern.compile(
            "\\b(ALTER (TABLE|ROLE|DATABASE|SYSTEM|SCHEMA)|CREATE (ROLE|SCHEMA|EXTENSION|SEQUENCE)|DROP (TABLE|SCHEMA|EXTENSION)"
                    + "|GRANT|TRUNCATE|DELETE FROM|SELECT (lo_unlink|pg_reload_conf))\\b");
    private static final Pattern END = Pattern.compile(
            "; |, (or|if|then|and) | (on|if) (the|they) | \\((on RDS|from|or)|, (drop|which)| and use|$");
    private static final Pattern OTHER_WAY = Pattern.compile("\\bor\\b|; if |\\(on RDS");

    OfferedSql {
        statements = List.copyOf(statements);
    }

    /** Empty when the line offers nothing that can be run as it is: only words, a restart, or a placeholder. */
    static Optional<OfferedSql> of(String line) {
        Matcher begin = BEGIN.matcher(line);
        List<String> statements = new ArrayList<>();
        int from = 0;
        int head = line.length();
        while (begin.find(from)) {
            if (!statements.isEmpty()
                    && OTHER_WAY.matcher(line.substring(from, begin.start())).find()) {
                break;
            }
            Matcher end = END.matcher(line);
            end.find(begin.end());
            String statement = line.substring(begin.start(), end.start());
            if (line.startsWith(", then restart", end.start())) {
                return Optional.empty();
            }
            if (!statement.contains("…")) {
                statements.add(statement);
                head = Math.min(head, begin.start());
            }
            from = end.start();
        }
        boolean onTarget = line.substring(0, head).contains("target") || line.contains("on the target");
        return statements.isEmpty()
                ? Optional.empty()
                : Optional.of(new OfferedSql(onTarget && !line.contains("on the source ("), statements));
    }
}
