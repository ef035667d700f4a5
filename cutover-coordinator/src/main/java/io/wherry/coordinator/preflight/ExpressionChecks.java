package io.wherry.coordinator.preflight;

import io.wherry.contract.config.Flow;
import io.wherry.contract.error.Finding;
import io.wherry.contract.name.Identifiers;
import io.wherry.contract.name.TableId;
import io.wherry.contract.postgres.Sessions;
import io.wherry.coordinator.sql.Queries;
import java.sql.Connection;
import java.sql.ResultSet;
import java.sql.SQLException;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Optional;
import java.util.Set;
import java.util.stream.Collectors;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Finds expressions that the target computes for each written row, and whose functions name objects without a schema. Such
 * functions fail in Wherry's sessions, which have {@code search_path = pg_catalog}, as they fail under pg_restore. Each expression
 * is tried on the source, on a few rows, for a moment. An expression that is slow or fails for another reason is not refused.
 */
public final class ExpressionChecks {
    private static final Logger LOG = LoggerFactory.getLogger(ExpressionChecks.class);

    private static final int MOST_MILLIS_EACH = 1_000;
    private static final long MOST_MILLIS = 10_000;
    private static final int ROWS = 5;
    /** undefined_table, undefined_function, undefined_object, invalid_schema_name. */
    private static final Set<String> UNDEFINED = Set.of("42P01", "42883", "42704", "3F000");

    // Functions in C and of the server itself look up no names. A domain's constraint is tried on the columns of
    // that domain.
    private static final String EXPRESSIONS = """
            WITH called AS (
              SELECT d.classid, d.objid, p.oid FROM pg_depend d
                JOIN pg_proc p ON d.refclassid = 'pg_proc'::regclass AND p.oid = d.refobjid
              UNION SELECT d.classid, d.objid, o.oprcode::oid FROM pg_depend d
                JOIN pg_operator o ON d.refclassid = 'pg_operator'::regclass AND o.oid = d.refobjid),
            bare AS (
              SELECT called.classid, called.objid,
                     array_agg(format('%I.%I(%s)', n.nspname, p.proname, pg_get_function_identity_arguments(p.oid)) ORDER BY p.oid) AS functions,
                     string_agg(DISTINCT quote_ident(n.nspname), ', ') AS schemas
                FROM called JOIN pg_proc p ON p.oid = called.oid JOIN pg_language l ON l.oid = p.prolang
                JOIN pg_namespace n ON n.oid = p.pronamespace
               WHERE p.oid >= 16384 AND l.lanname NOT IN ('c', 'internal') AND called.classid <> 'pg_rewrite'::regclass
                 AND NOT EXISTS (SELECT FROM unnest(p.proconfig) AS setting WHERE setting LIKE 'search\\_path=%')
               GROUP BY called.classid, called.objid),
            found AS (
              SELECT k.conrelid AS relation, 'check constraint ' || k.conname AS what, pg_get_expr(k.conbin, k.conrelid) AS expression,
                     NULL AS predicate, functions, schemas
                FROM bare JOIN pg_constraint k ON classid = 'pg_constraint'::regclass AND k.oid = objid AND k.contype = 'c' AND k.conrelid <> 0
              UNION ALL
              SELECT a.attrelid, 'column ' || a.attname || ' of domain ' || t.typname,
                     format('CAST(CAST(%I AS %s) AS %s)', a.attname, format_type(t.typbasetype, t.typtypmod), format_type(t.oid, NULL)),
                     NULL, functions, schemas
                FROM bare JOIN pg_constraint k ON classid = 'pg_constraint'::regclass AND k.oid = objid AND k.contypid <> 0
                JOIN pg_type t ON t.oid = k.contypid JOIN pg_attribute a ON a.atttypid = t.oid AND NOT a.attisdropped
              UNION ALL
              SELECT i.indrelid, 'index ' || x.relname, parts.expressions, pg_get_expr(i.indpred, i.indrelid), functions, schemas
                FROM bare JOIN pg_index i ON classid = 'pg_class'::regclass AND i.indexrelid = objid JOIN pg_class x ON x.oid = objid,
                LATERAL (SELECT string_agg(pg_get_indexdef(i.indexrelid, position + 1, false), ', ') AS expressions
                           FROM generate_series(0, i.indnatts - 1) AS position WHERE i.indkey[position] = 0) parts
               WHERE parts.expressions IS NOT NULL
              UNION ALL
              SELECT i.indrelid, 'index ' || x.relname, pg_get_expr(i.indpred, i.indrelid), NULL, functions, schemas
                FROM bare JOIN pg_index i ON classid = 'pg_class'::regclass AND i.indexrelid = objid JOIN pg_class x ON x.oid = objid
               WHERE i.indpred IS NOT NULL
              UNION ALL
              SELECT a.attrelid, 'generated column ' || a.attname, pg_get_expr(f.adbin, f.adrelid), NULL, functions, schemas
                FROM bare JOIN pg_attrdef f ON classid = 'pg_attrdef'::regclass AND f.oid = objid
                JOIN pg_attribute a ON a.attrelid = f.adrelid AND a.attnum = f.adnum AND to_jsonb(a) ->> 'attgenerated' = 's')
            SELECT n.nspname, c.relname, what, expression, predicate, functions, schemas
              FROM found JOIN pg_class c ON c.oid = relation AND c.relkind = 'r' JOIN pg_namespace n ON n.oid = c.relnamespace
             WHERE n.nspname NOT LIKE 'pg\\_%' AND n.nspname NOT IN ('information_schema', 'wherry')
             ORDER BY 1, 2, 3
            """;

    private static final String PATHS = """
            SELECT DISTINCT substr(setting, length('search_path=') + 1), s.setrole = 0
              FROM pg_db_role_setting s LEFT JOIN pg_database d ON d.oid = s.setdatabase, unnest(s.setconfig) AS setting
             WHERE (s.setdatabase = 0 OR d.datname = current_database()) AND setting LIKE 'search\\_path=%' ORDER BY 2 DESC, 1
            """;

    private final Flow flow;
    private final Connection source;
    private final long endNanos = System.nanoTime() + MOST_MILLIS * 1_000_000;

    private ExpressionChecks(Flow flow, Connection source) {
        this.flow = flow;
        this.source = source;
    }

    private record Expression(
            TableId table, String what, String expression, String predicate, List<String> functions, String schemas) {}

    /** The findings: each would stop its table, or an index of the table, on the target. */
    public static List<Finding> check(Flow flow) {
        List<Finding> findings = new ArrayList<>();
        try (Connection source = Sessions.open(flow.migration(), flow.from(), "check")) {
            source.setReadOnly(true);
            source.setAutoCommit(false);
            new ExpressionChecks(flow, source).find(findings);
        } catch (SQLException e) {
            LOG.info("Not all expressions that call functions were tried: {}", e.getMessage());
        }
        return findings;
    }

    private void find(List<Finding> findings) throws SQLException {
        List<String> paths = new ArrayList<>();
        for (String path : Queries.strings(source, PATHS)) {
            schemas(path).ifPresent(paths::add);
        }
        List<Expression> expressions = Queries.list(source, ExpressionChecks::expression, EXPRESSIONS);
        source.rollback();
        Set<String> seen = new HashSet<>();
        for (Expression one : expressions) {
            // The partitions of a table have the same expressions.
            boolean another = flow.migration().tables().selects(one.table)
                    && seen.add(one.what + "\n" + one.expression + "\n" + one.functions);
            if (another && System.nanoTime() - endNanos < 0) {
                finding(one, paths).ifPresent(findings::add);
            }
        }
    }

    /**
     * The schemas on a path, quoted. Any role may set its own path, whose text need not consist of names: so the text itself is
     * neither run as SQL nor offered to an operator who would run it.
     */
    private Optional<String> schemas(String path) throws SQLException {
        setPath(path);
        return Queries.string(
                source, "SELECT string_agg(quote_ident(name), ', ') FROM unnest(current_schemas(false)) AS name");
    }

    private void setPath(String path) throws SQLException {
        Queries.string(source, "SELECT set_config('search_path', ?, true)", path);
    }

    private static Expression expression(ResultSet row) throws SQLException {
        return new Expression(
                new TableId(row.getString(1), row.getString(2)),
                row.getString(3),
                row.getString(4),
                row.getString(5),
                List.of((String[]) row.getArray(6).getArray()),
                row.getString(7));
    }

    private Optional<Finding> finding(Expression one, List<String> paths) throws SQLException {
        Optional<SQLException> failure = failure(one, "pg_catalog");
        if (failure.isEmpty() || !UNDEFINED.contains(failure.get().getSQLState())) {
            return Optional.empty();
        }
        Set<String> candidates = new LinkedHashSet<>(paths);
        candidates.add("public");
        candidates.add(one.schemas);
        candidates.add(one.schemas + ", public");
        for (String path : candidates) {
            // Otherwise the expression fails under any path, which the source's own applications know.
            if (failure(one, path).isEmpty()) {
                String message = failure.get().getMessage();
                List<String> named = one.functions.stream()
                        .filter(function -> message.contains(name(function)))
                        .toList();
                List<String> functions = named.isEmpty() ? one.functions : named;
                return Optional.of(Finding.error(
                        one.table + " " + one.what,
                        "calls " + String.join(", ", functions)
                                + ", which names an object without its schema; the target computes this expression under search_path = pg_catalog: "
                                + message.lines().findFirst().orElse(""),
                        "On the source: "
                                + functions.stream()
                                        .map(function -> "ALTER FUNCTION " + function + " SET search_path = " + path)
                                        .collect(Collectors.joining("; "))));
            }
        }
        return Optional.empty();
    }

    /** The function's name as in messages: without schema and arguments, perhaps in quotes. */
    private static String name(String function) {
        String withSchema = function.substring(0, function.indexOf('('));
        return withSchema.substring(withSchema.lastIndexOf('.') + 1);
    }

    /** The failure when the expression is computed for a few rows, with a limit of one second; empty = no failure. */
    private Optional<SQLException> failure(Expression one, String path) throws SQLException {
        String table = one.table.quoted();
        String select = "SELECT " + one.expression + " FROM ";
        String where = one.predicate == null ? "" : " WHERE " + one.predicate;
        try {
            Queries.execute(source, "SET LOCAL statement_timeout = " + MOST_MILLIS_EACH);
            setPath(path);
            List<String> rows = Queries.strings(source, select + "ONLY " + table + where + " LIMIT " + ROWS);
            if (rows.isEmpty()) {
                Queries.strings(
                        source,
                        select + "(SELECT (CAST(NULL AS " + table + ")).*) AS " + Identifiers.quote(one.table.table())
                                + where);
            }
            return Optional.empty();
        } catch (SQLException e) {
            return Optional.of(e);
        } finally {
            source.rollback();
        }
    }
}
