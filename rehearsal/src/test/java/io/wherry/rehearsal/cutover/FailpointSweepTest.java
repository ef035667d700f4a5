package io.wherry.rehearsal.cutover;

import static org.assertj.core.api.Assertions.assertThat;

import io.wherry.contract.postgres.Sessions;
import io.wherry.contract.service.Effect;
import io.wherry.contract.service.Failpoints;
import io.wherry.rehearsal.fixture.EveryThirdDay;
import io.wherry.rehearsal.fixture.FailpointRelay;
import io.wherry.rehearsal.fixture.MigrationFixture;
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
import org.junit.jupiter.api.Test;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * One migration whose services die at every failpoint: before and after each effect, in the order in which each service comes to
 * them. Each instance continues from the state that the death before it left. A failpoint that is not reached within minutes
 * fails the test by name. Each day has its third of the failpoints ({@link EveryThirdDay}); {@code -Dwherry.third=all} takes all.
 */
class FailpointSweepTest {
    private static final Logger LOG = LoggerFactory.getLogger(FailpointSweepTest.class);

    private final Set<Effect> swept = ConcurrentHashMap.newKeySet();
    private MigrationFixture migration;
    private Connection target;
    private CompletableFuture<?> cutover = CompletableFuture.completedFuture(null);

    @Test
    void diesBeforeAndAfterEachEffectAndLosesNothing() throws Exception {
        try (MigrationFixture fixture = new MigrationFixture("failpoints", 15, 15)) {
            migration = fixture;
            fixture.fillWithSample(4_000);
            fixture.file("");
            fixture.configure("stable-for: 2s", "stable-for: 100ms");
            fixture.keepWriting(50);
            target = Sessions.open(fixture.migration(), fixture.migration().target(), "test");

            CompletableFuture<Void> source = CompletableFuture.runAsync(() -> sweep(
                    "source",
                    Effect.PUBLICATION,
                    Effect.SLOT,
                    Effect.PLAN,
                    Effect.CHUNK,
                    Effect.KAFKA_COMMIT,
                    Effect.SLOT_ADVANCE));
            CompletableFuture<Void> sink = CompletableFuture.runAsync(() -> sweep(
                    "sink",
                    Effect.TAKE_OVER,
                    Effect.PLAN_APPLIED,
                    Effect.CHUNK_APPLIED,
                    Effect.BATCH_APPLIED,
                    Effect.GROUP_OFFSETS));
            sweepCoordinator(() -> {
                // Without these, the service would wait forever.
                if (source.isCompletedExceptionally() || sink.isCompletedExceptionally()) {
                    CompletableFuture.allOf(source, sink).join();
                }
            });
            CompletableFuture.allOf(source, sink).join();
            fixture.stopWriting();

            assertThat(swept).as("every effect had its turn").containsExactlyInAnyOrder(Effect.values());
            assertThat(fixture.acknowledged()).isPositive();
            fixture.assertSourceEqualsTarget();
            assertThat(new TopicAudit(fixture.migration()).look(changeTopics())).isEmpty();
        }
    }

    /** At the end the service continues without a failpoint. */
    private void sweep(String service, Effect... effects) {
        new FailpointRelay(migration, service, names(effects), () -> {}).run(true, (failpoint, instance) -> {});
    }

    private void sweepCoordinator(Runnable others) {
        List<String> names = names(
                Effect.SCHEMA,
                Effect.TABLE_READY,
                Effect.INDEXING,
                Effect.CATCHING_UP,
                Effect.IN_SYNC,
                // An instance that comes back knows nothing yet, so for it nothing is loaded yet.
                Effect.LOADING,
                Effect.FENCING,
                Effect.FENCE,
                Effect.DRAINING,
                Effect.VERIFYING,
                Effect.PREPARING_TARGET,
                // The cutover that the death before left is aborted at once.
                Effect.ABORTING,
                Effect.UNFENCE,
                Effect.SWITCHING,
                Effect.TRAFFIC,
                Effect.COMPLETED);
        new FailpointRelay(migration, "coordinator", names, others).run(false, this::cutOver);
    }

    private void cutOver(String failpoint, String instance) {
        if (state().equals("IN_SYNC") && cutover.isDone()) {
            cutover = migration.askForCutover(instance);
        }
    }

    /** Empty before the schema exists. */
    private String state() {
        try (Statement statement = target.createStatement();
                ResultSet row = statement.executeQuery("SELECT state FROM wherry.journal ORDER BY id DESC LIMIT 1")) {
            return row.next() ? row.getString(1) : "";
        } catch (SQLException e) {
            return "";
        }
    }

    private List<String> names(Effect... effects) {
        List<String> names = new ArrayList<>();
        for (Effect effect : effects) {
            names.add(Failpoints.name(effect, false));
            names.add(Failpoints.name(effect, true));
            swept.add(effect);
        }
        LOG.info("again: -Dwherry.third={}", EveryThirdDay.Condition.third());
        return names.stream()
                .filter(name -> EveryThirdDay.Condition.includes(names.indexOf(name))
                        // The migration has to end.
                        || name.equals(Failpoints.name(Effect.COMPLETED, true)))
                .toList();
    }

    private List<String> changeTopics() throws SQLException {
        List<String> topics = new ArrayList<>();
        try (Statement statement = target.createStatement();
                ResultSet row = statement.executeQuery("SELECT topic FROM wherry.relation")) {
            while (row.next()) {
                topics.add(row.getString(1));
            }
        }
        return topics;
    }
}
