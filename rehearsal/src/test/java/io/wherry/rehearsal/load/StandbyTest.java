package io.wherry.rehearsal.load;

import static org.assertj.core.api.Assertions.assertThat;
import static org.awaitility.Awaitility.await;

import io.wherry.contract.config.Endpoint;
import io.wherry.contract.config.Migration;
import io.wherry.contract.postgres.Sessions;
import io.wherry.coordinator.journal.State;
import io.wherry.rehearsal.fixture.MigrationFixture;
import java.sql.Connection;
import java.sql.ResultSet;
import java.sql.SQLException;
import java.sql.Statement;
import java.time.Duration;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Two instances of a service: the second acts when the first is dead, and a first that comes back does nothing. That this takes
 * less than ten seconds follows from the settings of the lock's session, which are asserted; the time it took is only logged, as
 * it depends on what else the machine has to do. {@code StandbyCoordinatorTest} shows the same of coordinators.
 */
class StandbyTest {
    private static final Logger LOG = LoggerFactory.getLogger(StandbyTest.class);
    private static final String APPLIED = "SELECT coalesce(sum(inserts + updates + deletes), 0) FROM wherry.relation";

    @Test
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
            assertLockIsFreeWithinTenSeconds(migration);
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
            // Once the switch has ended those that act, it ends these as well.
            assertThat(migration.isAlive("source-2")).as("stands by").isTrue();
            assertThat(migration.isAlive("sink-2")).as("stands by").isTrue();
            migration.cutOverAndCompare();
        }
    }

    /** Of a killed process the server hears at once; of a machine that is gone by its own looking. */
    private static void assertLockIsFreeWithinTenSeconds(MigrationFixture migration) throws SQLException {
        Migration settings = migration.migration();
        for (Endpoint endpoint : List.of(settings.source(), settings.target())) {
            try (Connection lock = Sessions.openLock(settings, endpoint, "test");
                    Statement statement = lock.createStatement();
                    ResultSet row = statement.executeQuery("SELECT 1000 * (current_setting('tcp_keepalives_idle')::int"
                            + " + current_setting('tcp_keepalives_interval')::int"
                            + " * current_setting('tcp_keepalives_count')::int),"
                            + " (SELECT setting::int FROM pg_settings WHERE name = 'tcp_user_timeout')")) {
                row.next();
                assertThat(row.getLong(1)).isPositive().isLessThan(10_000 - Sessions.LOCK_POLL_MILLIS);
                assertThat(row.getLong(2)).isPositive().isLessThan(10_000 - Sessions.LOCK_POLL_MILLIS);
            }
        }
    }

    private static void awaitTakenOver(MigrationFixture migration, String what) {
        long began = System.nanoTime();
        awaitMoreApplied(migration);
        LOG.info("{}: changes go on after {} ms", what, (System.nanoTime() - began) / 1_000_000);
    }

    private static void awaitMoreApplied(MigrationFixture migration) {
        // Twenty: more than what can still be under way.
        long before = migration.numberFromTarget(APPLIED);
        await("changes go on")
                .atMost(MigrationFixture.PATIENCE)
                .pollInterval(Duration.ofMillis(20))
                .until(() -> migration.numberFromTarget(APPLIED) > before + 200);
    }
}
