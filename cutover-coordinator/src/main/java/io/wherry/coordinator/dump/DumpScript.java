package io.wherry.coordinator.dump;

import io.wherry.coordinator.dump.SqlScript.Part;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.function.UnaryOperator;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import java.util.stream.Collectors;

/** The plain text that pg_restore writes for an archive, read as entries (pure). */
public final class DumpScript {
    private static final Pattern HEADER =
            Pattern.compile("-- (?:Data for )?Name: (.*); Type: ([A-Z ]+); Schema: (.*?); Owner: .*");
    private static final Pattern SETTING = Pattern.compile("SET (?:SESSION )?([a-z_.]+) (?:=|TO) .*", Pattern.DOTALL);
    private static final Pattern SEARCH_PATH = Pattern.compile("SELECT pg_catalog\\.set_config\\('search_path'.*");

    private DumpScript() {}

    /**
     * One entry of the archive.
     *
     * @param kind pg_dump's name of the kind: {@code INDEX}, {@code FK CONSTRAINT}, {@code TRIGGER}
     * @param name pg_dump's tag, unquoted; for constraints and triggers {@code table name}
     * @param settings {@code SET} statements in force for the entry
     * @param statements without semicolons
     */
    public record Entry(String kind, String name, List<String> settings, List<String> statements) {
        /** The same entry with other statements. */
        public Entry with(UnaryOperator<String> change) {
            return new Entry(
                    kind, name, settings, statements.stream().map(change).toList());
        }

        /** The whole entry as a separate script. */
        String sql() {
            List<String> all = new ArrayList<>(settings);
            all.addAll(statements);
            return String.join(";\n", all) + ";";
        }
    }

    /**
     * @param known settings of the server that will run the script: newer dump programs set some that this server lacks
     *     (transaction_timeout)
     */
    public static List<Entry> entries(String script, Set<String> known) {
        List<Entry> entries = new ArrayList<>();
        Map<String, String> settings = new LinkedHashMap<>();
        for (Part part : SqlScript.parts(script)) {
            Matcher setting = SETTING.matcher(part.sql());
            if (part.comment()) {
                Matcher header = HEADER.matcher(part.sql());
                if (header.matches()) {
                    entries.add(new Entry(header.group(2), header.group(1), new ArrayList<>(), new ArrayList<>()));
                }
            } else if (SEARCH_PATH.matcher(part.sql()).matches()) {
                settings.put("search_path", part.sql());
            } else if (setting.matches()) {
                // Wherry's sessions have their own time limits.
                if (known.contains(setting.group(1)) && !setting.group(1).endsWith("_timeout")) {
                    settings.put(setting.group(1), part.sql());
                }
            } else if (entries.isEmpty()) {
                throw new IllegalArgumentException("statement before the first entry: " + part.sql());
            } else {
                Entry entry = entries.get(entries.size() - 1);
                if (entry.statements().isEmpty()) {
                    entry.settings().addAll(settings.values());
                }
                entry.statements().add(part.sql());
            }
        }
        return entries;
    }

    /**
     * Whether the entry creates or fills a publication of the flow, which must not be on the target. Decided by the entry's
     * statements: names that contain "; Type: " make the header ambiguous, and Wherry's names need no quotes.
     */
    public static boolean ofPublication(Entry entry, Set<String> publications) {
        String names = publications.stream().map(Pattern::quote).collect(Collectors.joining("|"));
        Pattern own = Pattern.compile("(CREATE|ALTER|COMMENT ON) PUBLICATION (" + names + ")\\s.*", Pattern.DOTALL);
        return entry.statements().stream()
                .anyMatch(statement -> own.matcher(statement).matches());
    }

    // pg_dump grants last. But a table can be given only to an owner who may create in the schema; the server does
    // not check this for a superuser.
    private static List<Entry> schemasFirst(List<Entry> entries) {
        List<Entry> ordered = new ArrayList<>();
        List<Entry> rest = new ArrayList<>(entries);
        rest.removeIf(entry -> entry.kind().equals("SCHEMA") && ordered.add(entry));
        rest.removeIf(entry -> entry.kind().equals("ACL") && entry.name().startsWith("SCHEMA ") && ordered.add(entry));
        ordered.addAll(rest);
        return ordered;
    }

    /**
     * The entries as one script for the target.
     *
     * @param publications of the flow, left out
     * @param superuser if false, comments on extensions are left out: {@code CREATE EXTENSION} has set them, and
     *     only an extension's owner may comment. Schema public then keeps its owner, who up to 14 is a superuser
     */
    public static String script(List<Entry> entries, Set<String> publications, boolean superuser) {
        StringBuilder script = new StringBuilder();
        List<String> settings = List.of();
        for (Entry entry : schemasFirst(entries)) {
            boolean foreignComment =
                    entry.kind().equals("COMMENT") && entry.name().startsWith("EXTENSION ") && !superuser;
            if (entry.statements().isEmpty() || foreignComment || ofPublication(entry, publications)) {
                continue;
            }
            if (!entry.settings().equals(settings)) {
                settings = entry.settings();
                settings.forEach(s -> script.append(s).append(";\n"));
            }
            for (String statement : entry.statements()) {
                if (!superuser && statement.startsWith("ALTER SCHEMA public OWNER TO ")) {
                    continue;
                }
                // Schemas such as public may exist already, from the template.
                script.append(
                                entry.kind().equals("SCHEMA")
                                        ? statement.replaceFirst(
                                                "^CREATE SCHEMA (?!IF NOT EXISTS)", "CREATE SCHEMA IF NOT EXISTS ")
                                        : statement)
                        .append(";\n");
            }
        }
        return script.toString();
    }
}
