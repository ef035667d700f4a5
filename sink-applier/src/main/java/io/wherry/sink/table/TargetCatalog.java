package io.wherry.sink.table;

import io.wherry.contract.error.DataException;
import io.wherry.contract.name.Identifiers;
import io.wherry.contract.name.Remedies;
import io.wherry.contract.name.TableId;
import io.wherry.contract.postgres.ExactText;
import io.wherry.contract.postgres.ServerVersion;
import io.wherry.contract.postgres.TableShape.TypeName;
import io.wherry.sink.table.TargetColumn.Equality;
import io.wherry.sink.table.TargetTable.UniqueKey;
import java.sql.Connection;
import java.sql.PreparedStatement;
import java.sql.ResultSet;
import java.sql.SQLException;
import java.util.HashMap;
import java.util.HashSet;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.Set;

/**
 * Reads from the target's catalog, beyond the contract's catalog, what the apply statements need to know of a table: how values
 * travel and how keys are compared.
 */
public final class TargetCatalog {
    // A domain takes the array of its base type. Arrays, composites (unnest would spread their fields into columns) and
    // box (its arrays are delimited by ';') have none: parameter_name is NULL.
    private static final String COLUMNS = """
            WITH RECURSIVE base(type, base) AS (
                SELECT DISTINCT atttypid, atttypid FROM pg_attribute
                 WHERE attrelid = CAST(? AS regclass) AND attnum > 0 AND NOT attisdropped
                UNION ALL
                SELECT b.type, t.typbasetype FROM base b JOIN pg_type t ON t.oid = b.base WHERE t.typtype = 'd')
            SELECT a.attname, tn.nspname AS type_schema, t.typname AS type_name, a.attidentity::text AS identity_kind,
                   %s AS generated, bn.nspname AS base_schema, bt.typname AS base_name, bt.typtype::text AS base_kind,
                   bt.typtype IN ('b', 'e', 'r', 'm') AND bt.typarray <> 0 AND bt.typdelim = ',' AS unnestable,
                   %s AS deterministic, e.nspname AS operator_schema, e.oprname AS operator
              FROM pg_attribute a
              JOIN pg_type t ON t.oid = a.atttypid JOIN pg_namespace tn ON tn.oid = t.typnamespace
              JOIN base b ON b.type = a.atttypid
              JOIN pg_type bt ON bt.oid = b.base AND bt.typtype <> 'd' JOIN pg_namespace bn ON bn.oid = bt.typnamespace
              LEFT JOIN pg_collation l ON l.oid = a.attcollation
              LEFT JOIN LATERAL (
                    SELECT n.nspname, o.oprname
                      FROM pg_opclass c JOIN pg_am m ON m.oid = c.opcmethod AND m.amname = 'btree'
                      JOIN pg_amop p ON p.amopfamily = c.opcfamily AND p.amopstrategy = 3
                                    AND p.amoplefttype = c.opcintype AND p.amoprighttype = c.opcintype
                      JOIN pg_operator o ON o.oid = p.amopopr JOIN pg_namespace n ON n.oid = o.oprnamespace
                     WHERE c.opcdefault AND c.opcintype = CASE bt.oid WHEN CAST('varchar' AS regtype)
                                                                     THEN CAST('text' AS regtype) ELSE bt.oid END) AS e ON true
             WHERE a.attrelid = CAST(? AS regclass) AND a.attnum > 0 AND NOT a.attisdropped
             ORDER BY a.attnum
            """;

    // Strategy 3 of a btree class is its equality. The index of a key WITHOUT OVERLAPS uses GiST, whose strategy 3 is
    // "overlaps" for a range, which finds other rows. For such a key, equality is that of the type's default btree
    // class, or the catalog's own =.
    private static final String UNIQUE_KEYS = """
            SELECT i.indexrelid, a.attname, coalesce(e.nspname, 'pg_catalog') AS operator_schema,
                   coalesce(e.oprname, '=') AS operator, i.indimmediate AS immediate, i.indisexclusion AS exclusion,
                   %s AS deterministic,
                   CASE WHEN k.sorted_by <> a.attcollation
                        THEN format('COLLATE %%I.%%I ', ln.nspname, l.collname) ELSE '' END AS collation
              FROM pg_index i
             CROSS JOIN LATERAL unnest(i.indkey::int2[], i.indclass::oid[], i.indcollation::oid[]) WITH ORDINALITY
                             AS k(attnum, class, sorted_by, position)
              JOIN pg_attribute a ON a.attrelid = i.indrelid AND a.attnum = k.attnum
              JOIN pg_opclass c ON c.oid = k.class
              LEFT JOIN (pg_collation l JOIN pg_namespace ln ON ln.oid = l.collnamespace) ON l.oid = k.sorted_by
              LEFT JOIN LATERAL (
                    SELECT n.nspname, o.oprname
                      FROM pg_opclass b JOIN pg_am m ON m.oid = b.opcmethod AND m.amname = 'btree'
                      JOIN pg_amop p ON p.amopfamily = b.opcfamily AND p.amopstrategy = 3
                                    AND p.amoplefttype = b.opcintype AND p.amoprighttype = b.opcintype
                      JOIN pg_operator o ON o.oid = p.amopopr JOIN pg_namespace n ON n.oid = o.oprnamespace
                     WHERE CASE WHEN i.indisexclusion THEN b.opcdefault AND b.opcintype = c.opcintype
                                ELSE b.oid = c.oid END) AS e ON true
             WHERE i.indrelid = CAST(? AS regclass) AND i.indisunique AND i.indisvalid
               AND i.indpred IS NULL AND i.indexprs IS NULL AND k.class IS NOT NULL
             ORDER BY i.indisexclusion, i.indimmediate DESC, i.indexrelid, k.position
            """;

    // COPY passes over rules, is refused by row-level security, and runs no statement triggers of UPDATE, which an
    // INSERT with
    // ON CONFLICT DO UPDATE runs. Triggers that this session does not run, and those of foreign keys, make no
    // difference.
    private static final String COPYABLE = """
            SELECT EXISTS (SELECT FROM pg_class c
                            WHERE c.oid = to_regclass(?) AND c.relkind = 'r' AND NOT c.relhasrules AND NOT c.relrowsecurity
                              AND NOT EXISTS (SELECT FROM pg_trigger t WHERE t.tgrelid = c.oid AND NOT t.tgisinternal
                                                 AND (t.tgenabled IN ('A', 'R') OR t.tgenabled = 'O'
                                                      AND current_setting('session_replication_role') <> 'replica')))
            """;

    private static final String PARTITION_ROOT = """
            WITH RECURSIVE up(id, depth) AS (
                SELECT oid, 0 FROM pg_class WHERE oid = to_regclass(?)
                UNION ALL
                SELECT i.inhparent, up.depth + 1 FROM up JOIN pg_class c ON c.oid = up.id AND c.relispartition
                  JOIN pg_inherits i ON i.inhrelid = up.id)
            SELECT n.nspname, c.relname FROM up JOIN pg_class c ON c.oid = up.id JOIN pg_namespace n ON n.oid = c.relnamespace
             ORDER BY depth DESC LIMIT 1
            """;

    private TargetCatalog() {}

    /** @throws DataException when the target has no such table */
    public static TargetTable read(Connection target, TableId id) throws SQLException {
        if (!exists(target, id)) {
            throw new DataException(
                    "apply changes to",
                    id.toString(),
                    "the target has no such table",
                    "Create it as on the source, then " + Remedies.retry(id));
        }
        return new TargetTable(
                id,
                isPartitioned(target, id),
                truth(target, COPYABLE, id),
                columns(target, id),
                uniqueKeys(target, id));
    }

    /** The table's columns by name, with their types as SQL text. */
    public static Map<String, TableDrift.Existing> existing(Connection target, TableId id) throws SQLException {
        String generated = ServerVersion.major(target) >= 12 ? "attgenerated <> ''" : "false";
        Map<String, TableDrift.Existing> columns = new LinkedHashMap<>();
        try (PreparedStatement statement =
                target.prepareStatement("SELECT attname, format_type(atttypid, atttypmod), " + generated
                        + " FROM pg_attribute WHERE attrelid = to_regclass(?) AND attnum > 0 AND NOT attisdropped")) {
            statement.setString(1, id.quoted());
            try (ResultSet row = statement.executeQuery()) {
                while (row.next()) {
                    columns.put(row.getString(1), new TableDrift.Existing(row.getString(2), row.getBoolean(3)));
                }
            }
        }
        return columns;
    }

    /** The topmost table that this one is a partition of; the table itself when it is not a partition. */
    public static TableId partitionRoot(Connection target, TableId id) throws SQLException {
        try (PreparedStatement statement = target.prepareStatement(PARTITION_ROOT)) {
            statement.setString(1, id.quoted());
            try (ResultSet row = statement.executeQuery()) {
                return row.next() ? new TableId(row.getString(1), row.getString(2)) : id;
            }
        }
    }

    public static boolean isPartitioned(Connection target, TableId id) throws SQLException {
        return truth(target, "SELECT EXISTS (SELECT FROM pg_class WHERE oid = to_regclass(?) AND relkind = 'p')", id);
    }

    public static boolean isPartition(Connection target, TableId id) throws SQLException {
        return truth(target, "SELECT EXISTS (SELECT FROM pg_class WHERE oid = to_regclass(?) AND relispartition)", id);
    }

    public static boolean exists(Connection target, TableId id) throws SQLException {
        return truth(target, "SELECT to_regclass(?) IS NOT NULL", id);
    }

    private static boolean truth(Connection target, String sql, TableId id) throws SQLException {
        try (PreparedStatement statement = target.prepareStatement(sql)) {
            statement.setString(1, id.quoted());
            try (ResultSet row = statement.executeQuery()) {
                row.next();
                return row.getBoolean(1);
            }
        }
    }

    private static Map<String, TargetColumn> columns(Connection target, TableId id) throws SQLException {
        String sql = COLUMNS.formatted(
                ServerVersion.major(target) >= 12 ? "a.attgenerated <> ''" : "false", deterministic(target));
        Map<String, TargetColumn> columns = new LinkedHashMap<>();
        try (PreparedStatement statement = target.prepareStatement(sql)) {
            statement.setString(1, id.quoted());
            statement.setString(2, id.quoted());
            try (ResultSet row = statement.executeQuery()) {
                while (row.next()) {
                    columns.put(row.getString("attname"), column(row));
                }
            }
        }
        return columns;
    }

    private static String deterministic(Connection target) throws SQLException {
        return ServerVersion.major(target) >= 12 ? "coalesce(l.collisdeterministic, true)" : "true";
    }

    private static TargetColumn column(ResultSet row) throws SQLException {
        TypeName base = new TypeName(row.getString("base_schema"), row.getString("base_name"));
        return new TargetColumn(
                row.getString("attname"),
                new TypeName(row.getString("type_schema"), row.getString("type_name")),
                row.getBoolean("unnestable") ? base : null,
                equality(base, row.getString("base_kind").charAt(0), row.getBoolean("deterministic")),
                row.getString("operator") == null ? null : operator(row),
                row.getBoolean("generated"),
                row.getString("identity_kind").equals("a"));
    }

    private static String operator(ResultSet row) throws SQLException {
        return "OPERATOR(" + Identifiers.quote(row.getString("operator_schema")) + "." + row.getString("operator")
                + ")";
    }

    private static Equality equality(TypeName base, char kind, boolean deterministic) {
        if (!deterministic) {
            return Equality.UNKNOWN;
        }
        if (kind == 'e') {
            return Equality.TEXT;
        }
        if (!base.schema().equals("pg_catalog")) {
            return Equality.UNKNOWN;
        }
        return switch (base.name()) {
            case "numeric" -> Equality.NUMERIC;
            case "float4", "float8" -> Equality.FLOAT;
            case "bpchar" -> Equality.PADDED;
            default -> ExactText.TYPES.contains(base.name()) ? Equality.TEXT : Equality.UNKNOWN;
        };
    }

    private static Map<Set<String>, UniqueKey> uniqueKeys(Connection target, TableId id) throws SQLException {
        Map<Long, UniqueKey> byIndex = new LinkedHashMap<>();
        try (PreparedStatement statement = target.prepareStatement(UNIQUE_KEYS.formatted(deterministic(target)))) {
            statement.setString(1, id.quoted());
            try (ResultSet row = statement.executeQuery()) {
                while (row.next()) {
                    boolean exclusion = row.getBoolean("exclusion");
                    UniqueKey fresh = new UniqueKey(
                            new LinkedHashMap<>(),
                            new HashSet<>(),
                            row.getBoolean("immediate") && !exclusion,
                            exclusion);
                    UniqueKey key = byIndex.computeIfAbsent(row.getLong("indexrelid"), index -> fresh);
                    key.operators().put(row.getString("attname"), row.getString("collation") + operator(row));
                    if (!row.getBoolean("deterministic")) {
                        key.inexact().add(row.getString("attname"));
                    }
                }
            }
        }
        Map<Set<String>, UniqueKey> keys = new HashMap<>();
        byIndex.values().forEach(key -> keys.merge(Set.copyOf(key.operators().keySet()), key, UniqueKey::beside));
        return keys;
    }
}
