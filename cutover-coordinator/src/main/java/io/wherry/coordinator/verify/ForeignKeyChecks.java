package io.wherry.coordinator.verify;

import io.wherry.contract.config.Flow;
import io.wherry.contract.config.Migration.TargetSchemaMode;
import io.wherry.contract.error.Finding;
import io.wherry.contract.name.Identifiers;
import io.wherry.contract.name.TableId;
import io.wherry.contract.postgres.ServerVersion;
import io.wherry.contract.postgres.Sessions;
import io.wherry.coordinator.sql.Queries;
import java.sql.Array;
import java.sql.Connection;
import java.sql.ResultSet;
import java.sql.SQLException;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.stream.Collectors;
import java.util.stream.IntStream;

/**
 * Finds foreign keys that rows violate: rows whose parent was deleted while triggers were off, or that refer to a table whose rows
 * are not carried. Searches the carried rows on the source, by one statement for each key, with a limit of seconds.
 */
public final class ForeignKeyChecks {
    private static final int MOST_MILLIS_EACH = 2_000;
    private static final long MOST_MILLIS = 10_000;
    /** Pages of 8 KiB of both tables. For larger tables the finding offers the query instead. */
    private static final long LARGE_PAGES = 32_768;

    private static final String QUERY_CANCELED = "57014";

    // A period (18) is compared in another way. For a partition's key, the parent's key is checked.
    private static final String KEYS = """
            SELECT k.conrelid, k.confrelid, k.conname, k.confmatchtype::text, c.relkind = 'p', f.relkind = 'p',
                   (SELECT array_agg(a.attname::text ORDER BY i) FROM generate_subscripts(k.conkey, 1) i
                      JOIN pg_attribute a ON a.attrelid = k.conrelid AND a.attnum = k.conkey[i]),
                   (SELECT array_agg(a.attname::text ORDER BY i) FROM generate_subscripts(k.confkey, 1) i
                      JOIN pg_attribute a ON a.attrelid = k.confrelid AND a.attnum = k.confkey[i]),
                   (SELECT array_agg(format('OPERATOR(%%I.%%s)', n.nspname, o.oprname) ORDER BY i)
                      FROM generate_subscripts(k.conpfeqop, 1) i JOIN pg_operator o ON o.oid = k.conpfeqop[i]
                      JOIN pg_namespace n ON n.oid = o.oprnamespace),
                   (SELECT array_agg(CASE WHEN a.attcollation = b.attcollation OR a.attcollation = 0 THEN ''
                                          ELSE format(' COLLATE %%I.%%I', n.nspname, l.collname) END ORDER BY i)
                      FROM generate_subscripts(k.confkey, 1) i
                      JOIN pg_attribute a ON a.attrelid = k.confrelid AND a.attnum = k.confkey[i]
                      JOIN pg_attribute b ON b.attrelid = k.conrelid AND b.attnum = k.conkey[i]
                      LEFT JOIN pg_collation l ON l.oid = a.attcollation LEFT JOIN pg_namespace n ON n.oid = l.collnamespace),
                   pg_get_constraintdef(k.oid)
              FROM pg_constraint k JOIN pg_class c ON c.oid = k.conrelid JOIN pg_class f ON f.oid = k.confrelid
              JOIN pg_namespace n ON n.oid = c.relnamespace
             WHERE k.contype = 'f' AND k.convalidated AND %s AND pg_get_constraintdef(k.oid) !~ ' PERIOD '
               AND n.nspname NOT LIKE 'pg\\_%%' AND n.nspname NOT IN ('information_schema', 'wherry')
               -- An extension creates the keys of its own tables, on both sides.
               AND NOT EXISTS (SELECT FROM pg_depend d WHERE d.classid = 'pg_class'::regclass AND d.objid = c.oid
                                  AND d.deptype = 'e')
             ORDER BY n.nspname, c.relname, k.conname
            """;

    private static final String TABLES = """
            WITH RECURSIVE leaf(root, oid) AS (
              SELECT c.oid, c.oid FROM pg_class c WHERE c.relkind IN ('r', 'p') AND c.oid >= 16384
              UNION ALL SELECT l.root, i.inhrelid FROM leaf l JOIN pg_class p ON p.oid = l.oid AND p.relkind = 'p'
                          JOIN pg_inherits i ON i.inhparent = l.oid)
            SELECT l.root, n.nspname, c.relname, c.relkind = 'p', c.relpages
              FROM leaf l JOIN pg_class c ON c.oid = l.oid JOIN pg_namespace n ON n.oid = c.relnamespace
             WHERE l.root = l.oid OR c.relkind = 'r'
             ORDER BY l.root, l.root <> l.oid, n.nspname, c.relname
            """;

    private final Flow flow;
    private final Connection source;
    private final int mostMillisEach;
    private final Map<Long, List<ConstrainedTable>> tables = new HashMap<>();
    private final long endNanos = System.nanoTime() + MOST_MILLIS * 1_000_000;

    private ForeignKeyChecks(Flow flow, Connection source, int mostMillisEach) {
        this.flow = flow;
        this.source = source;
        this.mostMillisEach = mostMillisEach;
    }

    /** A table, or a partition of the table under which it is listed. */
    private record ConstrainedTable(TableId id, boolean partitioned, long pages) {}

    private record Key(
            long child,
            long parent,
            String name,
            boolean full,
            List<String> columns,
            List<String> referenced,
            List<String> operators,
            List<String> collations,
            String definition) {}

    /** The findings; none of them refuses the migration. */
    public static List<Finding> check(Flow flow) throws SQLException {
        return check(flow, MOST_MILLIS_EACH);
    }

    /** @param mostMillisEach limit for the query of one key */
    public static List<Finding> check(Flow flow, int mostMillisEach) throws SQLException {
        try (Connection source = Sessions.open(flow.migration(), flow.from(), "check")) {
            source.setReadOnly(true);
            return new ForeignKeyChecks(flow, source, mostMillisEach).findings();
        }
    }

    private List<Finding> findings() throws SQLException {
        Queries.list(
                source,
                row -> tables.computeIfAbsent(row.getLong(1), oid -> new ArrayList<>())
                        .add(new ConstrainedTable(
                                new TableId(row.getString(2), row.getString(3)), row.getBoolean(4), row.getLong(5))),
                TABLES);
        boolean inherited = ServerVersion.major(source) >= 11;
        List<Key> keys =
                Queries.list(source, ForeignKeyChecks::key, KEYS.formatted(inherited ? "k.conparentid = 0" : "true"));
        // Only for the rows: the check waits for a catalog that answers slowly or is locked.
        Queries.execute(source, "SET statement_timeout = " + mostMillisEach);
        List<Finding> findings = new ArrayList<>();
        for (Key key : keys) {
            finding(key).ifPresent(findings::add);
        }
        return findings;
    }

    private static Key key(ResultSet row) throws SQLException {
        return new Key(
                row.getLong(1),
                row.getLong(2),
                row.getString(3),
                row.getString(4).equals("f"),
                strings(row.getArray(7)),
                strings(row.getArray(8)),
                strings(row.getArray(9)),
                strings(row.getArray(10)),
                row.getString(11));
    }

    private static List<String> strings(Array array) throws SQLException {
        return List.of((String[]) array.getArray());
    }

    private Optional<Finding> finding(Key key) throws SQLException {
        Optional<String> children = carried(key.child, key.columns);
        if (children.isEmpty()) {
            return Optional.empty();
        }
        Optional<String> parents = carried(key.parent, key.referenced);
        String query = contradictions(key, children.get(), parents);
        String object = tables.get(key.child).get(0).id() + " foreign key " + key.name;
        long pages = pages(key.child) + pages(key.parent);
        if (parents.isPresent() && pages > LARGE_PAGES || System.nanoTime() - endNanos > 0) {
            return Optional.of(large(object, query));
        }
        try {
            if (!Queries.truth(source, "SELECT EXISTS (" + query + ")")) {
                return Optional.empty();
            }
            TableId parent = tables.get(key.parent).get(0).id();
            String problem = isWhole(key.parent)
                    ? "existing rows violate this key"
                    : "existing rows refer to rows of " + parent + " that are not carried";
            return Optional.of(Finding.warning(
                    object,
                    problem + outcome(),
                    "On the source, correct the rows that this query finds, or leave them: " + query));
        } catch (SQLException e) {
            if (QUERY_CANCELED.equals(e.getSQLState())) {
                return Optional.of(large(object, query));
            }
            return Optional.of(Finding.warning(
                    object, "cannot be checked: " + e.getMessage(), "Fix the cause that the server names"));
        }
    }

    private static Finding large(String object, String query) {
        return Finding.info(object, "not checked, because its tables are large. To check on the source: " + query);
    }

    private String outcome() {
        return flow.migration().schema() == TargetSchemaMode.CREATE
                ? ": this key stays NOT VALID on the target, which checks new rows only"
                : ": the target does not check this key while rows are applied";
    }

    private String contradictions(Key key, String children, Optional<String> parents) {
        List<String> columns =
                key.columns.stream().map(c -> "c." + Identifiers.quote(c)).toList();
        String wanted = key.full
                ? "NOT ("
                        + String.join(
                                " AND ",
                                columns.stream().map(c -> c + " IS NULL").toList()) + ")"
                : String.join(
                        " AND ", columns.stream().map(c -> c + " IS NOT NULL").toList());
        String match = IntStream.range(0, columns.size())
                .mapToObj(i -> "p." + Identifiers.quote(key.referenced.get(i)) + " " + key.operators.get(i) + " "
                        + columns.get(i) + key.collations.get(i))
                .collect(Collectors.joining(" AND "));
        return "SELECT ROW(" + String.join(", ", columns) + ") FROM " + children + " AS c WHERE " + wanted
                + parents.map(rows -> " AND NOT EXISTS (SELECT FROM " + rows + " AS p WHERE " + match + ")")
                        .orElse("");
    }

    /** The carried rows of a table, as what follows FROM; empty = no rows are carried. */
    private Optional<String> carried(long table, List<String> columns) {
        ConstrainedTable root = tables.get(table).get(0);
        if (root.partitioned() && isWhole(table)) {
            return Optional.of(root.id().quoted());
        }
        String names = columns.stream().map(Identifiers::quote).collect(Collectors.joining(", "));
        List<String> parts = leaves(table).stream()
                .filter(leaf -> flow.migration().tables().selects(leaf.id()))
                .map(leaf -> "SELECT " + names + " FROM ONLY " + leaf.id().quoted()
                        + flow.migration().tables().whereClause(leaf.id()))
                .toList();
        return parts.isEmpty() ? Optional.empty() : Optional.of("(" + String.join(" UNION ALL ", parts) + ")");
    }

    /** Whether all rows of the table are carried. */
    private boolean isWhole(long table) {
        return flow.migration().tables().isWhole(tables.get(table).get(0).id())
                || leaves(table).stream()
                        .allMatch(leaf -> flow.migration().tables().selects(leaf.id())
                                && flow.migration()
                                        .tables()
                                        .whereClause(leaf.id())
                                        .isEmpty());
    }

    private List<ConstrainedTable> leaves(long table) {
        List<ConstrainedTable> all = tables.get(table);
        return all.get(0).partitioned() ? all.subList(1, all.size()) : all;
    }

    private long pages(long table) {
        return tables.get(table).stream().mapToLong(ConstrainedTable::pages).sum();
    }
}
