package io.wherry.rehearsal.values;

import static org.assertj.core.api.Assertions.assertThat;

import io.wherry.contract.name.TableId;
import io.wherry.contract.postgres.Sessions;
import io.wherry.coordinator.journal.State;
import io.wherry.rehearsal.fixture.MigrationFixture;
import io.wherry.rehearsal.fixture.TopicReplay;
import java.sql.Connection;
import org.junit.jupiter.api.Test;

/** Values that the stream leaves out, because an update did not touch them, stay as they are on the target and in a rebuild. */
class ToastTest {
    @Test
    void unchangedValuesStay() throws Exception {
        try (MigrationFixture migration = new MigrationFixture("toast", 15, 15)) {
            migration.executeFile("toast.sql");
            migration.startCoordinator();
            migration.startSource();
            migration.awaitSlot();
            // A backlog: all changes come to the sink-applier at once.
            migration.executeFile("toast-changes.sql");
            migration.executeFile("toast-changes.sql");
            migration.startSink();
            migration.awaitState(State.IN_SYNC);
            migration.executeFile("toast-changes.sql");
            migration.cutOverAndCompare();
            try (Connection target =
                    Sessions.open(migration.migration(), migration.migration().target(), "test")) {
                TopicReplay replay = new TopicReplay(migration.migration(), target);
                replay.replay();
                assertThat(replay.tables()).hasSize(4);
                for (TableId table : replay.tables()) {
                    replay.assertSameRows(table);
                }
            }
        }
    }
}
