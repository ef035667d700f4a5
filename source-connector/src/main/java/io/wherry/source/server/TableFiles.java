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
 * Which files hold the rows of the tables. A table that is rewritten (a column with a separate default for each row, VACUUM FULL,
 * TRUNCATE) gets another file. So a column that was added without a value, and without another file, is NULL in all earlier rows.
 * Safe for use by several threads.
 */
public final class TableFiles {
    // relfilenode, not pg_relation_filenode(): the function reads the present, relnatts is read in the snapshot. A
    // column that rewrote the table between the two would seem to be newer. Oids of users' tables start at 16384.
    private static final String FILES = """
            SELECT oid::bigint, relfilenode::bigint, relnatts FROM pg_catalog.pg_class WHERE relkind = 'r' AND oid >= 16384
            """;

    /** @param attributes number of the last attribute when the file was first seen, dropped attributes included */
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

    /** Reads the files of all tables. A table that has the same file later was not rewritten since. For one thread. */
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
