package io.wherry.rehearsal.load;

import static org.assertj.core.api.Assertions.assertThat;
import static org.awaitility.Awaitility.await;

import io.wherry.coordinator.journal.State;
import io.wherry.rehearsal.fixture.MigrationFixture;
import java.time.Duration;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Two instances of a service: the second acts when the first is dead, and a first that comes back does nothing. That this takes
 * less than ten seconds follows from the settings of the lock's session, which {@code SessionsTest} asserts. The time it took is
 * only logged, as it depends on the other load of the machine. {@code StandbyCoordinatorTest} shows the same for coordinators.
 */
class StandbyTest {
    private static final Logger LOG = LoggerFactory.getLogger(StandbyTest.class);
    private static final String APPLIED = "SELECT coalesce(sum(inserts + updates + deletes), 0) FROM wherry.relation";

    @Test
    @Tag("slow")
    void killedOnesAreReplacedAndStoppedOnesComeBackTooLate() throws Exception {
        try (MigrationFixture migration = new MigrationFixture("standby", 15, 15)) {
            migration.fillWithSample(20_000);
            migration.file("");
            migration.startCoordinator();
            migration.startTwin("source", "source");
            migration.startTwin("sink", "sink");
            migration.awaitState(State.CATCHING_UP);
            migration.startTwin("source-2", "source");
            migration.startTwin("sink-2", "sink");
            migration.keepWriting(50);
            awaitMoreApplied(migration);

            migration.kill("source");
            awaitTakenOver(migration, "source");
            migration.kill("sink");
            awaitTakenOver(migration, "sink");

            migration.startTwin("source", "source");
            migration.startTwin("sink", "sink");
            migration.signal("source-2", "STOP");
            migration.endLockSession(migration.migration().source(), "source lock");
            awaitTakenOver(migration, "source");
            migration.signal("sink-2", "STOP");
            migration.endLockSession(migration.migration().target(), "sink");
            awaitTakenOver(migration, "sink");
            migration.signal("source-2", "CONT");
            migration.signal("sink-2", "CONT");
            awaitMoreApplied(migration);
            awaitMoreApplied(migration);

            migration.awaitState(State.IN_SYNC);
            migration.stopWriting();
            // Once the switch has ended the acting instances, it ends these as well.
            assertThat(migration.isAlive("source-2")).as("is a standby").isTrue();
            assertThat(migration.isAlive("sink-2")).as("is a standby").isTrue();
            migration.cutOverAndCompare();
        }
    }

    private static void awaitTakenOver(MigrationFixture migration, String what) {
        long began = System.nanoTime();
        awaitMoreApplied(migration);
        LOG.info("{}: changes continue after {} ms", what, (System.nanoTime() - began) / 1_000_000);
    }

    private static void awaitMoreApplied(MigrationFixture migration) {
        // Twenty: more changes than can still be in progress.
        long before = migration.numberFromTarget(APPLIED);
        await("changes continue")
                .atMost(MigrationFixture.PATIENCE)
                .pollInterval(Duration.ofMillis(20))
                .until(() -> migration.numberFromTarget(APPLIED) > before + 200);
    }
}
