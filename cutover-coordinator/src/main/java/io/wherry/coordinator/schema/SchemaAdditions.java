package io.wherry.coordinator.schema;

import io.wherry.contract.name.TableId;
import io.wherry.contract.postgres.Lsn;
import io.wherry.contract.postgres.ServerVersion;
import io.wherry.coordinator.sql.Queries;
import java.sql.Connection;
import java.sql.SQLException;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;

/**
 * How tables of both sides differ, except in their columns; each difference has the statement that makes the target match the
 * source. The source's own server writes these statements.
 */
public final class SchemaAdditions {
    private static final String OURS = """
             AND c.relpersistence <> 't' AND n.nspname NOT LIKE 'pg\\_%' AND n.nspname NOT IN ('information_schema', 'wherry')
            """;

    // Parents after their children, nearest first: a new index on a parent includes the indexes of its partitions.
    private static final String CHILDREN_FIRST = """
             ORDER BY (WITH RECURSIVE up AS (SELECT inhparent FROM pg_inherits WHERE inhrelid = c.oid UNION ALL
               SELECT i.inhparent FROM pg_inherits i JOIN up ON i.inhrelid = up.inhparent) SELECT count(*) FROM up) DESC
            """;

    private static final String INDEXES = """
            SELECT n.nspname, c.relname, format('index %I.%I', n.nspname, i.relname),
                   replace(pg_get_indexdef(i.oid), ' ON ONLY ', ' ON '), ''
              FROM pg_index x JOIN pg_class c ON c.oid = x.indrelid JOIN pg_class i ON i.oid = x.indexrelid
              JOIN pg_namespace n ON n.oid = c.relnamespace
             WHERE c.relkind IN ('r', 'p') AND x.indisvalid
               AND NOT EXISTS (SELECT FROM pg_constraint k WHERE k.conindid = i.oid AND k.contype IN ('p', 'u', 'x'))
            """ + OURS + CHILDREN_FIRST;

    private static final String CONSTRAINTS = """
            SELECT n.nspname, c.relname, format('constraint %I of %I.%I', k.conname, n.nspname, c.relname),
                   format('ALTER TABLE %I.%I ADD CONSTRAINT %I ', n.nspname, c.relname, k.conname),
                   pg_get_constraintdef(k.oid)
              FROM pg_constraint k JOIN pg_class c ON c.oid = k.conrelid JOIN pg_namespace n ON n.oid = c.relnamespace
             WHERE c.relkind IN ('r', 'p') AND k.contype IN ('p', 'u', 'x', 'c') AND (k.conislocal OR k.coninhcount = 0)
            """ + OURS + CHILDREN_FIRST;

    private static final String ATTACHMENTS = """
            SELECT n.nspname, c.relname,
                   format('attachment of %I.%I to %I.%I', n.nspname, c.relname, pn.nspname, p.relname),
                   CASE WHEN p.relkind = 'p'
                        THEN format('ALTER TABLE %I.%I ATTACH PARTITION %I.%I ', pn.nspname, p.relname, n.nspname, c.relname)
                        ELSE format('ALTER TABLE %I.%I INHERIT %I.%I', n.nspname, c.relname, pn.nspname, p.relname) END,
                   coalesce(pg_get_expr(c.relpartbound, c.oid), '')
              FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid JOIN pg_namespace n ON n.oid = c.relnamespace
              JOIN pg_class p ON p.oid = i.inhparent JOIN pg_namespace pn ON pn.oid = p.relnamespace
             WHERE c.relkind IN ('r', 'p')
            """ + OURS;

    private static final String COLUMN = """
            SELECT n.nspname, c.relname, format('%s of column %%I of %%I.%%I', a.attname, n.nspname, c.relname),
                   format('ALTER TABLE %%I.%%I ALTER COLUMN %%I', n.nspname, c.relname, a.attname), %s
              FROM pg_attribute a JOIN pg_class c ON c.oid = a.attrelid JOIN pg_namespace n ON n.oid = c.relnamespace
              LEFT JOIN pg_attrdef d ON d.adrelid = c.oid AND d.adnum = a.attnum
             WHERE a.attnum > 0 AND NOT a.attisdropped AND c.relkind IN ('r', 'p') AND
            """;
    private static final String COLUMNS = COLUMN.formatted("presence", "''") + "true" + OURS;
    private static final String GENERATED = """
            SELECT n.nspname, c.relname, format('column %I of %I.%I', a.attname, n.nspname, c.relname),
                   format('ALTER TABLE %I.%I ADD COLUMN %I ', n.nspname, c.relname, a.attname),
                   format('%s %s GENERATED ALWAYS AS (%s) %s', format_type(a.atttypid, a.atttypmod),
                          CASE WHEN a.attcollation <> t.typcollation
                               THEN (SELECT format('COLLATE %I.%I', o.nspname, l.collname) FROM pg_collation l
                                       JOIN pg_namespace o ON o.oid = l.collnamespace WHERE l.oid = a.attcollation) END,
                          pg_get_expr(d.adbin, d.adrelid), CASE a.attgenerated WHEN 's' THEN 'STORED' END)
              FROM pg_attribute a JOIN pg_class c ON c.oid = a.attrelid JOIN pg_namespace n ON n.oid = c.relnamespace
              JOIN pg_attrdef d ON d.adrelid = c.oid AND d.adnum = a.attnum JOIN pg_type t ON t.oid = a.atttypid
             WHERE a.attnum > 0 AND NOT a.attisdropped AND c.relkind IN ('r', 'p') AND a.attgenerated <> ''
               AND NOT c.relispartition AND a.attislocal
            """ + OURS;
    private static final String NOT_NULL = COLUMN.formatted("NOT NULL", "' SET NOT NULL'") + "a.attnotnull" + OURS;
    private static final String IDENTITY = COLUMN.formatted("identity", """
            (SELECT format(' ADD GENERATED %s AS IDENTITY (SEQUENCE NAME %I.%I START WITH %s INCREMENT BY %s MINVALUE %s'
                             || ' MAXVALUE %s CACHE %s %s)',
                           CASE a.attidentity WHEN 'a' THEN 'ALWAYS' ELSE 'BY DEFAULT' END, qn.nspname, q.relname, s.seqstart,
                           s.seqincrement, s.seqmin, s.seqmax, s.seqcache, CASE WHEN s.seqcycle THEN 'CYCLE' ELSE 'NO CYCLE' END)
               FROM pg_depend p JOIN pg_sequence s ON s.seqrelid = p.objid JOIN pg_class q ON q.oid = p.objid
               JOIN pg_namespace qn ON qn.oid = q.relnamespace
              WHERE p.classid = 'pg_class'::regclass AND p.refobjid = c.oid AND p.refobjsubid = a.attnum AND p.deptype = 'i')
            """)
            // From 17 on, partitions have the identity of their parent.
            + "a.attidentity <> '' AND NOT c.relispartition" + OURS;
    private static final String DEFAULTS =
            COLUMN.formatted("default", "' SET DEFAULT ' || pg_get_expr(d.adbin, d.adrelid)")
                    + "d.oid IS NOT NULL AND NOT_GENERATED" + OURS;

    // Class 23 of PostgreSQL's error codes (appendix A): integrity constraint violation.
    private static final String RESUME =
            "UPDATE wherry.relation SET stopped_because = NULL WHERE stopped_because LIKE '%(SQLSTATE 23%'";

    /** Before the words for an object that the source has no more. */
    private static final String TAKEN_BACK = "no ";

    private final Connection source;
    private final Connection target;
    private final Set<TableId> tables;
    private final Set<TableId> parents;
    private final List<Addition> additions = new ArrayList<>();

    private SchemaAdditions(Connection source, Connection target, Set<TableId> tables, Set<TableId> parents) {
        this.parents = parents;
        this.source = source;
        this.target = target;
        this.tables = tables;
    }

    /**
     * One difference.
     *
     * @param object in words
     * @param table that the statement alters
     * @param alone the only table whose rows the difference concerns; null = rows of other tables too
     * @param definition the definition on the source; a server of another version may always word it differently
     * @param relaxes whether the statement only permits more: then it may run at once, otherwise after all earlier changes
     * @param sql that makes the target match the source
     */
    public record Addition(
            String object, TableId table, TableId alone, String definition, boolean relaxes, String sql) {
        /** Makes the target match the source. */
        public void run(Connection target) throws SQLException {
            Queries.execute(target, sql);
            if (relaxes && object.startsWith(TAKEN_BACK)) {
                // Rows that need the relaxed schema may have arrived before Wherry saw the change, and have stopped the
                // altered table or another one: a default partition takes the rows of a detached partition. A table
                // that has another problem stops again.
                Queries.update(target, RESUME);
            }
        }

        /**
         * @param firstSeen end of the source's log when the difference was first seen
         * @param applied everything up to here is on the target
         * @param others everything up to here is on the target, except for the changes of the stopped tables
         */
        public boolean mayRun(Lsn firstSeen, Lsn applied, Lsn others, Set<TableId> stopped) {
            return relaxes
                    || applied.isAfter(firstSeen)
                    || alone != null && !stopped.contains(alone) && others.isAfter(firstSeen);
        }
    }

    /**
     * @param tables the leaf tables to compare, on both sides; partitioned tables are compared if both sides have them
     * @param whole whether to compare indexes, constraints and attachments too; a schema that Wherry did not create may differ in these
     */
    static List<Addition> read(Connection source, Connection target, Set<TableId> tables, boolean whole)
            throws SQLException {
        String partitioned = "SELECT n.nspname, c.relname FROM pg_class c JOIN pg_namespace n"
                + " ON n.oid = c.relnamespace WHERE c.relkind = 'p'";
        Set<TableId> all = ids(source, partitioned);
        all.retainAll(ids(target, partitioned));
        all.addAll(tables);
        Set<TableId> parents = ids(
                target,
                "SELECT n.nspname, c.relname FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace"
                        + " WHERE c.relkind = 'p' OR c.oid IN (SELECT inhparent FROM pg_inherits)");
        return new SchemaAdditions(source, target, all, parents).additions(whole);
    }

    private List<Addition> additions(boolean whole) throws SQLException {
        if (ServerVersion.major(source) >= 12) {
            add(difference(source, target, GENERATED));
        }
        if (whole) {
            structure();
        }
        columns(NOT_NULL, " DROP NOT NULL");
        columns(IDENTITY, " DROP IDENTITY");
        columns(DEFAULTS, " DROP DEFAULT");
        return additions;
    }

    private void structure() throws SQLException {
        // Indexes before attachments: a partition that has an index like its parent's keeps that index; otherwise
        // it would get one under another name. Statements of the first dump that have not run yet are left out
        // here: they run from there.
        String waiting =
                String.join(";\n", Queries.strings(target, "SELECT sql FROM wherry.ddl WHERE done_at IS NULL"));
        add(difference(source, target, INDEXES).stream()
                .filter(found -> !waiting.contains(found.statement.substring(0, found.statement.indexOf(" ON ") + 4)))
                .toList());
        add(difference(source, target, CONSTRAINTS).stream()
                .filter(found ->
                        !waiting.contains(found.statement.substring(found.statement.indexOf(" ADD CONSTRAINT "))))
                .toList());
        add(difference(source, target, ATTACHMENTS));
        for (Found found : difference(target, source, ATTACHMENTS)) {
            String sql = found.statement
                    .replace(" ATTACH PARTITION ", " DETACH PARTITION ")
                    .replace(" INHERIT ", " NO INHERIT ");
            additions.add(new Addition(TAKEN_BACK + found.object, found.table, null, "", true, sql));
        }
    }

    private void add(List<Found> missing) {
        missing.forEach(found -> additions.add(new Addition(
                found.object, found.table, alone(found), found.definition, false, found.statement + found.definition)));
    }

    /** A parent's constraint also checks its children's rows, and a table that is attached is checked together with others. */
    private TableId alone(Found found) {
        boolean joins = found.object.startsWith("attachment of ");
        return joins || parents.contains(found.table) ? null : found.table;
    }

    /** Properties that the source's columns have are set; properties that they lack are dropped. */
    private void columns(String sql, String drop) throws SQLException {
        Set<String> common = new HashSet<>();
        list(source, COLUMNS).forEach(found -> common.add(found.statement));
        Set<String> ofTarget = new HashSet<>();
        list(target, COLUMNS).forEach(found -> ofTarget.add(found.statement));
        common.retainAll(ofTarget);
        List<Found> missing = new ArrayList<>(difference(source, target, sql));
        missing.removeIf(found -> !common.contains(found.statement));
        add(missing);
        for (Found found : difference(target, source, sql)) {
            boolean changed = missing.stream().anyMatch(one -> one.object.equals(found.object));
            if (!changed && common.contains(found.statement)) {
                additions.add(new Addition(
                        TAKEN_BACK + found.object, found.table, alone(found), "", true, found.statement + drop));
            }
        }
    }

    /**
     * @param object in words, the same on both sides
     * @param statement that creates the object, up to the part that server versions write differently
     * @param definition the rest of the statement
     */
    private record Found(TableId table, String object, String statement, String definition) {}

    private List<Found> difference(Connection has, Connection lacks, String sql) throws SQLException {
        Map<String, Found> other = new LinkedHashMap<>();
        list(lacks, sql).forEach(found -> other.put(found.object, found));
        return list(has, sql).stream()
                .filter(found -> tables.contains(found.table))
                .filter(found -> {
                    Found twin = other.get(found.object);
                    return twin == null || sql.equals(DEFAULTS) && !twin.definition.equals(found.definition);
                })
                .toList();
    }

    private static List<Found> list(Connection database, String sql) throws SQLException {
        String notGenerated = ServerVersion.major(database) >= 12 ? "a.attgenerated = ''" : "true";
        return Queries.list(
                database,
                row -> new Found(
                        new TableId(row.getString(1), row.getString(2)),
                        row.getString(3),
                        row.getString(4),
                        row.getString(5)),
                sql.replace("NOT_GENERATED", notGenerated));
    }

    private static Set<TableId> ids(Connection database, String sql) throws SQLException {
        return new HashSet<>(Queries.list(database, row -> new TableId(row.getString(1), row.getString(2)), sql));
    }
}
