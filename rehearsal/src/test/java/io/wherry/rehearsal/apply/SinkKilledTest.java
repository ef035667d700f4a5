package io.wherry.rehearsal.apply;

import static org.assertj.core.api.Assertions.assertThat;
import static org.awaitility.Awaitility.await;

import io.wherry.coordinator.cutover.CutoverResult.Outcome;
import io.wherry.coordinator.journal.State;
import io.wherry.rehearsal.fixture.MigrationFixture;
import java.time.Duration;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;

/** {@code kill -9} of the sink-applier: nothing is lost, nothing arrives twice, no operator is needed. */
@Tag("slow")
class SinkKilledTest {
    private static final String CHUNKS_APPLIED = "SELECT count(*) FROM wherry.chunk";
    private static final String CHUNKS_PLANNED = "SELECT sum(chunks) FROM wherry.relation";
    private static final String CHANGES_APPLIED =
            "SELECT coalesce(sum(inserts + updates + deletes), 0) FROM wherry.relation";

    @Test
    void killedDuringLoadAndAgainAndAgainDuringChanges() throws Exception {
        try (MigrationFixture migration = new MigrationFixture("killed", 15, 15)) {
            migration.fillWithSample(200_000);
            migration.file("");
            migration.keepWriting(100);
            migration.startCoordinator();
            migration.startSource();

            migration.startProcess("sink");
            await("first chunk applied")
                    .atMost(MigrationFixture.PATIENCE)
                    .pollInterval(Duration.ofMillis(5))
                    .until(() -> migration.numberFromTarget(CHUNKS_APPLIED) >= 1);
            migration.kill("sink");
            long applied = migration.numberFromTarget(CHUNKS_APPLIED);
            assertThat(applied)
                    .as("killed in the middle of the load")
                    .isPositive()
                    .isLessThan(migration.numberFromTarget(CHUNKS_PLANNED));

            for (int kills = 0; kills < 3; kills++) {
                long before = migration.numberFromTarget(CHANGES_APPLIED);
                migration.startProcess("sink");
                await("changes applied")
                        .atMost(MigrationFixture.PATIENCE)
                        .pollInterval(Duration.ofMillis(5))
                        .until(() -> migration.numberFromTarget(CHANGES_APPLIED) > before);
                migration.kill("sink");
            }
            migration.startProcess("sink");
            migration.awaitState(State.IN_SYNC);

            assertThat(migration.cutOver().outcome()).isEqualTo(Outcome.COMPLETED);
            migration.stopWriting();
            assertThat(migration.acknowledged()).isPositive();
            migration.assertSourceEqualsTarget();
        }
    }
}
