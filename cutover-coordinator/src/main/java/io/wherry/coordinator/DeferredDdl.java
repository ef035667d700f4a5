package io.wherry.coordinator;

import io.wherry.contract.TableId;
import io.wherry.coordinator.DumpScript.Entry;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.Set;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/** Decides when each statement of pg_dump's post-data section runs (pure). */
final class DeferredDdl {
    private static final String NAME = "(\"(?:[^\"]|\"\")+\"|[^\\s\".();]+)";
    private static final Pattern INDEX = Pattern.compile(
            "CREATE (?:UNIQUE )?INDEX " + NAME + " ON (?:ONLY )?" + NAME + "\\." + NAME + ".*", Pattern.DOTALL);
    private static final Pattern ALTER =
            Pattern.compile("ALTER (?:FOREIGN )?TABLE (?:ONLY )?" + NAME + "\\." + NAME + "\\s.*", Pattern.DOTALL);
    private static final Pattern STATISTICS = Pattern.compile(".*\\sFROM " + NAME + "\\." + NAME, Pattern.DOTALL);
    private static final Pattern ATTACH =
            Pattern.compile(".* ATTACH PARTITION " + NAME + "\\." + NAME + " .*", Pattern.DOTALL);
    private static final Pattern INDEX_ATTACH =
            Pattern.compile("(?s).*ALTER INDEX (" + NAME + "\\." + NAME + ") ATTACH PARTITION .*");
    private static final Pattern FOREIGN_KEY = Pattern.compile(
            "ALTER TABLE ONLY (" + NAME + "\\." + NAME + ")\\s+ADD CONSTRAINT " + NAME + " FOREIGN KEY.*",
            Pattern.DOTALL);
    private static final Set<String> BUILT_WITH_TABLE =
            Set.of("INDEX", "CONSTRAINT", "CHECK CONSTRAINT", "STATISTICS", "TABLE ATTACH");

    private DeferredDdl() {}

    /** When a statement runs; in this order. */
    enum Stage {
        /** As soon as its table is loaded. */
        TABLE,
        /** When all tables are loaded and indexed: partitioned parents, whose indexes take in their children's. */
        PARENT,
        /**
         * In the transaction of the switch row: foreign keys, triggers, rules, policies. Earlier they would disturb the
         * applying: a foreign key makes TRUNCATE of one table fail, a trigger fires where session_replication_role may not be set.
         */
        SWITCH,
        /** After the switch, with applications on: validation of foreign keys, which only reads. */
        AFTER
    }

    /**
     * @param id the order within all stages
     * @param table what it is built on, for stage TABLE
     */
    record Ddl(int id, Stage stage, String kind, String name, Optional<TableId> table, String sql) {}

    /**
     * @param loaded tables that will be loaded
     * @param refreshes {@code REFRESH MATERIALIZED VIEW} statements; schema-only dumps hold none
     */
    static List<Ddl> plan(List<Entry> postData, String publication, Set<TableId> loaded, List<String> refreshes) {
        List<Ddl> plan = new ArrayList<>();
        List<Entry> wanted = postData.stream()
                .filter(e -> !e.statements().isEmpty() && !DumpScript.ofPublication(e, publication))
                .toList();
        wanted.stream().filter(e -> !ofEventTrigger(e)).forEach(e -> add(plan, e, loaded));
        for (String refresh : refreshes) {
            plan.add(new Ddl(0, Stage.SWITCH, "MATERIALIZED VIEW DATA", refresh, Optional.empty(), refresh + ";"));
        }
        // Last, because they would fire on all that comes before.
        wanted.stream().filter(DeferredDdl::ofEventTrigger).forEach(e -> add(plan, e, loaded));
        List<Ddl> numbered = new ArrayList<>();
        for (Ddl ddl : plan) {
            numbered.add(new Ddl(numbered.size() + 1, ddl.stage(), ddl.kind(), ddl.name(), ddl.table(), ddl.sql()));
        }
        return numbered;
    }

    /** The quoted name of the partitioned table's index that another is attached to by this statement. */
    static Optional<String> parentIndex(Ddl ddl) {
        Matcher attach = INDEX_ATTACH.matcher(ddl.sql());
        return ddl.kind().equals("INDEX ATTACH") && attach.matches() ? Optional.of(attach.group(1)) : Optional.empty();
    }

    private static boolean ofEventTrigger(Entry entry) {
        return entry.kind().equals("EVENT TRIGGER") || entry.name().startsWith("EVENT TRIGGER ");
    }

    private static void add(List<Ddl> plan, Entry entry, Set<TableId> loaded) {
        Optional<TableId> table = table(entry.kind(), entry.statements().get(0));
        Matcher foreignKey = FOREIGN_KEY.matcher(entry.statements().get(0));
        if (entry.kind().equals("FK CONSTRAINT") && foreignKey.matches()) {
            // Not valid at the switch, so that the window does not pay for reading the tables; the rows are the
            // source's, where
            // the key held. Partitioned tables (no ONLY) cannot have it so before 18, and pay.
            List<String> statements = new ArrayList<>(entry.statements());
            boolean valid = !statements.get(0).endsWith(" NOT VALID");
            statements.set(0, statements.get(0) + (valid ? " NOT VALID" : ""));
            plan.add(ddl(new Entry(entry.kind(), entry.name(), entry.settings(), statements), Stage.SWITCH, table));
            if (valid) {
                String validate = "ALTER TABLE " + foreignKey.group(1) + " VALIDATE CONSTRAINT " + foreignKey.group(4);
                plan.add(ddl(
                        new Entry("VALIDATION", entry.name(), entry.settings(), List.of(validate)),
                        Stage.AFTER,
                        table));
            }
        } else if (BUILT_WITH_TABLE.contains(entry.kind())) {
            plan.add(ddl(entry, table.filter(loaded::contains).isPresent() ? Stage.TABLE : Stage.PARENT, table));
        } else {
            plan.add(ddl(entry, entry.kind().equals("INDEX ATTACH") ? Stage.PARENT : Stage.SWITCH, table));
        }
    }

    private static Ddl ddl(Entry entry, Stage stage, Optional<TableId> table) {
        return new Ddl(0, stage, entry.kind(), entry.name(), table, entry.sql());
    }

    private static Optional<TableId> table(String kind, String statement) {
        Matcher index = INDEX.matcher(statement);
        if (kind.equals("INDEX") && index.matches()) {
            return Optional.of(new TableId(unquote(index.group(2)), unquote(index.group(3))));
        }
        Matcher statistics = STATISTICS.matcher(statement);
        if (kind.equals("STATISTICS") && statistics.matches()) {
            return Optional.of(new TableId(unquote(statistics.group(1)), unquote(statistics.group(2))));
        }
        Matcher attach = ATTACH.matcher(statement);
        if (kind.equals("TABLE ATTACH") && attach.matches()) {
            return Optional.of(new TableId(unquote(attach.group(1)), unquote(attach.group(2))));
        }
        Matcher alter = ALTER.matcher(statement);
        return alter.matches()
                ? Optional.of(new TableId(unquote(alter.group(1)), unquote(alter.group(2))))
                : Optional.empty();
    }

    private static String unquote(String name) {
        return name.startsWith("\"") ? name.substring(1, name.length() - 1).replace("\"\"", "\"") : name;
    }
}
