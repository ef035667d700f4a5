package io.wherry.coordinator;

import io.wherry.contract.Catalog;
import io.wherry.contract.Identifiers;
import io.wherry.contract.Migration;
import io.wherry.contract.Migration.TargetSchemaMode;
import io.wherry.contract.TableId;
import java.sql.Connection;
import java.sql.SQLException;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeMap;
import java.util.TreeSet;

/**
 * How the selected tables of both sides have come apart since the migration began: DDL on the source that did not reach the
 * target, or not yet. Cheap, so that it is known long before the window, where the comparison of all rows would find it.
 *
 * @param obstacles what would make the comparison fail, one line each with its remedy
 * @param advice what the target lacks without differing in its rows
 * @param gone tables that were loaded and are not on the source any more: nothing of them is waited for
 */
record SchemaDrift(List<String> obstacles, List<String> advice, Set<TableId> gone) {
    static final SchemaDrift NONE = new SchemaDrift(List.of(), List.of(), Set.of());

    private static final String COLUMNS = """
            SELECT n.nspname, c.relname, a.attname, format_type(a.atttypid, a.atttypmod)
                     || CASE WHEN %s THEN ' generated' ELSE '' END, a.attnotnull, a.atthasdef OR a.attidentity <> ''
              FROM pg_attribute a JOIN pg_class c ON c.oid = a.attrelid JOIN pg_namespace n ON n.oid = c.relnamespace
             WHERE a.attnum > 0 AND NOT a.attisdropped AND c.relkind = 'r' AND c.relpersistence <> 't'
               AND n.nspname NOT LIKE 'pg\\_%%' AND n.nspname NOT IN ('information_schema', 'wherry')
            """;

    private static final String INDEXES = """
            SELECT n.nspname, c.relname, 'index ' || quote_ident(n.nspname) || '.' || quote_ident(i.relname) FROM pg_index x JOIN pg_class c ON c.oid = x.indrelid
              JOIN pg_class i ON i.oid = x.indexrelid JOIN pg_namespace n ON n.oid = c.relnamespace
             WHERE c.relkind = 'r' AND c.relpersistence <> 't' AND x.indisvalid
            """;

    private static final String CHECKS = """
            SELECT n.nspname, c.relname, 'check constraint ' || quote_ident(k.conname) || ' of ' || quote_ident(n.nspname)
                     || '.' || quote_ident(c.relname) FROM pg_constraint k JOIN pg_class c ON c.oid = k.conrelid
              JOIN pg_namespace n ON n.oid = c.relnamespace WHERE c.relkind = 'r' AND k.contype = 'c'
            """;

    private static final String PARENTS = """
            SELECT n.nspname, c.relname, 'attachment of ' || quote_ident(n.nspname) || '.' || quote_ident(c.relname) || ' to '
                     || quote_ident(pn.nspname) || '.' || quote_ident(p.relname)
              FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid JOIN pg_namespace n ON n.oid = c.relnamespace
              JOIN pg_class p ON p.oid = i.inhparent JOIN pg_namespace pn ON pn.oid = p.relnamespace
             WHERE c.relkind = 'r'
            """;

    SchemaDrift {
        obstacles = List.copyOf(obstacles);
        advice = List.copyOf(advice);
        gone = Set.copyOf(gone);
    }

    /** @param type with modifier, and whether generated, as text */
    private record Column(String type, boolean notNull, boolean filled) {}

    /**
     * @param planned the tables of all load plans
     * @param built whether keys and indexes of all tables are built on the target, so that a missing one means something
     */
    static SchemaDrift read(
            Migration migration, Connection source, Connection target, Set<TableId> planned, boolean built)
            throws SQLException {
        Set<TableId> selected = Catalog.selectedNames(source, migration);
        Set<TableId> onTarget = Catalog.selectedNames(target, migration);
        List<String> obstacles = new ArrayList<>();
        List<String> advice = new ArrayList<>();
        Set<TableId> gone = new TreeSet<>(planned);
        gone.removeAll(selected);
        for (TableId table : selected) {
            if (!onTarget.contains(table)) {
                obstacles.add(
                        "table " + table + " exists on the source only: create it on the target, empty, as it is on the"
                                + " source (pg_dump --schema-only --table), it is then loaded and followed; or name it in"
                                + " tables.exclude and start again");
            } else if (!planned.contains(table)) {
                obstacles.add(
                        "table " + table + " is new on the source and not replicated yet: the source-connector takes"
                                + " it in once the load is complete; its log says what holds it");
            }
        }
        for (TableId table : gone) {
            if (onTarget.contains(table)) {
                obstacles.add(
                        "table " + table + " is not on the source any more: it was dropped or renamed there; on the"
                                + " target: DROP TABLE " + table.quoted());
            }
        }
        selected.retainAll(onTarget);
        selected.removeIf(table -> !migration.tables().follows(table));
        Map<TableId, Map<String, Column>> ofSource = columns(source);
        Map<TableId, Map<String, Column>> ofTarget = columns(target);
        for (TableId table : selected) {
            compare(
                    table,
                    ofSource.getOrDefault(table, Map.of()),
                    ofTarget.getOrDefault(table, Map.of()),
                    obstacles,
                    advice);
        }
        if (built && migration.schema() == TargetSchemaMode.CREATE) {
            for (String sql : List.of(PARENTS, INDEXES, CHECKS)) {
                advice.addAll(missing(sql, source, target, selected));
            }
        }
        return new SchemaDrift(obstacles, advice, gone);
    }

    private static void compare(
            TableId table,
            Map<String, Column> ofSource,
            Map<String, Column> ofTarget,
            List<String> obstacles,
            List<String> advice) {
        ofSource.forEach((name, column) -> {
            Column twin = ofTarget.get(name);
            String object = "column " + Identifiers.quote(name) + " of " + table;
            String alter = "ALTER TABLE " + table.quoted() + " ALTER COLUMN " + Identifiers.quote(name);
            if (twin == null) {
                obstacles.add(
                        object + " (" + column.type() + ") is on the source only: it comes with the next change of"
                                + " the table, so update any row; on an empty table, and where it is generated, add it on the"
                                + " target");
            } else if (!twin.type().equals(column.type())) {
                obstacles.add(object + " is " + column.type() + " on the source, " + twin.type()
                        + " on the target: wait until the table's changes stop there, then do as the message says; where"
                        + " no change comes, update any row");
            } else if (column.notNull() != twin.notNull()) {
                advice.add("on the target: " + alter + (column.notNull() ? " SET" : " DROP")
                        + " NOT NULL, as on the source");
            } else if (column.filled() != twin.filled()) {
                advice.add("on the target: " + alter + (column.filled() ? " SET" : " DROP")
                        + " DEFAULT, as on the source");
            }
        });
        ofTarget.keySet().stream()
                .filter(name -> !ofSource.containsKey(name))
                .forEach(name -> obstacles.add("column " + Identifiers.quote(name) + " of " + table
                        + " is on the target only: if it was dropped on the source, ALTER TABLE " + table.quoted()
                        + " DROP COLUMN " + Identifiers.quote(name)
                        + " on the target, once the table's changes stop there;"
                        + " where no change comes, update any row"));
    }

    private static Map<TableId, Map<String, Column>> columns(Connection database) throws SQLException {
        String generated = Catalog.majorVersion(database) >= 12 ? "a.attgenerated <> ''" : "false";
        Map<TableId, Map<String, Column>> columns = new TreeMap<>();
        Queries.list(
                database,
                row -> columns.computeIfAbsent(
                                new TableId(row.getString(1), row.getString(2)), table -> new TreeMap<>())
                        .put(row.getString(3), new Column(row.getString(4), row.getBoolean(5), row.getBoolean(6))),
                COLUMNS.formatted(generated));
        return columns;
    }

    /** @param sql gives schema, table, and what of it is there, in words */
    private static List<String> missing(String sql, Connection source, Connection target, Set<TableId> tables)
            throws SQLException {
        Map<String, TableId> missing = new TreeMap<>();
        Queries.list(
                source, row -> missing.put(row.getString(3), new TableId(row.getString(1), row.getString(2))), sql);
        Queries.list(target, row -> missing.remove(row.getString(3)), sql);
        return missing.entrySet().stream()
                .filter(e -> tables.contains(e.getValue()))
                .map(e -> e.getKey() + " is on the source only: make it on the target")
                .toList();
    }
}
