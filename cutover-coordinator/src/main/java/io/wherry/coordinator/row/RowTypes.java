package io.wherry.coordinator.row;

import io.wherry.contract.name.Identifiers;
import io.wherry.contract.postgres.ServerVersion;
import io.wherry.coordinator.sql.Queries;
import java.sql.Array;
import java.sql.Connection;
import java.sql.SQLException;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.function.UnaryOperator;

/**
 * What {@link RowHash} must know about the source's types.
 *
 * @param bases names of the base types of domains, by the domain's oid, schema {@code pg_catalog} only
 * @param floating types that contain floating point (composites, ranges, cubes, arrays of these), with the SQL that turns such a
 *     value into a text that is the same before and after version 12; empty if both sides write floats alike
 */
public record RowTypes(Map<Long, String> bases, Map<Long, UnaryOperator<String>> floating) {
    private static final int FLOATS_CHANGED = 12;

    // The base type of a domain may be a domain.
    private static final String DOMAIN_BASES = """
            WITH RECURSIVE base (oid, typbasetype) AS (
                SELECT oid, typbasetype FROM pg_type WHERE typtype = 'd'
                UNION ALL
                SELECT base.oid, t.typbasetype FROM base JOIN pg_type t ON t.oid = base.typbasetype WHERE t.typtype = 'd')
            SELECT base.oid, t.typname FROM base JOIN pg_type t ON t.oid = base.typbasetype
              JOIN pg_namespace n ON n.oid = t.typnamespace WHERE t.typtype <> 'd' AND n.nspname = 'pg_catalog'
            """;

    private static final String TYPES = """
            SELECT t.oid::bigint, n.nspname, t.typname, t.typbasetype::bigint,
                   CASE WHEN t.typcategory = 'A' THEN t.typelem ELSE 0 END::bigint, coalesce(r.rngsubtype, 0)::bigint,
                   ARRAY(SELECT a.attname::text FROM pg_attribute a
                          WHERE a.attrelid = t.typrelid AND a.attnum > 0 AND NOT a.attisdropped ORDER BY a.attnum),
                   ARRAY(SELECT a.atttypid::bigint FROM pg_attribute a
                          WHERE a.attrelid = t.typrelid AND a.attnum > 0 AND NOT a.attisdropped ORDER BY a.attnum)
              FROM pg_type t JOIN pg_namespace n ON n.oid = t.typnamespace LEFT JOIN pg_range r ON r.rngtypid = t.oid
              LEFT JOIN pg_class c ON c.oid = t.typrelid
             WHERE t.typtype <> 'p' AND (c.oid IS NULL OR n.nspname NOT IN ('pg_catalog', 'information_schema', 'pg_toast'))
            """;

    public static RowTypes read(Connection source, Connection target) throws SQLException {
        Map<Long, String> bases = new HashMap<>();
        Queries.list(source, row -> bases.put(row.getLong(1), row.getString(2)), DOMAIN_BASES);
        boolean alike = ServerVersion.major(source) < FLOATS_CHANGED == ServerVersion.major(target) < FLOATS_CHANGED;
        return new RowTypes(bases, alike ? Map.of() : new Floating(source).texts());
    }

    private record Type(
            String schema, String name, long base, long element, long subtype, List<String> fields, List<Long> types) {}

    /** Finds floating point within types and writes SQL that takes it in binary form. */
    private static final class Floating {
        private final Map<Long, Type> types = new HashMap<>();
        private final Map<Long, Boolean> known = new HashMap<>();

        Floating(Connection source) throws SQLException {
            Queries.list(
                    source,
                    row -> types.put(
                            row.getLong(1),
                            new Type(
                                    row.getString(2),
                                    row.getString(3),
                                    row.getLong(4),
                                    row.getLong(5),
                                    row.getLong(6),
                                    Floating.<String>values(row.getArray(7)),
                                    Floating.<Long>values(row.getArray(8)))),
                    TYPES);
        }

        @SuppressWarnings("unchecked")
        private static <T> List<T> values(Array array) throws SQLException {
            return List.of((T[]) array.getArray());
        }

        Map<Long, UnaryOperator<String>> texts() {
            Map<Long, UnaryOperator<String>> texts = new HashMap<>();
            types.keySet().stream().filter(this::within).forEach(oid -> texts.put(oid, value -> text(oid, value, 1)));
            return texts;
        }

        private boolean within(long oid) {
            Boolean found = known.get(oid);
            if (found == null) {
                Type type = types.get(oid);
                // With a limit: a table's type may contain an array of itself through another type.
                known.put(oid, false);
                found = type != null
                        && (send(type) != null
                                || cube(type)
                                || within(type.base())
                                || within(type.element())
                                || within(type.subtype())
                                || type.types().stream().anyMatch(this::within));
                known.put(oid, found);
            }
            return found;
        }

        private static String send(Type type) {
            return type.schema().equals("pg_catalog") ? RowHash.SEND.get(type.name()) : null;
        }

        private static boolean cube(Type type) {
            return type.name().equals("cube") && !type.schema().equals("pg_catalog");
        }

        /** @param depth of subqueries, each with a name of its own */
        private String text(long oid, String value, int depth) {
            Type type = types.get(oid);
            String each = "e" + depth;
            if (!within(oid)) {
                return value;
            } else if (send(type) != null) {
                return "encode(" + send(type) + "(" + value + "), 'hex')";
            } else if (cube(type)) {
                // This version of the extension has no binary form of cube.
                String schema = Identifiers.quote(type.schema()) + ".";
                return "ROW(" + schema + "cube_is_point(" + value + "), ARRAY(SELECT encode(float8send(" + schema
                        + "cube_coord("
                        + value + ", " + each + ")), 'hex') FROM generate_series(1, 2 * " + schema + "cube_dim(" + value
                        + ")) AS "
                        + each + "))::text";
            } else if (type.base() != 0) {
                return text(type.base(), value, depth);
            } else if (type.subtype() != 0) {
                return "encode(range_send(" + value + "), 'hex')";
            } else if (type.element() != 0) {
                return "CASE WHEN " + value + " IS NOT NULL THEN ROW(array_dims(" + value + "), ARRAY(SELECT "
                        + text(type.element(), each, depth + 1) + " FROM (SELECT unnest(" + value + ") AS " + each
                        + ") AS u" + depth + "))::text END";
            }
            List<String> fields = new ArrayList<>();
            for (int i = 0; i < type.fields().size(); i++) {
                String field =
                        "(" + value + ")." + Identifiers.quote(type.fields().get(i));
                fields.add(text(type.types().get(i), field, depth));
            }
            // A row of NULLs is not NULL itself.
            return "CASE WHEN " + value + " IS DISTINCT FROM NULL THEN ROW(" + String.join(", ", fields)
                    + ")::text END";
        }
    }
}
