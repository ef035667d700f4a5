package io.wherry.sink.write;

import io.wherry.contract.name.TableId;
import io.wherry.contract.postgres.Lsn;
import io.wherry.contract.record.SchemaEvent;
import java.sql.Connection;
import java.sql.PreparedStatement;
import java.sql.ResultSet;
import java.sql.SQLException;
import java.util.ArrayList;
import java.util.List;
import java.util.Set;

/**
 * Notes the default and NOT NULL of columns that came with a change. A rebuild gets the same column by the same change, unless the
 * table was re-loaded since: then the column comes with the load, which names neither.
 */
final class AddedColumns {
    // The objects in the words of the coordinator (SchemaAdditions), whose later events about them take the place of
    // these.
    private static final String PROPERTIES = """
            SELECT a.attname, (SELECT max(generation) FROM wherry.journal),
                   format('default of column %I of %I.%I', a.attname, n.nspname, c.relname),
                   format('ALTER TABLE %I.%I ALTER COLUMN %I SET DEFAULT %s', n.nspname, c.relname, a.attname,
                          pg_get_expr(d.adbin, d.adrelid)), d.oid IS NOT NULL,
                   format('NOT NULL of column %I of %I.%I', a.attname, n.nspname, c.relname),
                   format('ALTER TABLE %I.%I ALTER COLUMN %I SET NOT NULL', n.nspname, c.relname, a.attname), a.attnotnull
              FROM pg_attribute a JOIN pg_class c ON c.oid = a.attrelid JOIN pg_namespace n ON n.oid = c.relnamespace
              LEFT JOIN pg_attrdef d ON d.adrelid = c.oid AND d.adnum = a.attnum
             WHERE c.oid = to_regclass(?) AND a.attnum > 0 AND NOT a.attisdropped
            """;

    private AddedColumns() {}

    /**
     * The events, which the caller writes at the end of its transaction.
     *
     * @param before names of the columns that are older
     * @param asOf commit LSN of the change
     */
    static List<SchemaEvent> read(Connection target, TableId table, Set<String> before, Lsn asOf) throws SQLException {
        List<SchemaEvent> events = new ArrayList<>();
        try (PreparedStatement statement = target.prepareStatement(PROPERTIES)) {
            statement.setString(1, table.quoted());
            try (ResultSet row = statement.executeQuery()) {
                while (row.next()) {
                    if (before.contains(row.getString(1))) {
                        continue;
                    }
                    int generation = row.getInt(2);
                    if (row.getBoolean(5)) {
                        events.add(SchemaEvent.followed(
                                generation, asOf, row.getString(3), table, row.getString(4), false));
                    }
                    if (row.getBoolean(8)) {
                        events.add(SchemaEvent.followed(
                                generation, asOf, row.getString(6), table, row.getString(7), false));
                    }
                }
            }
        }
        return events;
    }
}
