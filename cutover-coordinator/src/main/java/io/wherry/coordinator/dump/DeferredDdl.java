package io.wherry.coordinator.dump;

import io.wherry.contract.name.Identifiers;
import io.wherry.contract.name.TableId;
import io.wherry.coordinator.dump.DumpScript.Entry;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.Set;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import java.util.stream.Collectors;

/** Decides when each statement of pg_dump's post-data section runs (pure). */
public final class DeferredDdl {
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
            "ALTER TABLE (ONLY )?(" + NAME + "\\." + NAME + ")\\s+ADD CONSTRAINT " + NAME + " FOREIGN KEY.*",
            Pattern.DOTALL);
    /** pg_dump creates a view that groups by a primary key after that key. */
    private static final Pattern LATE_VIEW =
            Pattern.compile("CREATE MATERIALIZED VIEW " + NAME + "\\." + NAME + "\\s.*", Pattern.DOTALL);

    private static final Pattern KEY_COMMENT =
            Pattern.compile("COMMENT ON CONSTRAINT " + NAME + " ON " + NAME + "\\." + NAME + " IS .*", Pattern.DOTALL);
    private static final Set<String> BUILT_WITH_TABLE =
            Set.of("INDEX", "CONSTRAINT", "CHECK CONSTRAINT", "STATISTICS", "TABLE ATTACH");

    private DeferredDdl() {}

    /** When a statement runs; in this order. */
    public enum Stage {
        /** As soon as its table is loaded. */
        TABLE,
        /** When all tables are loaded and indexed: partitioned parents, whose indexes contain their children's. */
        PARENT,
        /**
         * What the coordinator has brought to the first target since the copy. Only in a rebuild: there it comes after all changes,
         * because it may reject rows that were valid before.
         */
        FOLLOWED,
        /**
         * In the transaction of the switch row: foreign keys, triggers, rules, policies. Earlier they would disturb the
         * sink-applier: a foreign key makes TRUNCATE of one table fail, and a trigger fires if the role may not set
         * session_replication_role.
         */
        SWITCH,
        /**
         * Once the cutover is completed, with applications on the target: validation of foreign keys, which only reads, and the
         * refresh of materialized views that could wait. A failure is reported, and then later statements of the same name do not run.
         */
        AFTER
    }

    /**
     * @param id the order within all stages
     * @param table the table of the statement, for stage TABLE
     */
    public record Ddl(int id, Stage stage, String kind, String name, Optional<TableId> table, String sql) {}

    /**
     * @param loaded tables that will be loaded
     * @param refreshes of {@code MaterializedViews}
     * @param keys how foreign keys of partitioned tables are created
     */
    public static List<Ddl> plan(
            List<Entry> postData,
            Set<String> publications,
            Set<TableId> loaded,
            List<Entry> refreshes,
            PartitionedKeys.Way keys) {
        List<Ddl> plan = new ArrayList<>();
        List<Entry> wanted = postData.stream()
                .filter(e -> !e.statements().isEmpty() && !DumpScript.ofPublication(e, publications))
                .toList();
        Set<TableId> late = lateViews(wanted);
        wanted.stream().filter(e -> !ofEventTrigger(e)).forEach(e -> add(plan, e, loaded, late, keys));
        refreshes.forEach(refresh -> plan.add(ddl(refresh, Stage.SWITCH, Optional.empty())));
        // Last, because event triggers would fire on all statements before.
        wanted.stream().filter(DeferredDdl::ofEventTrigger).forEach(e -> add(plan, e, loaded, late, keys));
        List<Ddl> numbered = new ArrayList<>();
        for (Ddl ddl : plan) {
            numbered.add(new Ddl(numbered.size() + 1, ddl.stage(), ddl.kind(), ddl.name(), ddl.table(), ddl.sql()));
        }
        return numbered;
    }

    /** The quoted name of the partitioned table's index to which this statement attaches another index. */
    public static Optional<String> parentIndex(Ddl ddl) {
        Matcher attach = INDEX_ATTACH.matcher(ddl.sql());
        return ddl.kind().equals("INDEX ATTACH") && attach.matches() ? Optional.of(attach.group(1)) : Optional.empty();
    }

    private static boolean ofEventTrigger(Entry entry) {
        return entry.kind().equals("EVENT TRIGGER") || entry.name().startsWith("EVENT TRIGGER ");
    }

    private static Set<TableId> lateViews(List<Entry> entries) {
        return entries.stream()
                .filter(entry -> entry.kind().equals("MATERIALIZED VIEW"))
                .map(entry -> LATE_VIEW.matcher(entry.statements().get(0)))
                .filter(Matcher::matches)
                .map(view -> new TableId(unquote(view.group(1)), unquote(view.group(2))))
                .collect(Collectors.toSet());
    }

    /** @param late views that are created at the switch, and their indexes with them */
    private static void add(
            List<Ddl> plan, Entry entry, Set<TableId> loaded, Set<TableId> late, PartitionedKeys.Way keys) {
        Optional<TableId> table = table(entry.kind(), entry.statements().get(0));
        Matcher foreignKey = FOREIGN_KEY.matcher(entry.statements().get(0));
        if (entry.kind().equals("FK CONSTRAINT") && foreignKey.matches()) {
            plan.addAll(foreignKey(entry, table.orElseThrow(), foreignKey, keys));
        } else if (entry.kind().equals("COMMENT") && partitionedKey(entry, keys).isPresent()) {
            // The key is created only then, so its comment has the key's name: if the key fails, the comment does
            // not run.
            Entry comment =
                    new Entry(entry.kind(), partitionedKey(entry, keys).get(), entry.settings(), entry.statements());
            plan.add(ddl(comment, Stage.AFTER, table));
        } else if (BUILT_WITH_TABLE.contains(entry.kind())
                && table.filter(late::contains).isEmpty()) {
            plan.add(ddl(entry, table.filter(loaded::contains).isPresent() ? Stage.TABLE : Stage.PARENT, table));
        } else {
            plan.add(ddl(entry, entry.kind().equals("INDEX ATTACH") ? Stage.PARENT : Stage.SWITCH, table));
        }
    }

    /**
     * Not valid at the switch: so the window does not have to read the tables, and rows that violate the key on the source too do
     * not abort the cutover.
     */
    private static List<Ddl> foreignKey(Entry entry, TableId table, Matcher matcher, PartitionedKeys.Way keys) {
        boolean partitioned = matcher.group(1) == null;
        String name = unquote(matcher.group(5));
        if (!partitioned || keys.notValid()) {
            return notValid(entry, entry.statements(), table, name);
        }
        List<PartitionedKeys.Leaf> leaves = keys.leaves(table, name);
        List<Ddl> plan = new ArrayList<>();
        for (PartitionedKeys.Leaf leaf : leaves) {
            String add = "ALTER TABLE ONLY " + leaf.table().quoted() + " ADD CONSTRAINT "
                    + Identifiers.quote(leaf.name()) + " " + leaf.definition();
            plan.addAll(notValid(entry, List.of(add), leaf.table(), leaf.name()));
        }
        plan.add(ddl(entry, leaves.isEmpty() ? Stage.SWITCH : Stage.AFTER, Optional.of(table)));
        return plan;
    }

    /** The name under which the key of this comment is created after the switch. */
    private static Optional<String> partitionedKey(Entry comment, PartitionedKeys.Way keys) {
        Matcher matcher = KEY_COMMENT.matcher(comment.statements().get(0));
        if (!matcher.matches() || keys.notValid()) {
            return Optional.empty();
        }
        TableId table = new TableId(unquote(matcher.group(2)), unquote(matcher.group(3)));
        String name = unquote(matcher.group(1));
        return keys.leaves(table, name).isEmpty() ? Optional.empty() : Optional.of(table.table() + " " + name);
    }

    private static List<Ddl> notValid(Entry entry, List<String> add, TableId table, String name) {
        List<String> statements = new ArrayList<>(add);
        boolean valid = !statements.get(0).endsWith(" NOT VALID");
        statements.set(0, statements.get(0) + (valid ? " NOT VALID" : ""));
        Ddl made = ddl(
                new Entry(entry.kind(), entry.name(), entry.settings(), statements), Stage.SWITCH, Optional.of(table));
        String validate = "ALTER TABLE " + table.quoted() + " VALIDATE CONSTRAINT " + Identifiers.quote(name);
        Ddl validated = ddl(
                new Entry("VALIDATION", entry.name(), entry.settings(), List.of(validate)),
                Stage.AFTER,
                Optional.of(table));
        return valid ? List.of(made, validated) : List.of(made);
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
