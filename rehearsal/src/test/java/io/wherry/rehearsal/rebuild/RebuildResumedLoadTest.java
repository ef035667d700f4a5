package io.wherry.rehearsal.rebuild;

import static org.assertj.core.api.Assertions.assertThat;
import static org.awaitility.Awaitility.await;

import io.wherry.contract.config.Endpoint;
import io.wherry.coordinator.journal.State;
import io.wherry.rehearsal.fixture.MigrationFixture;
import io.wherry.source.control.ControlTopic;
import java.time.Duration;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;

/** A load that went on under another snapshot is in the topics as two loads of one table; the rebuild takes both. */
@Tag("slow")
class RebuildResumedLoadTest {
    @Test
    void chunksOfBothSnapshotsAreTaken() throws Exception {
        try (MigrationFixture migration = new MigrationFixture("resumed", 15, 15)) {
            migration.file("");
            migration.configure("load: {readers: 2}", "load: {readers: 2, chunk-mebibytes: 1}");
            Endpoint source = migration.migration().source();
            migration.execute(
                    source,
                    "CREATE TABLE public.long (id int PRIMARY KEY, v text)",
                    "INSERT INTO public.long SELECT i, (SELECT string_agg(md5((i * g)::text), '') FROM generate_series(1, 20) g)"
                            + " FROM generate_series(1, 12000) i");
            migration.slowDownLoad(2, 300_000);
            migration.startCoordinator();
            migration.startSink();
            migration.startProcess("source");
            await("some chunks are in Kafka")
                    .atMost(MigrationFixture.PATIENCE)
                    .pollInterval(Duration.ofMillis(20))
                    .until(() -> migration.numberFromTarget("SELECT count(*) FROM wherry.chunk") >= 2);
            migration.kill("source");
            migration.execute(source, "UPDATE public.long SET v = 'changed' WHERE id % 100 = 0");
            migration.slowDownLoad(2, 100_000_000);
            migration.startProcess("source");
            migration.awaitState(State.IN_SYNC);
            migration.execute(source, "DELETE FROM public.long WHERE id % 100 = 1");
            migration.awaitState(State.IN_SYNC);
            RebuiltDatabase.awaitSchemaInKafka(migration);
            migration.stopServices();
            assertThat(ControlTopic.read(migration.migration()).plans())
                    .as("the load went on under another snapshot")
                    .anyMatch(plan -> plan.tables().stream().anyMatch(table -> table.resumed() != null));

            RebuiltDatabase rebuilt = new RebuiltDatabase(migration, "resumed_rebuilt");
            rebuilt.assertDone(rebuilt.rebuild());

            rebuilt.assertEqualsSource();
        }
    }
}
