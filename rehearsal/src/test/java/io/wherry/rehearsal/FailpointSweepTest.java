package io.wherry.rehearsal;

import static org.assertj.core.api.Assertions.assertThat;

import io.wherry.contract.Effect;
import io.wherry.contract.Failpoints;
import io.wherry.contract.Sessions;
import io.wherry.soak.TopicAudit;
import java.sql.Connection;
import java.sql.ResultSet;
import java.sql.SQLException;
import java.sql.Statement;
import java.util.ArrayList;
import java.util.List;
import java.util.Set;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ConcurrentHashMap;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;

/**
 * One migration whose services die at every failpoint: before and after each effect, in the order in which each service comes
 * to them. Each start goes on from what the death before it left.
 */
@Tag("slow")
class FailpointSweepTest {
    private final Set<Effect> swept = ConcurrentHashMap.newKeySet();
    private MigrationFixture migration;
    private Process cutover;

    @Test
    void diesBeforeAndAfterEachEffectAndLosesNothing() throws Exception {
        try (MigrationFixture fixture = new MigrationFixture("failpoints", 15, 15)) {
            migration = fixture;
            fixture.fillWithSample(20_000);
            fixture.file("");
            fixture.keepWriting(100);

            CompletableFuture<Void> source = sweeping(
                    "source",
                    Effect.PUBLICATION,
                    Effect.SLOT,
                    Effect.PLAN,
                    Effect.CHUNK,
                    Effect.KAFKA_COMMIT,
                    Effect.SLOT_ADVANCE);
            CompletableFuture<Void> sink = sweeping(
                    "sink",
                    Effect.TAKE_OVER,
                    Effect.PLAN_APPLIED,
                    Effect.CHUNK_APPLIED,
                    Effect.BATCH_APPLIED,
                    Effect.GROUP_OFFSETS);
            sweep(
                    "coordinator",
                    () -> {},
                    Effect.SCHEMA,
                    Effect.TABLE_READY,
                    Effect.INDEXING,
                    Effect.CATCHING_UP,
                    Effect.IN_SYNC);
            source.join();
            sink.join();
            sweep("coordinator", this::addTable, Effect.LOADING);
            sweep(
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

            assertThat(swept).as("every effect has its turn").containsExactlyInAnyOrder(Effect.values());
            assertThat(fixture.acknowledged()).isPositive();
            fixture.assertSourceEqualsTarget();
            assertThat(new TopicAudit(fixture.migration()).look(changeTopics())).isEmpty();
        }
    }

    private List<String> changeTopics() throws SQLException {
        List<String> topics = new ArrayList<>();
        try (Connection target = Sessions.open(
                        migration.migration(), migration.migration().target(), "test");
                Statement statement = target.createStatement();
                ResultSet row = statement.executeQuery("SELECT topic FROM wherry.relation")) {
            while (row.next()) {
                topics.add(row.getString(1));
            }
        }
        return topics;
    }

    /** Beside the others; in the end the service runs unarmed. */
    private CompletableFuture<Void> sweeping(String service, Effect... effects) {
        return CompletableFuture.runAsync(() -> {
            sweep(service, () -> {}, effects);
            migration.startProcess(service);
        });
    }

    private void sweep(String service, Runnable meanwhile, Effect... effects) {
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
