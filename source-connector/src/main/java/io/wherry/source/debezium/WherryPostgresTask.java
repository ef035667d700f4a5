package io.wherry.source.debezium;

import io.debezium.connector.postgresql.PostgresConnectorConfig;
import io.debezium.connector.postgresql.PostgresConnectorTask;
import io.debezium.connector.postgresql.PostgresSchema;
import io.debezium.connector.postgresql.TypeRegistry;
import io.debezium.connector.postgresql.connection.Lsn;
import io.debezium.connector.postgresql.connection.MessageDecoderContext;
import io.debezium.connector.postgresql.connection.PostgresConnection;
import io.debezium.connector.postgresql.connection.ReplicationConnection;
import io.debezium.connector.postgresql.connection.ReplicationStream.ReplicationMessageProcessor;
import io.debezium.connector.postgresql.connection.WalPositionLocator;
import io.debezium.connector.postgresql.connection.pgoutput.PgOutputMessageDecoder;
import io.wherry.source.decode.RowDecoder;
import java.lang.reflect.Field;
import java.nio.ByteBuffer;
import java.sql.SQLException;
import java.time.Duration;

/**
 * Debezium's task with Wherry's decoder in its stream. Debezium keeps the connection and the keep-alive, reads transaction
 * boundaries, and moves the slot. Rows go to {@link RowDecoder} and never become Debezium's records. Public because Debezium creates
 * the object by the name of the class.
 */
public final class WherryPostgresTask extends PostgresConnectorTask {
    /** The private field that holds the decoder; a contract test checks it. */
    static final String DECODER_FIELD = "messageDecoder";

    private static final Duration STATUS_INTERVAL = Duration.ofSeconds(1);

    @Override
    protected ReplicationConnection buildReplicationConnection(
            PostgresConnection jdbc, PostgresSchema schema, PostgresConnectorConfig config) throws SQLException {
        ReplicationConnection connection = ReplicationConnection.builder(config)
                .withSlot(config.slotName())
                .withPublication(config.publicationName())
                .withTableFilter(config.getTableFilters())
                .withPublicationAutocreateMode(PostgresConnectorConfig.AutoCreateMode.DISABLED)
                .withPlugin(config.plugin())
                .dropSlotOnClose(false)
                .createFailOverSlot(false)
                .statusUpdateInterval(STATUS_INTERVAL)
                .withTypeRegistry(jdbc.getTypeRegistry())
                .withSchema(schema)
                .jdbcMetadataConnection(jdbc)
                .build();
        TaskInputs handed = TaskInputs.fetch(config.getLogicalName());
        replaceDecoder(connection, new Decoder(new MessageDecoderContext(config, schema), jdbc, handed.decoder()));
        return new SlotKeepingConnection(connection, handed);
    }

    private static void replaceDecoder(ReplicationConnection connection, Decoder decoder) {
        try {
            Field field = connection.getClass().getDeclaredField(DECODER_FIELD);
            field.setAccessible(true);
            field.set(connection, decoder);
        } catch (ReflectiveOperationException e) {
            throw new IllegalStateException("this version of Debezium keeps its decoder elsewhere", e);
        }
    }

    private static final class Decoder extends PgOutputMessageDecoder {
        private final RowDecoder rows;
        private long lsn;

        Decoder(MessageDecoderContext context, PostgresConnection connection, RowDecoder rows) {
            super(context, connection);
            this.rows = rows;
        }

        @Override
        public boolean shouldMessageBeSkipped(ByteBuffer message, Lsn received, Lsn start, WalPositionLocator locator) {
            // Called for each message before it is processed.
            lsn = received.asLong();
            return super.shouldMessageBeSkipped(message, received, start, locator);
        }

        @Override
        public void processNotEmptyMessage(
                ByteBuffer message, ReplicationMessageProcessor processor, TypeRegistry types)
                throws SQLException, InterruptedException {
            if (!rows.take(message, lsn)) {
                super.processNotEmptyMessage(message, processor, types);
            }
        }
    }
}
