package io.wherry.coordinator.schema;

import io.wherry.contract.config.Flow;
import io.wherry.contract.config.Migration.TargetSchemaMode;
import io.wherry.contract.name.Identifiers;
import io.wherry.contract.name.Remedies;
import io.wherry.contract.name.TableId;
import io.wherry.contract.postgres.Lsn;
import io.wherry.contract.postgres.SelectedTables;
import io.wherry.contract.postgres.ServerVersion;
import io.wherry.coordinator.carry.ExtensionRows;
import io.wherry.coordinator.schema.SchemaAdditions.Addition;
import io.wherry.coordinator.sql.Queries;
import java.sql.Connection;
import java.sql.SQLException;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeMap;
import java.util.TreeSet;

/**
 * How the selected tables of both sides differ since the migration started: DDL on the source that has not reached the target, or
 * not yet. This comparison is cheap, so differences are known long before the window, where the comparison of all rows would find
 * them.
 *
 * @param obstacles what would make the comparison fail, one line each with its remedy
 * @param gone tables that were loaded and are not on the source any more: Wherry does not wait for them
 * @param fresh tables and sequences that are on the source only
 * @param additions other differences of the tables
 * @param deferred whether the statements for the switch have changed since they were copied
 * @param extensionRows tables of extensions whose rows differ
 * @param asOf position in the source's write-ahead log: the differences were committed before it
 */
public record SchemaDrift(
        List<String> obstacles,
        Set<TableId> gone,
        Set<TableId> fresh,
        List<Addition> additions,
        boolean deferred,
        Set<TableId> extensionRows,
        Lsn asOf) {
    public static final SchemaDrift NONE =
            new SchemaDrift(List.of(), Set.of(), Set.of(), List.of(), false, Set.of(), Lsn.ZERO);

    private static final String COLUMNS = """
            SELECT n.nspname, c.relname, a.attname, format_type(a.atttypid, a.atttypmod)
                     || CASE WHEN %s THEN ' generated' ELSE '' END
              FROM pg_attribute a JOIN pg_class c ON c.oid = a.attrelid JOIN pg_namespace n ON n.oid = c.relnamespace
             WHERE a.attnum > 0 AND NOT a.attisdropped AND c.relkind IN ('r', 'p') AND c.relpersistence <> 't'
               AND n.nspname NOT LIKE 'pg\\_%%' AND n.nspname NOT IN ('information_schema', 'wherry')
            """;

    public SchemaDrift {
        obstacles = List.copyOf(obstacles);
        gone = Set.copyOf(gone);
        fresh = Set.copyOf(fresh);
        additions = List.copyOf(additions);
        extensionRows = Set.copyOf(extensionRows);
    }

    /**
     * @param planned tables of the load plans
     * @param loadedAs those tables by their oids on the source
     * @param built whether keys and indexes of all tables except halted ones are built on the target, so that a missing one is a difference
     * @param halted tables whose load has stopped: their indexes come after the load
     */
    public static SchemaDrift read(
            Flow flow,
            Connection source,
            Connection target,
            Set<TableId> planned,
            Map<Long, TableId> loadedAs,
            boolean built,
            Set<TableId> halted)
            throws SQLException {
        Map<TableId, Long> oids = SelectedTables.oids(source, flow.migration());
        Set<TableId> selected = new TreeSet<>(oids.keySet());
        Set<TableId> onTarget = SelectedTables.namesWithPartitioned(target, flow.migration());
        boolean create = flow.migration().schema() == TargetSchemaMode.CREATE;
        List<String> obstacles = new ArrayList<>();
        Set<TableId> gone = new TreeSet<>(planned);
        gone.removeAll(selected);
        for (TableId table : selected) {
            if (!onTarget.contains(table)) {
                obstacles.add("table " + table + " exists on the source only: "
                        + (create
                                ? "wait until Wherry has created and loaded the table on the target; if nextSteps says that this"
                                        + " failed, create the table there, empty"
                                : "create the table on the target, empty, as on the source (pg_dump --schema-only"
                                        + " --table), and Wherry loads and follows it; or name the table in"
                                        + " tables.exclude and start again"));
            } else if (!planned.contains(table)) {
                obstacles.add(
                        "table " + table + " is new on the source and not replicated yet: the source-connector adds"
                                + " the table once the load is complete; if that takes long, see the log of the source-connector");
            }
        }
        Moves moves = Moves.of(flow, oids, loadedAs);
        obstacles.addAll(moves.obstacles());
        for (TableId table : gone) {
            // With target.schema: create the sink-applier removes it.
            if (onTarget.contains(table) && !(create && moves.leaving().contains(table))) {
                obstacles.add(
                        "table " + table + " is not on the source any more: it was dropped or renamed there; on the"
                                + " target: DROP TABLE " + table.quoted());
            }
        }
        Set<TableId> fresh = new TreeSet<>(selected);
        fresh.removeAll(onTarget);
        // Their names on the target belong to the earlier tables, until these are removed for the re-load.
        fresh.removeAll(moves.arriving());
        Sequences sequences = Sequences.read(flow, source, target);
        fresh.addAll(sequences.fresh());
        obstacles.addAll(sequences.obstacles());
        selected.retainAll(onTarget);
        selected.removeIf(table -> !flow.migration().tables().follows(table));
        selected.removeAll(moves.replaced());
        Map<TableId, Map<String, String>> ofSource = columns(source);
        Map<TableId, Map<String, String>> ofTarget = columns(target);
        for (TableId table : selected) {
            compare(table, ofSource.getOrDefault(table, Map.of()), ofTarget.getOrDefault(table, Map.of()), obstacles);
        }
        List<Addition> additions = new ArrayList<>();
        boolean deferred = false;
        if (built) {
            // Other tables are still being created: their indexes come after their load.
            selected.retainAll(planned);
            selected.removeAll(halted);
            additions.addAll(SchemaAdditions.read(source, target, selected, create));
            additions.addAll(sequences.additions());
        }
        if (built && create) {
            deferred = !Queries.truth(
                    target,
                    "SELECT deferred IS NOT DISTINCT FROM ? FROM wherry.migration",
                    DeferredFingerprint.read(source));
        }
        ExtensionRows rows = new ExtensionRows(flow);
        List<String> unfit = rows.obstacles(source, target);
        obstacles.addAll(unfit);
        Set<TableId> extensionRows = unfit.isEmpty() ? rows.differing(source, target) : Set.of();
        // Read after the catalogs: what these show was committed before.
        Lsn asOf = Lsn.parse(Queries.string(source, "SELECT pg_current_wal_insert_lsn()::text")
                .orElseThrow());
        return new SchemaDrift(obstacles, gone, fresh, additions, deferred, extensionRows, asOf);
    }

    /**
     * Tables whose names passed to other tables since they were loaded. The source-connector re-loads them.
     *
     * @param arriving names on the source of tables that are loaded under other names
     * @param leaving names under which those tables are loaded
     * @param replaced names that belong to other tables now
     */
    private record Moves(Set<TableId> arriving, Set<TableId> leaving, Set<TableId> replaced) {
        static Moves of(Flow flow, Map<TableId, Long> oids, Map<Long, TableId> loadedAs) {
            Moves moves = new Moves(new TreeSet<>(), new TreeSet<>(), new TreeSet<>());
            Map<TableId, Long> loaded = new TreeMap<>();
            loadedAs.forEach((oid, table) -> loaded.put(table, oid));
            oids.forEach((table, oid) -> {
                TableId before = loadedAs.get(oid);
                if (before != null && !before.equals(table)) {
                    moves.arriving.add(table);
                    moves.leaving.add(before);
                }
                Long other = loaded.get(table);
                if (other != null
                        && !other.equals(oid)
                        && flow.migration().tables().follows(table)) {
                    moves.replaced.add(table);
                }
            });
            return moves;
        }

        List<String> obstacles() {
            return replaced.stream()
                    .map(table -> "table " + table + " on the source is not the table that was loaded: that table was"
                            + " renamed, or dropped and re-created; wait until this table is re-loaded; if it is not, "
                            + Remedies.reload(table))
                    .toList();
        }
    }

    private static void compare(
            TableId table, Map<String, String> ofSource, Map<String, String> ofTarget, List<String> obstacles) {
        ofSource.forEach((name, type) -> {
            String twin = ofTarget.get(name);
            String object = "column " + Identifiers.quote(name) + " of " + table;
            if (twin == null && type.endsWith(" generated")) {
                obstacles.add(
                        object + " (" + type + ") is on the source only: wait until Wherry brings the column to the"
                                + " target; with target.schema: existing, add the column there");
            } else if (twin == null) {
                obstacles.add(object + " (" + type + ") is on the source only: the column comes with the next change of"
                        + " the table, so update any row; if the table is empty, add the column on the target");
            } else if (!twin.equals(type)) {
                obstacles.add(object + " is " + type + " on the source, " + twin
                        + " on the target: wait until the table's changes stop, then follow the remedy of the error; if"
                        + " no change comes, update any row");
            }
        });
        ofTarget.keySet().stream()
                .filter(name -> !ofSource.containsKey(name))
                .forEach(name -> obstacles.add("column " + Identifiers.quote(name) + " of " + table
                        + " is on the target only: if the column was dropped on the source, ALTER TABLE "
                        + table.quoted()
                        + " DROP COLUMN " + Identifiers.quote(name)
                        + " on the target, once the table's changes stop;"
                        + " if no change comes, update any row"));
    }

    private static Map<TableId, Map<String, String>> columns(Connection database) throws SQLException {
        String generated = ServerVersion.major(database) >= 12 ? "a.attgenerated <> ''" : "false";
        Map<TableId, Map<String, String>> columns = new TreeMap<>();
        Queries.list(
                database,
                row -> columns.computeIfAbsent(
                                new TableId(row.getString(1), row.getString(2)), table -> new TreeMap<>())
                        .put(row.getString(3), row.getString(4)),
                COLUMNS.formatted(generated));
        return columns;
    }
}
