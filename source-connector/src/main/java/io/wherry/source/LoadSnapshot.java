package io.wherry.source;

import io.wherry.contract.Catalog;
import io.wherry.contract.DataException;
import io.wherry.contract.Identifiers;
import io.wherry.contract.Lsn;
import io.wherry.contract.Migration;
import io.wherry.contract.Sessions;
import io.wherry.contract.TableId;
import io.wherry.source.ReplicationSlot.Exported;
import java.sql.Connection;
import java.sql.PreparedStatement;
import java.sql.ResultSet;
import java.sql.SQLException;
import java.sql.Statement;
import java.util.Comparator;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.stream.Collectors;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * One snapshot that all readers of a load share, kept alive by an idle session. That session is an ordinary one: the
 * replication session that exported the snapshot first may end, and gives its wal sender back, yet a reader that lost its
 * connection hours later can still come in.
 */
final class LoadSnapshot implements AutoCloseable {
    private static final Logger LOG = LoggerFactory.getLogger(LoadSnapshot.class);
    private static final int ATTEMPTS = 5;

    private final Migration migration;
    private final Connection anchor;
    private final String name;
    private final Lsn lsn;
    private final List<Catalog.Table> tables;

    private LoadSnapshot(Migration migration, Connection anchor, String name, Lsn lsn, List<Catalog.Table> tables) {
        this.migration = migration;
        this.anchor = anchor;
        this.name = name;
        this.lsn = lsn;
        this.tables = tables;
    }

    /**
     * Makes a slot and takes the snapshot at the very point where it begins.
     *
     * <p>A table rewritten (ALTER TABLE, TRUNCATE) between the snapshot and our lock on it would look empty to the snapshot,
     * and a rewrite is not in the stream: such a snapshot is dropped and taken anew. Locking before the slot is made would
     * not do: making it waits for a transaction that may wait for our lock.
     *
     * @param permanent make the migration's slot; else a temporary one, only for its snapshot
     * @param wanted tables that will be read
     */
    static LoadSnapshot take(Migration migration, boolean permanent, Set<TableId> wanted) throws SQLException {
        String slot = permanent ? migration.slot() : migration.slot() + "_load";
        for (int attempt = 1; attempt <= ATTEMPTS; attempt++) {
            Connection anchor = Sessions.open(migration, migration.source(), "load snapshot");
            boolean kept = false;
            try (Connection replication = Sessions.openReplication(migration, migration.source(), "slot")) {
                Map<TableId, Long> before = files(anchor);
                LOG.info("making slot {}; this waits for the transactions that run now", slot);
                Exported exported = ReplicationSlot.create(replication, slot, !permanent);
                begin(anchor, exported.snapshot());
                List<Catalog.Table> tables = Catalog.tables(anchor).stream()
                        .filter(table -> wanted.contains(table.id()))
                        .toList();
                lock(anchor, tables);
                if (sameFiles(tables, before, files(anchor))) {
                    kept = true;
                    return new LoadSnapshot(migration, anchor, export(anchor), exported.snapshotLsn(), tables);
                }
                LOG.info("a table was rewritten meanwhile: taking the snapshot anew");
            } finally {
                if (!kept) {
                    Quietly.close(anchor);
                }
            }
            if (permanent) {
                try (Connection session = Sessions.open(migration, migration.source(), "slot")) {
                    ReplicationSlot.drop(session, slot);
                }
            }
        }
        throw new DataException(
                "take the load's snapshot",
                slot,
                "tables were rewritten during each of " + ATTEMPTS + " attempts",
                "Hold back ALTER TABLE, TRUNCATE and VACUUM FULL until the load has begun");
    }

    /** A new session that sees exactly this snapshot. */
    Connection open(String purpose) throws SQLException {
        Connection session = Sessions.open(migration, migration.source(), purpose);
        try {
            begin(session, name);
            return session;
        } catch (SQLException e) {
            Quietly.close(session);
            throw e;
        }
    }

    /** The session that keeps the snapshot. */
    Connection session() {
        return anchor;
    }

    /** The last commit LSN that the snapshot holds. */
    Lsn lsn() {
        return lsn;
    }

    /** The wanted tables, the largest first. */
    List<Catalog.Table> tables() {
        return tables.stream()
                .sorted(Comparator.comparingLong(Catalog.Table::bytes).reversed())
                .toList();
    }

    private static void begin(Connection session, String snapshot) throws SQLException {
        try (Statement statement = session.createStatement()) {
            statement.execute("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY");
            statement.execute("SET TRANSACTION SNAPSHOT " + Identifiers.literal(snapshot));
        }
    }

    private static String export(Connection session) throws SQLException {
        try (Statement statement = session.createStatement();
                ResultSet row = statement.executeQuery("SELECT pg_catalog.pg_export_snapshot()")) {
            row.next();
            return row.getString(1);
        }
    }

    private static void lock(Connection session, List<Catalog.Table> tables) throws SQLException {
        if (tables.isEmpty()) {
            return;
        }
        try (Statement statement = session.createStatement()) {
            statement.execute("LOCK TABLE "
                    + tables.stream().map(t -> "ONLY " + t.id().quoted()).collect(Collectors.joining(", "))
                    + " IN ACCESS SHARE MODE");
        }
    }

    // The function looks at the present, whatever the transaction's snapshot.
    private static Map<TableId, Long> files(Connection session) throws SQLException {
        Map<TableId, Long> files = new HashMap<>();
        try (PreparedStatement statement = session.prepareStatement("SELECT n.nspname, c.relname,"
                        + " pg_catalog.pg_relation_filenode(c.oid) FROM pg_catalog.pg_class c"
                        + " JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace WHERE c.relkind = 'r'");
                ResultSet row = statement.executeQuery()) {
            while (row.next()) {
                files.put(new TableId(row.getString(1), row.getString(2)), row.getLong(3));
            }
        }
        return files;
    }

    private static boolean sameFiles(List<Catalog.Table> tables, Map<TableId, Long> before, Map<TableId, Long> after) {
        return tables.stream()
                .allMatch(t -> before.containsKey(t.id()) && before.get(t.id()).equals(after.get(t.id())));
    }

    @Override
    public void close() {
        Quietly.close(anchor);
    }
}
