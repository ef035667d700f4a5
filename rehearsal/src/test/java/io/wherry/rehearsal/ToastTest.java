package io.wherry.rehearsal;

import io.wherry.coordinator.State;
import org.junit.jupiter.api.Test;

/** Values that the stream leaves out because an update did not touch them stay as they are on the target. */
class ToastTest {
    @Test
    void unchangedValuesStay() throws Exception {
        try (MigrationFixture migration = new MigrationFixture("toast", 15, 15)) {
            migration.executeFile("toast.sql");
            migration.startCoordinator();
            migration.startSource();
            migration.awaitSlot();
            // A backlog: all of it comes to the sink-applier at once.
            migration.executeFile("toast-changes.sql");
            migration.executeFile("toast-changes.sql");
            migration.startSink();
            migration.awaitState(State.IN_SYNC);
            migration.executeFile("toast-changes.sql");
            migration.cutOverAndCompare();
        }
    }
}
