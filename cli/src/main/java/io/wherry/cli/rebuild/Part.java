package io.wherry.cli.rebuild;

import io.wherry.contract.error.Finding;
import io.wherry.contract.name.TableId;
import io.wherry.coordinator.sql.Queries;
import java.sql.Connection;
import java.sql.SQLException;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeMap;
import java.util.TreeSet;
import java.util.stream.Collectors;

/**
 * Reduces the schema of all tables, just made within the caller's transaction, to that of the chosen ones. The database itself says
 * what depends on what: the other tables are dropped, and what goes with them is named.
 */
final class Part {
    private static final String TABLES = """
            SELECT n.nspname, c.relname FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
             WHERE c.relkind IN ('r', 'p') AND n.nspname !~ '^pg_' AND n.nspname NOT IN ('information_schema', 'wherry')
               AND NOT EXISTS (SELECT FROM pg_depend d WHERE d.classid = 'pg_class'::regclass AND d.objid = c.oid AND d.deptype = 'e')
            """;
    private static final String PARENTS = """
            SELECT cn.nspname, c.relname, pn.nspname, p.relname, p.relkind = 'p' FROM pg_inherits i
              JOIN pg_class c ON c.oid = i.inhrelid AND c.relkind IN ('r', 'p') JOIN pg_namespace cn ON cn.oid = c.relnamespace
              JOIN pg_class p ON p.oid = i.inhparent JOIN pg_namespace pn ON pn.oid = p.relnamespace ORDER BY 1, 2, 3, 4
            """;
    /** Of tables: what a dropped table may take with it. */
    private static final String PIECES = """
            SELECT n.nspname, c.relname, p.piece FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace CROSS JOIN LATERAL (
              SELECT 'its column ' || a.attname FROM pg_attribute a WHERE a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
              UNION ALL SELECT 'the default of its column ' || a.attname || ', ' || pg_get_expr(d.adbin, d.adrelid)
                          FROM pg_attrdef d JOIN pg_attribute a ON a.attrelid = d.adrelid AND a.attnum = d.adnum WHERE d.adrelid = c.oid
              UNION ALL SELECT 'its constraint ' || k.conname FROM pg_constraint k WHERE k.conrelid = c.oid) AS p (piece)
             WHERE c.relkind IN ('r', 'p')
            """;

    private static final String OTHERS = """
            SELECT i.type || ' ' || i.identity FROM (
              SELECT 'pg_class'::regclass AS class, c.oid FROM pg_class c WHERE c.relkind IN ('v', 'm', 'f')
                 OR c.relkind = 'S' AND NOT EXISTS (SELECT FROM pg_depend d WHERE d.classid = 'pg_class'::regclass AND d.objid = c.oid
                                                       AND d.refclassid = 'pg_class'::regclass AND d.deptype IN ('a', 'i'))
              UNION ALL SELECT 'pg_proc'::regclass, oid FROM pg_proc
              UNION ALL SELECT 'pg_type'::regclass, t.oid FROM pg_type t LEFT JOIN pg_class c ON c.oid = t.typrelid
                         WHERE t.typtype = 'd' OR c.relkind = 'c') AS o (class, oid)
             CROSS JOIN LATERAL pg_identify_object(o.class, o.oid, 0) AS i
             WHERE o.oid >= 16384
            """;
    private static final String FORGET = "DELETE FROM wherry.ddl WHERE schema_name = ? AND table_name = ?";

    private record Parent(TableId child, TableId parent, boolean partitioned) {}

    private final Connection target;
    private final Set<TableId> kept;
    private final List<String> leftOut = new ArrayList<>();

    /** @param chosen tables that stay */
    Part(Connection target, Set<TableId> chosen) {
        this.target = target;
        this.kept = new TreeSet<>(chosen);
    }

    /** The tables of users that the database has. */
    static Set<TableId> tables(Connection target) throws SQLException {
        return new TreeSet<>(Queries.list(target, row -> new TableId(row.getString(1), row.getString(2)), TABLES));
    }

    /**
     * Drops what is not chosen.
     *
     * @param before tables that stood in the database before; none of them is dropped
     * @return what is left out besides the tables that are not chosen, one line each
     * @throws Refusal when a chosen table needs a part of another table
     */
    List<String> reduce(Set<TableId> before) throws SQLException, Refusal {
        List<Parent> parents = Queries.list(
                target,
                row -> new Parent(
                        new TableId(row.getString(1), row.getString(2)),
                        new TableId(row.getString(3), row.getString(4)),
                        row.getBoolean(5)),
                PARENTS);
        keepWholeTrees(parents);
        Set<TableId> dropped = tables(target);
        dropped.removeAll(before);
        dropped.removeAll(kept);
        if (dropped.isEmpty()) {
            return leftOut;
        }
        for (Parent one : parents) {
            if (kept.contains(one.child()) && dropped.contains(one.parent())) {
                separate(one);
            }
        }
        Map<TableId, Set<String>> pieces = pieces();
        Set<String> others = new TreeSet<>(Queries.strings(target, OTHERS));
        Queries.execute(
                target,
                "DROP TABLE " + dropped.stream().map(TableId::quoted).collect(Collectors.joining(", ")) + " CASCADE");
        requireUnchanged(pieces);
        others.removeAll(new HashSet<>(Queries.strings(target, OTHERS)));
        others.forEach(object -> leftOut.add(object + ": needs a table that was not chosen"));
        for (TableId table : dropped) {
            Queries.update(target, FORGET, table.schema(), table.table());
        }
        return leftOut;
    }

    /** Partitions of a table that stays, and a partitioned table all of whose partitions stay. */
    private void keepWholeTrees(List<Parent> parents) {
        Map<TableId, Set<TableId>> partitions = new TreeMap<>();
        parents.stream().filter(Parent::partitioned).forEach(one -> partitions
                .computeIfAbsent(one.parent(), parent -> new TreeSet<>())
                .add(one.child()));
        boolean more = true;
        while (more) {
            more = false;
            for (Map.Entry<TableId, Set<TableId>> tree : partitions.entrySet()) {
                if (kept.contains(tree.getKey())) {
                    more |= kept.addAll(tree.getValue());
                } else if (kept.containsAll(tree.getValue())) {
                    more |= kept.add(tree.getKey());
                }
            }
        }
    }

    private void separate(Parent one) throws SQLException {
        Queries.execute(
                target,
                one.partitioned()
                        ? "ALTER TABLE " + one.parent().quoted() + " DETACH PARTITION "
                                + one.child().quoted()
                        : "ALTER TABLE " + one.child().quoted() + " NO INHERIT "
                                + one.parent().quoted());
        leftOut.add("table " + one.parent() + ": was not chosen, so " + one.child() + " is a table of its own");
    }

    private Map<TableId, Set<String>> pieces() throws SQLException {
        Map<TableId, Set<String>> pieces = new TreeMap<>();
        Queries.list(
                target,
                row -> pieces.computeIfAbsent(new TableId(row.getString(1), row.getString(2)), table -> new TreeSet<>())
                        .add(row.getString(3)),
                PIECES);
        pieces.keySet().retainAll(kept);
        return pieces;
    }

    private void requireUnchanged(Map<TableId, Set<String>> before) throws SQLException, Refusal {
        Map<TableId, Set<String>> now = pieces();
        List<Finding> findings = new ArrayList<>();
        before.forEach((table, pieces) -> {
            pieces.removeAll(now.getOrDefault(table, Set.of()));
            pieces.forEach(piece -> findings.add(Finding.error(
                    "table " + table,
                    piece + " needs an object of a table that was not chosen",
                    "Name that table with --tables too")));
        });
        if (!findings.isEmpty()) {
            throw new Refusal(findings);
        }
    }
}
