package io.wherry.rehearsal;

import static org.assertj.core.api.Assertions.assertThat;
import static org.awaitility.Awaitility.await;

import io.wherry.contract.Effect;
import io.wherry.contract.Failpoints;
import io.wherry.coordinator.State;
import java.nio.file.Path;
import java.util.concurrent.atomic.AtomicReference;
import org.junit.jupiter.api.Test;

/**
 * The target comes back without its last commits, as when an asynchronous replica is promoted: here, with its data directory as it
 * was a while ago.
 */
class TargetFailoverTest {
    private static final String FENCED = "SELECT count(*) FROM pg_roles WHERE rolname = 'app' AND NOT rolcanlogin";

    @Test
    void whatItLostIsAppliedAgainAndTold() throws Exception {
        try (MigrationFixture migration = new MigrationFixture("failover", 15, 15)) {
            migration.fillWithSample(20_000);
            migration.file("");
            migration.startAll();
            migration.keepWriting(100);
            migration.awaitState(State.IN_SYNC);
            Path earlier = migration.target().copyOfData();
            awaitMoreApplied(migration);

            migration.target().comeBackAs(earlier);
            awaitMoreApplied(migration);
            await("told")
                    .atMost(MigrationFixture.PATIENCE)
                    .until(() -> migration.coordinator().status().nextSteps().stream()
                            .anyMatch(step -> step.contains("lost commits")));

            migration.awaitState(State.IN_SYNC);
            migration.stopWriting();
            migration.cutOverAndCompare();
        }
    }

    @Test
    void aFenceThatItForgotIsOpenedAndASwitchThatItForgotIsNot() throws Exception {
        try (MigrationFixture migration = new MigrationFixture("forgotten", 15, 15)) {
            migration.fillWithSample(1_000);
            migration.file("");
            migration.startProcess("source");
            migration.startProcess("sink");
            AtomicReference<Process> cutover = new AtomicReference<>();
            AtomicReference<Path> earlier = new AtomicReference<>();
            migration.dieAt("coordinator", Failpoints.name(Effect.FENCE, true), () -> {
                if (cutover.get() == null && migration.isIn(State.IN_SYNC)) {
                    earlier.set(migration.target().copyOfData());
                    cutover.set(migration.askForCutover());
                }
            });
            cutover.get().waitFor();
            assertThat(migration.number(migration.migration().source(), FENCED)).isEqualTo(1);
            migration.target().comeBackAs(earlier.get());

            cutover.set(null);
            migration.dieAt("coordinator", Failpoints.name(Effect.TRAFFIC, true), () -> {
                // Opened by the coordinator that starts: nobody else would.
                if (cutover.get() == null
                        && migration.number(migration.migration().source(), FENCED) == 0
                        && migration.isIn(State.IN_SYNC)) {
                    cutover.set(migration.askForCutover());
                }
            });
            cutover.get().waitFor();
            migration.target().comeBackAs(earlier.get());

            migration.startProcess("coordinator");
            assertThat(migration.awaitEnd("coordinator")).isNotZero();
            assertThat(migration.log("coordinator"))
                    .contains("traffic was switched to the target, and the target does not know");
            assertThat(migration.number(migration.migration().source(), FENCED)).isEqualTo(1);
        }
    }

    private static void awaitMoreApplied(MigrationFixture migration) {
        String applied = "SELECT coalesce(sum(inserts + updates + deletes), 0) FROM wherry.relation";
        long before = migration.numberFromTarget(applied);
        await("changes go on")
                .atMost(MigrationFixture.PATIENCE)
                .until(() -> migration.numberFromTarget(applied) > before + 200);
    }
}
