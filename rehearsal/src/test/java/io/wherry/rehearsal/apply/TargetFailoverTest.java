package io.wherry.rehearsal.apply;

import static org.assertj.core.api.Assertions.assertThat;
import static org.awaitility.Awaitility.await;

import io.wherry.contract.service.Effect;
import io.wherry.contract.service.Failpoints;
import io.wherry.coordinator.journal.State;
import io.wherry.embedded.EmbeddedPostgres;
import io.wherry.rehearsal.fixture.MigrationFixture;
import java.nio.file.Path;
import java.util.Optional;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.atomic.AtomicReference;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;

/**
 * The target comes back without its last commits, as when an asynchronous replica is promoted: here, with an earlier copy of its
 * data directory.
 */
@Tag("embedded-only")
class TargetFailoverTest {
    private static final String FENCED = "SELECT count(*) FROM pg_roles WHERE rolname = 'app' AND NOT rolcanlogin";

    @Test
    void lostCommitsAreAppliedAgainAndReported() throws Exception {
        try (MigrationFixture migration = MigrationFixture.alone("failover", 15, 15)) {
            EmbeddedPostgres target = (EmbeddedPostgres) migration.target();
            migration.fillWithSample(20_000);
            migration.file("");
            migration.startAll();
            migration.keepWriting(100);
            migration.awaitState(State.IN_SYNC);
            Path earlier = target.copyOfData();
            awaitMoreApplied(migration);

            target.comeBackAs(earlier);
            awaitMoreApplied(migration);
            await("status reports the lost commits")
                    .atMost(MigrationFixture.PATIENCE)
                    .until(() -> migration.coordinator().status().nextSteps().stream()
                            .anyMatch(step -> step.contains("lost commits")));

            migration.awaitState(State.IN_SYNC);
            migration.stopWriting();
            migration.cutOverAndCompare();
        }
    }

    @Tag("slow")
    @Test
    void aForgottenFenceIsOpenedAndAForgottenSwitchIsNot() throws Exception {
        try (MigrationFixture migration = MigrationFixture.alone("forgotten", 15, 15)) {
            EmbeddedPostgres target = (EmbeddedPostgres) migration.target();
            migration.fillWithSample(1_000);
            migration.file("");
            migration.startProcess("source");
            migration.startProcess("sink");
            migration.startArmed("first", "coordinator", Optional.of(Failpoints.name(Effect.FENCE, true)));
            awaitInSync(migration);
            Path earlier = target.copyOfData();
            cutOverUntilDeath(migration, "first");
            assertThat(migration.number(migration.migration().source(), FENCED)).isEqualTo(1);
            target.comeBackAs(earlier);

            migration.startArmed("second", "coordinator", Optional.of(Failpoints.name(Effect.TRAFFIC, true)));
            // The coordinator opens it when it starts: no other process would.
            await("the source is open")
                    .atMost(MigrationFixture.PATIENCE)
                    .until(() -> migration.number(migration.migration().source(), FENCED) == 0);
            cutOverUntilDeath(migration, "second");
            target.comeBackAs(earlier);

            migration.startProcess("coordinator");
            assertThat(migration.awaitEnd("coordinator")).isNotZero();
            assertThat(migration.log("coordinator"))
                    .contains("traffic was switched to the target, but the target's journal lacks the switch")
                    .contains("ALTER ROLE \"app\" LOGIN");
            assertThat(migration.number(migration.migration().source(), FENCED)).isEqualTo(1);
        }
    }

    private static void awaitInSync(MigrationFixture migration) {
        await("in sync").atMost(MigrationFixture.PATIENCE).until(() -> migration.isIn(State.IN_SYNC));
    }

    /** Asks for the cutover whenever it can start, until the coordinator has died at its failpoint. */
    private static void cutOverUntilDeath(MigrationFixture migration, String coordinator) {
        AtomicReference<CompletableFuture<?>> asked = new AtomicReference<>(CompletableFuture.completedFuture(null));
        await(coordinator).atMost(MigrationFixture.PATIENCE).until(() -> {
            if (asked.get().isDone() && migration.isIn(State.IN_SYNC) && migration.isAlive(coordinator)) {
                asked.set(migration.askForCutover(coordinator));
            }
            return !migration.isAlive(coordinator);
        });
        assertThat(migration.awaitEnd(coordinator)).isEqualTo(Failpoints.EXIT_CODE);
    }

    private static void awaitMoreApplied(MigrationFixture migration) {
        String applied = "SELECT coalesce(sum(inserts + updates + deletes), 0) FROM wherry.relation";
        long before = migration.numberFromTarget(applied);
        await("changes continue")
                .atMost(MigrationFixture.PATIENCE)
                .until(() -> migration.numberFromTarget(applied) > before + 200);
    }
}
