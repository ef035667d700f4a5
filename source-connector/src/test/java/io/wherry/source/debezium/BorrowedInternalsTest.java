package io.wherry.source.debezium;

import static org.assertj.core.api.Assertions.assertThat;

import io.wherry.source.load.CopyStream;
import java.lang.reflect.Modifier;
import org.junit.jupiter.api.Test;
import org.postgresql.core.PGStream;
import org.postgresql.core.QueryExecutorBase;

/** Checks the few internals of Debezium and pgjdbc that Wherry uses: after an upgrade this test shows what has changed. */
final class BorrowedInternalsTest {
    private static final Class<?> CONNECTION;

    static {
        try {
            CONNECTION = Class.forName("io.debezium.connector.postgresql.connection.PostgresReplicationConnection");
        } catch (ClassNotFoundException e) {
            throw new AssertionError(e);
        }
    }

    @Test
    void debeziumKeepsItsDecoderInAFieldThatTakesWherrys() throws Exception {
        var field = CONNECTION.getDeclaredField(WherryPostgresTask.DECODER_FIELD);
        assertThat(field.getType()).isEqualTo(io.debezium.connector.postgresql.connection.MessageDecoder.class);
        assertThat(Modifier.isStatic(field.getModifiers())).isFalse();
    }

    @Test
    void debeziumNotesASlotThatItCreated() throws Exception {
        assertThat(CONNECTION
                        .getDeclaredField(SlotKeepingConnection.CREATION_FIELD)
                        .getType())
                .isEqualTo(io.debezium.connector.postgresql.spi.SlotCreationResult.class);
    }

    @Test
    void debeziumSelectsTheLabelsOfTypesInTheWordsThatWherryReplaces() throws Exception {
        var query = io.debezium.connector.postgresql.TypeRegistry.class.getDeclaredField("SQL_TYPES");
        query.setAccessible(true);
        assertThat((String) query.get(null)).containsOnlyOnce(LabelTolerantConnections.LABELS);
    }

    @Test
    void theDriverKeepsItsStreamWhereWherryReadsIt() throws Exception {
        assertThat(QueryExecutorBase.class
                        .getDeclaredField(CopyStream.STREAM_FIELD)
                        .getType())
                .isEqualTo(PGStream.class);
    }
}
