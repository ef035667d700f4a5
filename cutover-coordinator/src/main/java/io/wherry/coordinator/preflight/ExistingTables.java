package io.wherry.coordinator.preflight;

import io.wherry.contract.error.Finding;
import io.wherry.contract.name.Identifiers;
import io.wherry.contract.name.TableId;
import io.wherry.contract.postgres.PartitionRoots;
import io.wherry.contract.postgres.ServerVersion;
import io.wherry.coordinator.sql.Queries;
import java.sql.Connection;
import java.sql.SQLException;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeMap;
import java.util.stream.Collectors;

/**
 * Checks whether tables that Wherry has not created take the source's values unchanged. Refuses types that cut or round values
 * silently ({@code numeric(10,1)} for {@code numeric(10,2)}, {@code timestamp(0)}, {@code char(5)}), and everything that would
 * write more than the source's changes or stop the sink-applier.
 */
final class ExistingTables {
    private static final String COLUMNS = """
            SELECT n.nspname, c.relname, a.attname, format_type(a.atttypid, a.atttypmod), a.attnotnull, %s AS generated
              FROM pg_attribute a JOIN pg_class c ON c.oid = a.attrelid JOIN pg_namespace n ON n.oid = c.relnamespace
             WHERE a.attnum > 0 AND NOT a.attisdropped AND c.relkind IN ('r', 'p')
               AND n.nspname NOT LIKE 'pg\\_%%' AND n.nspname <> 'information_schema'
             ORDER BY a.attnum
            """;

    // The parts of each user-defined type, by the type's name. Labels of an enum are listed one by one, because the
    // target may have more.
    private static final String TYPES = """
            SELECT format_type(t.oid, NULL),
                   CASE t.typtype
                       WHEN 'e' THEN ARRAY(SELECT 'label ' || quote_literal(e.enumlabel) FROM pg_enum e WHERE e.enumtypid = t.oid
                                            ORDER BY e.enumsortorder)
                       WHEN 'd' THEN ARRAY['a domain over ' || format_type(t.typbasetype, t.typtypmod)]
                       WHEN 'r' THEN ARRAY(SELECT 'a range of ' || format_type(r.rngsubtype, NULL) FROM pg_range r
                                            WHERE r.rngtypid = t.oid)
                       ELSE ARRAY(SELECT 'field ' || quote_ident(a.attname) || ' ' || format_type(a.atttypid, a.atttypmod)
                                    FROM pg_attribute a
                                   WHERE a.attrelid = t.typrelid AND a.attnum > 0 AND NOT a.attisdropped ORDER BY a.attnum) END
              FROM pg_type t JOIN pg_namespace n ON n.oid = t.typnamespace LEFT JOIN pg_class c ON c.oid = t.typrelid
             WHERE (t.typtype IN ('e', 'd', 'r') OR c.relkind = 'c') AND n.nspname NOT LIKE 'pg\\_%'
               AND n.nspname <> 'information_schema'
             ORDER BY 1
            """;

    // Foreign keys are triggers too, which the server creates. Triggers of a partition also fire for rows that are
    // written to the root.
    private static final String FIRING = PartitionRoots.WITH + """
            , here AS (SELECT c.oid, c.relkind, coalesce(root.nspname, n.nspname) AS nspname,
                              coalesce(root.relname, c.relname) AS relname, n.nspname AS own_schema, c.relname AS own_name
                         FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
                         LEFT JOIN root ON root.partition = c.oid)
            SELECT DISTINCT c.nspname, c.relname, c.own_schema, c.own_name,
                   CASE WHEN tg.tgisinternal THEN 'foreign key ' || co.conname ELSE 'trigger ' || tg.tgname END
              FROM pg_trigger tg JOIN here c ON c.oid = tg.tgrelid LEFT JOIN pg_constraint co ON co.oid = tg.tgconstraint
             WHERE tg.tgenabled IN ('A', 'R') OR (?::boolean AND tg.tgenabled = 'O' AND (NOT tg.tgisinternal OR co.contype = 'f'))
             UNION ALL
            SELECT c.own_schema, c.own_name, c.own_schema, c.own_name, 'rule ' || r.rulename
              FROM pg_rewrite r JOIN here c ON c.oid = r.ev_class
             WHERE c.relkind IN ('r', 'p') AND (r.ev_enabled IN ('A', 'R') OR ?::boolean AND r.ev_enabled = 'O')
             ORDER BY 1, 2, 3, 4, 5
            """;

    private ExistingTables() {}

    private record Column(String type, boolean notNull, boolean generated) {}

    /** @param tables on both sides */
    static List<Finding> check(Connection source, Connection target, Set<TableId> tables) throws SQLException {
        List<Finding> findings = new ArrayList<>();
        Map<TableId, Map<String, Column>> ofSource = columns(source);
        Map<TableId, Map<String, Column>> ofTarget = columns(target);
        for (TableId table : tables) {
            findings.addAll(
                    columns(table, ofSource.getOrDefault(table, Map.of()), ofTarget.getOrDefault(table, Map.of())));
        }
        findings.addAll(types(source, target));
        boolean withoutReplica = !Queries.maySetReplicationRole(target);
        for (List<String> found : Queries.list(
                target,
                row -> List.of(
                        row.getString(1), row.getString(2), row.getString(3), row.getString(4), row.getString(5)),
                FIRING,
                withoutReplica,
                withoutReplica)) {
            TableId own = new TableId(found.get(2), found.get(3));
            if (tables.contains(new TableId(found.get(0), found.get(1))) || tables.contains(own)) {
                findings.add(Finding.error(
                        "table " + own,
                        found.get(4) + " on the target would fire while rows are applied",
                        "Drop or disable it on the target until the cutover"));
            }
        }
        return findings;
    }

    private static List<Finding> columns(TableId table, Map<String, Column> source, Map<String, Column> target) {
        List<Finding> findings = new ArrayList<>();
        source.forEach((name, column) -> {
            Column other = target.get(name);
            String object = "column " + table + "." + name;
            String alter = "ALTER TABLE " + table.quoted() + " ALTER " + Identifiers.quote(name) + " ";
            if (other == null) {
                findings.add(Finding.error(
                        object,
                        "is missing on the target",
                        "ALTER TABLE " + table.quoted() + " ADD " + Identifiers.quote(name) + " " + column.type()));
            } else if (!other.type().equals(column.type())) {
                findings.add(Finding.error(
                        object,
                        "has type " + other.type() + " on the target, " + column.type() + " on the source",
                        "On the target: " + alter + "TYPE " + column.type()));
            } else if (other.generated() != column.generated()) {
                findings.add(Finding.error(
                        object, "is generated on one side only", "Make it generated on both sides or on neither"));
            } else if (other.notNull() && !column.notNull()) {
                findings.add(Finding.error(
                        object, "is NOT NULL on the target only", "On the target: " + alter + "DROP NOT NULL"));
            }
        });
        target.keySet().stream()
                .filter(name -> !source.containsKey(name))
                .forEach(name -> findings.add(Finding.error(
                        "column " + table + "." + name,
                        "exists on the target only",
                        "Drop the column before the migration, and add it after the cutover")));
        return findings;
    }

    private static List<Finding> types(Connection source, Connection target) throws SQLException {
        List<Finding> findings = new ArrayList<>();
        Map<String, List<String>> ofTarget = definitions(target);
        definitions(source).forEach((name, definition) -> {
            List<String> other = ofTarget.get(name);
            boolean labels = definition.stream().allMatch(part -> part.startsWith("label "));
            if (other != null && !(labels ? Set.copyOf(other).containsAll(definition) : other.equals(definition))) {
                findings.add(Finding.error(
                        "type " + name,
                        "differs between the sides: " + String.join(", ", other) + " on the target, "
                                + String.join(", ", definition) + " on the source",
                        "Change the target's type to match the source's"));
            }
        });
        return findings;
    }

    private static Map<String, List<String>> definitions(Connection database) throws SQLException {
        Map<String, List<String>> types = new TreeMap<>();
        Queries.list(
                database,
                row -> types.put(
                        row.getString(1), List.of((String[]) row.getArray(2).getArray())),
                TYPES);
        return types;
    }

    private static Map<TableId, Map<String, Column>> columns(Connection database) throws SQLException {
        String generated = ServerVersion.major(database) >= 12 ? "a.attgenerated <> ''" : "false";
        record Row(TableId table, String name, Column column) {}
        return Queries.list(
                        database,
                        row -> new Row(
                                new TableId(row.getString(1), row.getString(2)),
                                row.getString(3),
                                new Column(row.getString(4), row.getBoolean(5), row.getBoolean(6))),
                        COLUMNS.formatted(generated))
                .stream()
                .collect(Collectors.groupingBy(
                        Row::table, Collectors.toMap(Row::name, Row::column, (a, b) -> a, TreeMap::new)));
    }
}
