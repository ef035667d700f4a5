package io.wherry.coordinator.dump;

import io.wherry.coordinator.dump.DumpScript.Entry;
import io.wherry.coordinator.sql.Queries;
import java.sql.Connection;
import java.sql.SQLException;
import java.sql.Savepoint;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeMap;
import java.util.TreeSet;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/**
 * Parameters of columns ({@code ALTER TABLE … ALTER COLUMN … SET (…)}) in pg_dump's statements. A server of another build may keep
 * parameters that other servers do not know: Debian's 15.20 counts each column's versions in {@code pg_attver}, which its own
 * pg_dump hides and other pg_dumps print.
 */
public final class ColumnParameters {
    private static final Pattern STATEMENT = Pattern.compile(
            "(ALTER (?:FOREIGN )?TABLE .* ALTER COLUMN (?:\"(?:[^\"]|\"\")+\"|[^\\s\"]+) SET) \\(([^()]+)\\)",
            Pattern.DOTALL);
    private static final Set<String> DOCUMENTED = Set.of("n_distinct", "n_distinct_inherited");
    /** Parameters that only their own server uses. */
    private static final Set<String> NOT_CARRIED = Set.of("pg_attver");

    private static final String UNKNOWN_PARAMETER = "22023";

    private ColumnParameters() {}

    /** The statement without the parameters of these names; empty if it sets no others. */
    static List<String> without(String statement, Set<String> names) {
        Matcher set = STATEMENT.matcher(statement);
        if (names.isEmpty() || !set.matches()) {
            return List.of(statement);
        }
        List<String> left = new ArrayList<>(List.of(set.group(2).split(", ")));
        left.removeIf(parameter -> names.contains(name(parameter)));
        return left.isEmpty() ? List.of() : List.of(set.group(1) + " (" + String.join(", ", left) + ")");
    }

    /** The entries without the parameters of these names. Entries without statements stay, so that the count is still correct. */
    public static List<Entry> without(List<Entry> entries, Set<String> names) {
        return names.isEmpty()
                ? entries
                : entries.stream()
                        .map(entry -> new Entry(
                                entry.kind(),
                                entry.name(),
                                entry.settings(),
                                entry.statements().stream()
                                        .flatMap(statement -> without(statement, names).stream())
                                        .toList()))
                        .toList();
    }

    /** The parameters of the statements that are not carried: the server does not know them, or only their own server uses them. */
    public static Set<String> notCarried(Connection server, List<Entry> entries) throws SQLException {
        Map<String, String> found = new TreeMap<>();
        for (Entry entry : entries) {
            for (String statement : entry.statements()) {
                Matcher set = STATEMENT.matcher(statement);
                if (set.matches()) {
                    List.of(set.group(2).split(", ")).forEach(parameter -> found.put(name(parameter), parameter));
                }
            }
        }
        found.keySet().removeAll(DOCUMENTED);
        Set<String> names = new TreeSet<>(found.keySet());
        names.retainAll(NOT_CARRIED);
        found.keySet().removeAll(NOT_CARRIED);
        for (Map.Entry<String, String> parameter : found.entrySet()) {
            if (!knows(server, parameter.getValue())) {
                names.add(parameter.getKey());
            }
        }
        return names;
    }

    private static String name(String parameter) {
        return parameter.substring(0, Math.max(0, parameter.indexOf('='))).strip();
    }

    /** Tries the parameter, and leaves nothing behind. */
    private static boolean knows(Connection server, String parameter) throws SQLException {
        boolean autoCommit = server.getAutoCommit();
        server.setAutoCommit(false);
        Savepoint before = server.setSavepoint();
        try {
            Queries.execute(server, "CREATE TEMP TABLE wherry_parameter (c int)");
            Queries.execute(server, "ALTER TABLE pg_temp.wherry_parameter ALTER COLUMN c SET (" + parameter + ")");
            return true;
        } catch (SQLException e) {
            return !UNKNOWN_PARAMETER.equals(e.getSQLState());
        } finally {
            server.rollback(before);
            server.setAutoCommit(autoCommit);
        }
    }
}
