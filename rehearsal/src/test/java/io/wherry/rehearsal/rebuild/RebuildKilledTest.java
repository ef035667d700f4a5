package io.wherry.rehearsal.rebuild;

import static org.assertj.core.api.Assertions.assertThat;

import io.wherry.contract.config.Endpoint;
import io.wherry.contract.service.Effect;
import io.wherry.contract.service.Failpoints;
import io.wherry.coordinator.journal.State;
import io.wherry.rehearsal.fixture.MigrationFixture;
import java.util.List;
import java.util.Optional;
import java.util.SplittableRandom;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;

/** A rebuild that was killed is continued by the same command. {@code -Dwherry.seed=N} repeats the same kills. */
@Tag("slow")
class RebuildKilledTest {
    private static int migrations;

    private MigrationFixture migration;
    private RebuiltDatabase rebuilt;

    @BeforeEach
    void migrate() throws Exception {
        migration = new MigrationFixture("killed-" + ++migrations, 15, 15);
        migration.file("");
        migration.configure("apply: {workers: 2}", "apply: {workers: 2, partitions: {public.hot: 3}}");
        migration.fillWithSample(3_000);
        Endpoint source = migration.migration().source();
        migration.execute(
                source,
                "CREATE TABLE public.hot (id int PRIMARY KEY, n int)",
                "INSERT INTO public.hot SELECT i, 0 FROM generate_series(1, 20000) i");
        migration.startAll();
        migration.awaitState(State.IN_SYNC);
        for (int i = 0; i < 20; i++) {
            migration.execute(
                    source,
                    "UPDATE public.hot SET n = n + 1 WHERE id % 3 = " + i % 3,
                    "UPDATE public.hot SET id = id + 100000 WHERE id BETWEEN " + i * 10 + " AND " + (i * 10 + 5),
                    "UPDATE public.customers SET mail = 'n' || id || '@x' WHERE id % 20 = " + i);
        }
        migration.awaitState(State.IN_SYNC);
        RebuiltDatabase.awaitSchemaInKafka(migration);
        migration.stopServices();
        rebuilt = new RebuiltDatabase(migration, "killed_rebuilt");
    }

    @AfterEach
    void stop() {
        migration.close();
    }

    @Test
    void itIsContinuedAfterDeathAtEachPlace() throws Exception {
        List<String> places = List.of(
                Failpoints.name(Effect.PLAN, false),
                Failpoints.name(Effect.PLAN, true),
                Failpoints.name(Effect.TAKE_OVER, true),
                Failpoints.name(Effect.PLAN_APPLIED, true),
                Failpoints.name(Effect.CHUNK_APPLIED, false),
                Failpoints.name(Effect.CHUNK_APPLIED, true),
                Failpoints.name(Effect.TABLE_READY, false),
                Failpoints.name(Effect.TABLE_READY, true),
                Failpoints.name(Effect.BATCH_APPLIED, false),
                Failpoints.name(Effect.BATCH_APPLIED, true),
                Failpoints.name(Effect.SCHEMA, false),
                Failpoints.name(Effect.SCHEMA, true),
                Failpoints.name(Effect.COMPLETED, false),
                Failpoints.name(Effect.COMPLETED, true));
        for (String place : places) {
            migration.startCommand(place, Optional.of(place), rebuilt.arguments());
            assertThat(migration.awaitEnd(place)).as(() -> migration.log(place)).isEqualTo(Failpoints.EXIT_CODE);
        }

        assertThat(rebuilt.rebuild()).isZero();
        assertThat(rebuilt.said()).contains("This database was rebuilt already");
        rebuilt.assertEqualsSource();
    }

    @Test
    void itIsContinuedThoughKilledAtRandom() throws Exception {
        long seed = Long.getLong("wherry.seed", System.nanoTime());
        rebuilt.killAtRandom(
                5,
                migration.number(migration.migration().target(), RebuiltDatabase.APPLIED),
                new SplittableRandom(seed));

        assertThat(rebuilt.rebuild()).as("seed " + seed + ": " + rebuilt.said()).isZero();
        rebuilt.assertEqualsSource();
    }
}
