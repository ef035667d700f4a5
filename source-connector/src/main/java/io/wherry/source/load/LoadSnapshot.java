package io.wherry.source.load;

import io.wherry.contract.config.CaptureGroup;
import io.wherry.contract.error.RetryableException;
import io.wherry.contract.name.Identifiers;
import io.wherry.contract.name.TableId;
import io.wherry.contract.postgres.CatalogTable;
import io.wherry.contract.postgres.Lsn;
import io.wherry.contract.postgres.SelectedTables;
import io.wherry.contract.postgres.Timeline;
import io.wherry.source.control.ColumnNumbers;
import io.wherry.source.server.OpenSessions;
import io.wherry.source.server.ReplicationSlot;
import io.wherry.source.server.ReplicationSlot.Exported;
import io.wherry.source.server.SlotProof;
import io.wherry.source.server.SourceAccess;
import io.wherry.source.server.Timelines;
import java.sql.Connection;
import java.sql.PreparedStatement;
import java.sql.ResultSet;
import java.sql.SQLException;
import java.sql.Statement;
import java.util.Comparator;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * One snapshot that all readers of a load share. An idle session keeps the snapshot. This session is an ordinary one: the
 * replication session that first exported the snapshot may end, which frees its wal sender, and a reader that loses its connection
 * hours later can still enter the snapshot.
 *
 * <p>No table is locked for longer than the read of one chunk. The session that keeps the snapshot must not hold table locks at all:
 * a TRUNCATE would wait for the session, the readers would wait for the TRUNCATE, and the session waits for the readers.
 */
public final class LoadSnapshot implements AutoCloseable {
    private static final Logger LOG = LoggerFactory.getLogger(LoadSnapshot.class);

    private static final int MOST_ATTEMPTS = 20;
    private static final int LOCK_SECONDS = 10;
    private final CaptureGroup group;
    private final OpenSessions sessions;
    private final Connection anchor;
    private final String name;
    private final Lsn lsn;
    private final Timeline timeline;
    private final Map<Long, Long> files;
    private final AlterationCheck present;

    private LoadSnapshot(
            CaptureGroup group,
            OpenSessions sessions,
            Connection anchor,
            String name,
            Lsn lsn,
            Timeline timeline,
            Map<Long, Long> files) {
        this.group = group;
        this.sessions = sessions;
        this.anchor = anchor;
        this.name = name;
        this.lsn = lsn;
        this.timeline = timeline;
        this.files = files;
        present = new AlterationCheck(sessions);
    }

    /**
     * Creates a slot, and takes the snapshot at the point where the slot starts.
     *
     * <p>The migration's slot is re-created if it cannot be decoded ({@link SlotProof}).
     *
     * @param permanent true = create the migration's slot; false = create a temporary slot, only for its snapshot
     * @throws RetryableException when the slot could not be decoded in any of many attempts
     */
    public static LoadSnapshot take(SourceAccess source, boolean permanent) throws SQLException {
        CaptureGroup group = source.group();
        OpenSessions sessions = source.sessions();
        String slot = permanent ? group.slot() : group.slot() + "_load";
        String problem = "";
        for (int attempt = 1; attempt <= MOST_ATTEMPTS; attempt++) {
            Connection anchor = sessions.open("load snapshot");
            Connection replication = null;
            boolean kept = false;
            try {
                Map<Long, Long> files = files(anchor);
                SlotProof proof = permanent ? SlotProof.begin(anchor) : null;
                replication = sessions.openReplication("slot");
                LOG.info("creating slot {}; this waits for running transactions", slot);
                Exported exported = ReplicationSlot.create(replication, slot, !permanent);
                begin(anchor, exported.snapshot());
                problem = permanent ? proof.problem(group, anchor, sessions, source.locks()) : "";
                if (problem.isEmpty()) {
                    LoadSnapshot snapshot = new LoadSnapshot(
                            group,
                            sessions,
                            anchor,
                            export(anchor),
                            exported.snapshotLsn(),
                            Timelines.read(anchor).timeline(),
                            files);
                    kept = true;
                    return snapshot;
                }
            } finally {
                sessions.release(replication);
                if (!kept) {
                    sessions.release(anchor);
                }
            }
            LOG.warn("while slot {} was created, {}; re-creating the slot", slot, problem);
            drop(sessions, slot);
        }
        throw new RetryableException("create", "slot " + slot, problem, "Stop these changes for some minutes");
    }

    private static void drop(OpenSessions sessions, String slot) throws SQLException {
        Connection session = sessions.open("slot");
        try {
            ReplicationSlot.drop(session, slot);
        } finally {
            sessions.release(session);
        }
    }

    /** Opens a session for {@link #enter}. */
    Connection open(String purpose) throws SQLException {
        return sessions.open(purpose);
    }

    /** Whether the load is being aborted. */
    boolean closed() {
        return sessions.closed();
    }

    void release(Connection session) {
        sessions.release(session);
    }

    /** Begins a transaction that sees exactly this snapshot. */
    void enter(Connection session) throws SQLException {
        begin(session, name);
    }

    void leave(Connection session) throws SQLException {
        try (Statement statement = session.createStatement()) {
            statement.execute("COMMIT");
        }
    }

    /** Why the rows that a session has read of a chunk are not those of the snapshot, by {@link AlterationCheck}; empty = they are. */
    Optional<String> altered(Chunk chunk, ColumnNumbers read) throws SQLException {
        return present.altered(chunk, file(chunk.oid()), read);
    }

    /** Number of the file that holds the table's rows in the snapshot; 0 = none. */
    long file(long oid) {
        return files.getOrDefault(oid, 0L);
    }

    /** The session that keeps the snapshot. */
    public Connection session() {
        return anchor;
    }

    /** The last commit LSN that the snapshot holds. */
    public Lsn lsn() {
        return lsn;
    }

    /** The timeline of the server whose snapshot it is. */
    public Timeline timeline() {
        return timeline;
    }

    /** The wanted tables that the snapshot holds, the largest first. */
    List<CatalogTable> tables(Set<TableId> wanted) throws SQLException {
        return SelectedTables.read(anchor, group.migration()).stream()
                .filter(table -> wanted.contains(table.id()))
                .sorted(Comparator.comparingLong(CatalogTable::bytes).reversed())
                .toList();
    }

    private static void begin(Connection session, String snapshot) throws SQLException {
        try (Statement statement = session.createStatement()) {
            statement.execute("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY");
            statement.execute("SET TRANSACTION SNAPSHOT " + Identifiers.literal(snapshot));
            // A table that another session keeps locked must not block the chunks of all other tables forever.
            statement.execute("SET LOCAL lock_timeout = '" + LOCK_SECONDS + "s'");
        }
    }

    private static String export(Connection session) throws SQLException {
        try (Statement statement = session.createStatement();
                ResultSet row = statement.executeQuery("SELECT pg_catalog.pg_export_snapshot()")) {
            row.next();
            return row.getString(1);
        }
    }

    private static Map<Long, Long> files(Connection session) throws SQLException {
        Map<Long, Long> files = new HashMap<>();
        try (PreparedStatement statement =
                        session.prepareStatement("SELECT oid::bigint, pg_catalog.pg_relation_filenode(oid)::bigint"
                                + " FROM pg_catalog.pg_class WHERE relkind = 'r'");
                ResultSet row = statement.executeQuery()) {
            while (row.next()) {
                files.put(row.getLong(1), row.getLong(2));
            }
        }
        return files;
    }

    @Override
    public void close() {
        sessions.release(anchor);
        present.close();
    }
}
