package io.wherry.rehearsal;

import static org.assertj.core.api.Assertions.assertThat;
import static org.awaitility.Awaitility.await;

import io.wherry.contract.Effect;
import io.wherry.contract.Failpoints;
import java.sql.SQLException;
import java.util.EnumSet;
import java.util.List;
import java.util.Set;
import org.junit.jupiter.api.Test;

/**
 * One migration whose services die at every failpoint, one after another, in the order in which a migration comes to them:
 * before and after each effect. Each start goes on from what the death before it left.
 */
class FailpointSweepTest {
    private final Set<Effect> swept = EnumSet.noneOf(Effect.class);
    private MigrationFixture migration;
    private Process cutover;

    @Test
    void diesBeforeAndAfterEachEffectAndLosesNothing() throws Exception {
        try (MigrationFixture fixture = new MigrationFixture("failpoints", 15, 15)) {
            migration = fixture;
            fixture.fillWithSample(20_000);
            fixture.file("");
            fixture.keepWriting(100);

            sweep("coordinator", Effect.SCHEMA);
            fixture.startProcess("coordinator");
            sweep(
                    "source",
                    Effect.PUBLICATION,
                    Effect.SLOT,
                    Effect.PLAN,
                    Effect.CHUNK,
                    Effect.TABLE_LOADED,
                    Effect.KAFKA_COMMIT,
                    Effect.SLOT_ADVANCE);
            sweep("sink", Effect.TAKE_OVER);
            fixture.kill("coordinator");
            fixture.startProcess("source");
            sweep("sink", Effect.PLAN_APPLIED, Effect.CHUNK_APPLIED);
            fixture.startProcess("sink");
            sweep("coordinator", Effect.TABLE_READY, Effect.INDEXING, Effect.CATCHING_UP, Effect.IN_SYNC);
            fixture.kill("sink");
            fixture.startProcess("coordinator");
            sweep("sink", Effect.BATCH_APPLIED, Effect.GROUP_OFFSETS);
            fixture.startProcess("sink");
            awaitState("IN_SYNC");
            fixture.kill("coordinator");
            sweepWhile("coordinator", this::addTable, Effect.LOADING);

            sweepWhile(
                    "coordinator",
                    this::cutOverWhenInSync,
                    Effect.FENCING,
                    Effect.FENCE,
                    Effect.DRAINING,
                    Effect.VERIFYING,
                    Effect.PREPARING_TARGET,
                    Effect.ABORTING,
                    Effect.UNFENCE,
                    Effect.SWITCHING,
                    Effect.TRAFFIC,
                    Effect.COMPLETED);
            fixture.stopWriting();

            assertThat(swept).as("every effect has its turn").isEqualTo(EnumSet.allOf(Effect.class));
            assertThat(fixture.acknowledged()).isPositive();
            fixture.assertSourceEqualsTarget();
        }
    }

    private void sweep(String service, Effect... effects) {
        sweepWhile(service, () -> {}, effects);
    }

    private void sweepWhile(String service, Runnable meanwhile, Effect... effects) {
        for (Effect effect : effects) {
            for (boolean after : List.of(false, true)) {
                migration.dieAt(service, Failpoints.name(effect, after), meanwhile);
            }
            swept.add(effect);
        }
    }

    private boolean isIn(String state) {
        return migration.numberFromTarget(
                        "SELECT count(*) FROM (SELECT state FROM wherry.journal ORDER BY id DESC LIMIT 1)"
                                + " j WHERE state = '" + state + "'")
                == 1;
    }

    private void awaitState(String state) {
        await(state).atMost(MigrationFixture.PATIENCE).until(() -> isIn(state));
    }

    /** A table more each time that all are loaded: the load is incomplete again. */
    private void addTable() {
        if (isIn("CATCHING_UP") || isIn("IN_SYNC")) {
            long tables = migration.numberFromTarget("SELECT count(*) FROM wherry.relation");
            try {
                migration.execute(
                        migration.migration().source(),
                        "CREATE TABLE IF NOT EXISTS public.later_" + tables + " (id int PRIMARY KEY)");
            } catch (SQLException e) {
                throw new IllegalStateException(e);
            }
        }
    }

    private void cutOverWhenInSync() {
        if (isIn("IN_SYNC") && (cutover == null || !cutover.isAlive())) {
            cutover = migration.askForCutover();
        }
    }
}
