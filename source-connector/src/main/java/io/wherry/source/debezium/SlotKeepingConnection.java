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
 * Debezium's replication connection, unable to create a slot. Debezium creates a missing one and streams from now on:
 * everything committed between the loss and then would be missing, without a word.
 */
final class SlotKeepingConnection implements ReplicationConnection {
    /** The private field that says that a slot was created; a contract test watches over it. */
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
        // Debezium gives this session a name of its own, under which the fence would end it.
        if (connection instanceof JdbcConnection session) {
            session.execute(
                    EngineSettings.sessionStatements(handed.application()).toArray(String[]::new));
            session.query("IDENTIFY_SYSTEM", row -> {
                row.next();
                requireTimeline(new Timeline(row.getString("systemid"), row.getInt("timeline")));
            });
        }
    }

    /** Between the look at the source and this connection another server may have taken its address. */
    private void requireTimeline(Timeline now) {
        if (!handed.timeline().equals(now)) {
            throw new RetryableException(
                    "stream changes",
                    "the source",
                    "it was on timeline " + handed.timeline().number() + " and is on " + now.number() + " now",
                    "");
        }
    }

    // The connection calls its own createReplicationSlot, past the one above, when the slot vanished since the last
    // look.
    private void requireOldSlot() {
        try {
            Field created = connection.getClass().getDeclaredField(CREATION_FIELD);
            created.setAccessible(true);
            if (created.get(connection) != null) {
                throw slotLost();
            }
        } catch (ReflectiveOperationException e) {
            throw new IllegalStateException("this version of Debezium notes a created slot elsewhere", e);
        }
    }

    private static DataException slotLost() {
        return new DataException(
                "stream changes",
                "the replication slot",
                "it is gone, so changes were lost",
                "Migrate anew: drop slot and publication, delete this migration's topics, empty the target, start again");
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
