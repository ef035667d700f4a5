package io.wherry.coordinator.whole;

import io.wherry.coordinator.sql.Queries;
import io.wherry.coordinator.thread.Beside;
import java.sql.Connection;
import java.sql.SQLException;
import java.util.HashMap;
import java.util.Map;

/**
 * What the catalogs of both sides say about the shape of each table, as texts that are only compared with one another: name, columns
 * with their types, and the indexes that identify rows. Cheap, and no table's lock delays the answer: so the window can ask whether
 * the statements that the proof has made still fit the tables.
 *
 * @param ofSource by the table's oid; {@link #FIELDS} for all fields of all types
 * @param ofTarget likewise
 */
public record TableShapes(Map<Long, String> ofSource, Map<Long, String> ofTarget) {
    public static final TableShapes NONE = new TableShapes(Map.of(), Map.of());

    /** Stands for the fields of all composite types, those of tables' rows included. */
    private static final long FIELDS = 0;

    private static final String ALL_FIELDS = """
            SELECT concat_ws(' ', count(*), sum(hashtext(f)::bigint), sum(hashtext(f || '.')::bigint))
              FROM (SELECT concat_ws(' ', a.attrelid, a.attnum, quote_ident(a.attname), a.atttypid, a.attisdropped) AS f
                      FROM pg_attribute a JOIN pg_class c ON c.oid = a.attrelid JOIN pg_namespace n ON n.oid = c.relnamespace
                     WHERE a.attnum > 0 AND c.reltype <> 0 AND c.relpersistence <> 't'
                       AND n.nspname NOT LIKE 'pg\\_%' AND n.nspname NOT IN ('information_schema', 'wherry')) fields
            """;

    // Dropped columns too: a column that is dropped and made again is another one.
    private static final String SHAPES = """
            SELECT c.oid::bigint, concat_ws(' ', quote_ident(n.nspname), quote_ident(c.relname), c.relkind, c.relreplident,
                     c.relispartition, coalesce((SELECT string_agg(concat_ws(' ', a.attnum, quote_ident(a.attname), a.atttypid,
                                                            a.atttypmod, a.attcollation, a.attisdropped), ',' ORDER BY a.attnum)
                                                   FROM pg_attribute a WHERE a.attrelid = c.oid AND a.attnum > 0), ''),
                     coalesce((SELECT string_agg(concat_ws(' ', i.indexrelid, i.indkey, i.indisprimary, i.indisreplident,
                                                   i.indimmediate, i.indisvalid), ',' ORDER BY i.indexrelid)
                                 FROM pg_index i WHERE i.indrelid = c.oid AND (i.indisprimary OR i.indisreplident)), ''))
              FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
             WHERE c.relkind IN ('r', 'p') AND c.relpersistence <> 't'
               AND n.nspname NOT LIKE 'pg\\_%' AND n.nspname NOT IN ('information_schema', 'wherry')
            """;

    /**
     * @param beside the thread on which the source is asked
     * @param fields whether the fields of types are needed too
     */
    public static TableShapes read(Connection source, Connection target, Beside beside, boolean fields)
            throws SQLException {
        return beside.both(() -> of(source, fields), () -> of(target, fields), TableShapes::new);
    }

    private static Map<Long, String> of(Connection side, boolean fields) throws SQLException {
        Map<Long, String> shapes = new HashMap<>();
        Queries.list(side, row -> shapes.put(row.getLong(1), row.getString(2)), SHAPES);
        if (fields) {
            shapes.put(FIELDS, Queries.string(side, ALL_FIELDS).orElse(""));
        }
        return shapes;
    }

    /** Whether all types had the same fields on both sides when these and the other shapes were read. */
    public boolean agreeOnFields(TableShapes other) {
        return agreeOn(FIELDS, FIELDS, other);
    }

    /** Whether the table of these oids had the same shape on both sides when these and the other shapes were read. */
    public boolean agreeOn(long source, long target, TableShapes other) {
        return same(ofSource, other.ofSource, source) && same(ofTarget, other.ofTarget, target);
    }

    private static boolean same(Map<Long, String> shapes, Map<Long, String> others, long oid) {
        String shape = shapes.get(oid);
        return shape != null && shape.equals(others.get(oid));
    }
}
