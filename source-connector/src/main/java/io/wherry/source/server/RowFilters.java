package io.wherry.source.server;

import io.wherry.contract.config.CaptureGroup;
import io.wherry.contract.error.RetryableException;
import io.wherry.contract.name.TableId;
import io.wherry.contract.postgres.ServerVersion;
import java.sql.Connection;
import java.sql.PreparedStatement;
import java.sql.ResultSet;
import java.sql.SQLException;
import java.util.HashSet;
import java.util.Set;

/** The row filters of published tables that now have another name than when they were published. */
public final class RowFilters {
    private static final int ATTEMPTS = 10;

    private RowFilters() {}

    /**
     * Removes from the publication each table that may have the row filter of another name, because a name moved to another table.
     * {@link TablePublishing#publish} adds the table again. Must be called before the snapshot of the table's new load.
     */
    public static void takeOutChanged(Connection source, CaptureGroup group, Set<TableId> tables, TableLocks locks)
            throws SQLException {
        if (tables.isEmpty() || ServerVersion.major(source) < 15) {
            return;
        }
        Set<TableId> filtered = new HashSet<>();
        try (PreparedStatement statement = source.prepareStatement(
                "SELECT schemaname, tablename FROM pg_catalog.pg_publication_tables WHERE pubname = ? AND rowfilter IS NOT NULL")) {
            statement.setString(1, group.publication());
            try (ResultSet row = statement.executeQuery()) {
                while (row.next()) {
                    filtered.add(new TableId(row.getString(1), row.getString(2)));
                }
            }
        }
        Set<TableId> published = Publication.published(source, group);
        for (TableId table : tables) {
            boolean wanted = !group.migration().tables().whereClause(table).isEmpty();
            if (published.contains(table) && (wanted || filtered.contains(table))) {
                takeOut(source, group, table, locks);
            }
        }
    }

    /** The table must not be loaded before this: rows that the filter of another table leaves out would be missing. */
    private static void takeOut(Connection source, CaptureGroup group, TableId table, TableLocks locks)
            throws SQLException {
        for (int attempt = 1; attempt <= ATTEMPTS; attempt++) {
            if (locks.attemptAll(
                    source,
                    table.toString(),
                    statement -> statement.execute(
                            "ALTER PUBLICATION " + Publication.name(group) + " DROP TABLE ONLY " + table.quoted()))) {
                return;
            }
            TableLocks.pause("remove " + table + " from the publication");
        }
        throw new RetryableException(
                "remove from the publication", table.toString(), "the table could not be locked", "See pg_locks");
    }
}
