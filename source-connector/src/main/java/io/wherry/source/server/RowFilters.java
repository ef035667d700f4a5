package io.wherry.source.server;

import io.wherry.contract.config.Migration;
import io.wherry.contract.error.RetryableException;
import io.wherry.contract.name.TableId;
import io.wherry.contract.postgres.Catalog;
import java.sql.Connection;
import java.sql.PreparedStatement;
import java.sql.ResultSet;
import java.sql.SQLException;
import java.util.HashSet;
import java.util.Set;

/** The row filters of published tables, where a table has another name than when it was published. */
public final class RowFilters {
    private static final int ATTEMPTS = 10;

    private RowFilters() {}

    /**
     * Takes out of the publication each table whose row filter is not the one that the table's name asks for, as after a name
     * went to another table; {@link TablePublishing#publish} adds the table again. To be called before the snapshot of the
     * table's new load.
     */
    public static void takeOutChanged(Connection source, Migration migration, Set<TableId> tables, TableLocks locks)
            throws SQLException {
        if (tables.isEmpty() || Catalog.majorVersion(source) < 15) {
            return;
        }
        Set<TableId> filtered = new HashSet<>();
        try (PreparedStatement statement = source.prepareStatement(
                "SELECT schemaname, tablename FROM pg_catalog.pg_publication_tables WHERE pubname = ? AND rowfilter IS NOT NULL")) {
            statement.setString(1, migration.publication());
            try (ResultSet row = statement.executeQuery()) {
                while (row.next()) {
                    filtered.add(new TableId(row.getString(1), row.getString(2)));
                }
            }
        }
        Set<TableId> published = Publication.published(source, migration);
        for (TableId table : tables) {
            boolean wanted = !migration.tables().whereClause(table).isEmpty();
            if (published.contains(table) && (wanted || filtered.contains(table))) {
                takeOut(source, migration, table, locks);
            }
        }
    }

    /** Nothing of the table may be loaded before: rows that the filter of another table leaves out would be missing. */
    private static void takeOut(Connection source, Migration migration, TableId table, TableLocks locks)
            throws SQLException {
        for (int attempt = 1; attempt <= ATTEMPTS; attempt++) {
            if (locks.attemptAll(
                    source,
                    table.toString(),
                    statement -> statement.execute("ALTER PUBLICATION " + Publication.name(migration)
                            + " DROP TABLE ONLY " + table.quoted()))) {
                return;
            }
            TableLocks.pause("take " + table + " out of the publication");
        }
        throw new RetryableException(
                "take out of the publication", table.toString(), "its lock was not to be had", "See pg_locks");
    }
}
