package io.wherry.source.debezium;

import io.debezium.connector.postgresql.connection.Lsn;
import io.debezium.connector.postgresql.connection.ReplicationConnection;
import io.debezium.connector.postgresql.connection.ReplicationStream;
import io.debezium.connector.postgresql.connection.WalPositionLocator;
import io.debezium.connector.postgresql.spi.SlotCreationResult;
import io.debezium.jdbc.JdbcConnection;
import io.wherry.contract.error.DataException;
import io.wherry.contract.error.RetryableException;
import io.wherry.contract.postgres.Timeline;
import io.wherry.contract.service.Resources;
import java.lang.reflect.Field;
import java.sql.SQLException;
import java.util.Optional;

/**
 * Debezium's replication connection, which cannot create a slot. Debezium creates a missing slot and streams from there on: what
 * was committed between the loss of the slot and its creation would be missing, without an error.
 */
final class SlotKeepingConnection implements ReplicationConnection {
    /** The private field that shows that a slot was created; a contract test checks it. */
    static final String CREATION_FIELD = "slotCreationInfo";

    private final ReplicationConnection connection;
    private final TaskInputs handed;

    SlotKeepingConnection(ReplicationConnection connection, TaskInputs handed) {
        this.connection = connection;
        this.handed = handed;
    }

    @Override
    public Optional<SlotCreationResult> createReplicationSlot() {
        throw slotLost();
    }

    @Override
    public ReplicationStream startStreaming(WalPositionLocator locator) throws SQLException, InterruptedException {
        prepare();
        return new PromptStream(connection.startStreaming(locator), handed.decoder(), handed.pulse());
    }

    @Override
    public ReplicationStream startStreaming(Lsn offset, WalPositionLocator locator)
            throws SQLException, InterruptedException {
        prepare();
        return new PromptStream(connection.startStreaming(offset, locator), handed.decoder(), handed.pulse());
    }

    @Override
    public void initConnection() throws SQLException, InterruptedException {
        connection.initConnection();
        requireOldSlot();
    }

    private void prepare() throws SQLException, InterruptedException {
        initConnection();
        // Debezium gives this session another name, under which the fence would end the session.
        if (connection instanceof JdbcConnection session) {
            session.execute(
                    EngineSettings.sessionStatements(handed.application()).toArray(String[]::new));
            session.query("IDENTIFY_SYSTEM", row -> {
                row.next();
                requireTimeline(new Timeline(row.getString("systemid"), row.getInt("timeline")));
            });
        }
    }

    /** Between the check of the source and this connection, another server may have taken the address of the source. */
    private void requireTimeline(Timeline now) {
        if (!handed.timeline().equals(now)) {
            throw new RetryableException(
                    "stream changes",
                    "the source",
                    "it was on timeline " + handed.timeline().number() + " and is now on timeline " + now.number(),
                    "");
        }
    }

    // If the slot vanished since the last check, the connection calls its own method createReplicationSlot, and not
    // the one above.
    private void requireOldSlot() {
        try {
            Field created = connection.getClass().getDeclaredField(CREATION_FIELD);
            created.setAccessible(true);
            if (created.get(connection) != null) {
                throw slotLost();
            }
        } catch (ReflectiveOperationException e) {
            throw new IllegalStateException("this version of Debezium records a created slot elsewhere", e);
        }
    }

    private static DataException slotLost() {
        return new DataException(
                "stream changes",
                "the replication slot",
                "it no longer exists, so changes are lost",
                "Start the migration from the beginning: drop slot and publication, delete this migration's topics, empty the"
                        + " target, then start");
    }

    @Override
    public boolean isConnected() throws SQLException {
        return connection.isConnected();
    }

    @Override
    public void reconnect() throws SQLException {
        connection.reconnect();
    }

    @Override
    public void close() {
        Resources.closeQuietly(connection);
    }
}
