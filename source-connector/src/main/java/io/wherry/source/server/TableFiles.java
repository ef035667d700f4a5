package io.wherry.source.server;

import io.wherry.contract.name.TableId;
import java.sql.Connection;
import java.sql.PreparedStatement;
import java.sql.ResultSet;
import java.sql.SQLException;
import java.util.HashMap;
import java.util.Map;
import java.util.concurrent.ConcurrentHashMap;

/**
 * Which files hold the tables' rows. A table whose rows are written anew (a default of its own for each row, VACUUM FULL, TRUNCATE)
 * gets another file, so a column that came to a file without a value of its own is NULL in all rows from before it. Safe for
 * use by several threads.
 */
public final class TableFiles {
    // relfilenode and not pg_relation_filenode(): the function looks at the present, relnatts at the snapshot, and a
    // column that wrote the rows anew between the two would seem to have come later. Objects of users begin at 16384.
    private static final String FILES = """
            SELECT oid::bigint, relfilenode::bigint, relnatts FROM pg_catalog.pg_class WHERE relkind = 'r' AND oid >= 16384
            """;

    /** @param attributes number of the last attribute that the table had when the file was first seen, dropped ones too */
    private record Seen(long file, int attributes) {}

    private final Map<TableId, Long> loaded = new ConcurrentHashMap<>();
    private volatile Map<Long, Seen> seen = Map.of();

    /** The table's rows were loaded from this file. */
    public void loaded(TableId table, long file) {
        loaded.put(table, file);
    }

    /** Tables that were loaded from these files. */
    public void loaded(Map<TableId, Long> files) {
        loaded.putAll(files);
    }

    /** The file that the table was loaded from; null = unknown. */
    public Long loaded(TableId table) {
        return loaded.get(table);
    }

    /** Looks at all tables: a file that is still there later was not written anew since. For one thread. */
    public void look(Connection session) throws SQLException {
        Map<Long, Seen> now = new HashMap<>();
        try (PreparedStatement statement = session.prepareStatement(FILES);
                ResultSet row = statement.executeQuery()) {
            while (row.next()) {
                Seen found = new Seen(row.getLong(2), row.getInt(3));
                Seen before = seen.get(row.getLong(1));
                now.put(row.getLong(1), before != null && before.file() == found.file() ? before : found);
            }
        }
        seen = now;
    }

    /** Whether this file held the table's rows before it had the attribute. */
    public boolean older(long oid, long file, int attribute) {
        Seen first = seen.get(oid);
        return first != null && first.file() == file && first.attributes() < attribute;
    }
}
