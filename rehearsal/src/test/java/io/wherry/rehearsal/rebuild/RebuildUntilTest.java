package io.wherry.rehearsal.rebuild;

import static org.assertj.core.api.Assertions.assertThat;

import io.wherry.cli.ExitCode;
import io.wherry.contract.config.Endpoint;
import io.wherry.coordinator.journal.State;
import io.wherry.rehearsal.fixture.EveryThirdDay;
import io.wherry.rehearsal.fixture.MigrationFixture;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.Test;

/** A database is made as of a moment: the same source commit for every table. */
@EveryThirdDay(2)
class RebuildUntilTest {
    private static final String NOW =
            "SELECT to_char(clock_timestamp() AT TIME ZONE 'UTC', 'YYYY-MM-DD\"T\"HH24:MI:SS.MS\"Z\"')";

    @Test
    void everyTableStandsAtTheCommitOfASnapshotOfTheSource() throws Exception {
        try (MigrationFixture migration = new MigrationFixture("then", 15, 15)) {
            migration.file("");
            migration.configure("apply: {workers: 2}", "apply: {workers: 2, partitions: {public.hot: 3}}");
            migration.fillWithSample(1_000);
            Endpoint source = migration.migration().source();
            migration.execute(
                    source,
                    "CREATE TABLE public.hot (id int PRIMARY KEY, n int)",
                    "INSERT INTO public.hot SELECT i, 0 FROM generate_series(1, 300) i");
            migration.keepWriting(200);
            migration.startAll();
            migration.awaitState(State.IN_SYNC);
            List<SourceSnapshot> snapshots = new ArrayList<>();
            for (int i = 0; i < 3; i++) {
                migration.execute(
                        source,
                        "UPDATE public.hot SET n = n + 1 WHERE id % 2 = " + i % 2,
                        "UPDATE public.hot SET id = id + 1000 WHERE id BETWEEN " + i * 10 + " AND " + (i * 10 + 5));
                snapshots.add(SourceSnapshot.ofSlot(migration.migration(), "then_" + i));
                migration.execute(source, "DELETE FROM public.hot WHERE id = " + (100 + i));
            }
            migration.stopWriting();
            migration.awaitState(State.IN_SYNC);
            RebuiltDatabase.awaitSchemaInKafka(migration);
            migration.stopServices();

            for (SourceSnapshot snapshot : snapshots) {
                RebuiltDatabase rebuilt = new RebuiltDatabase(migration, "then_" + snapshots.indexOf(snapshot));
                rebuilt.assertDone(rebuilt.rebuild("--until", snapshot.until().toString()));
                snapshot.assertEqual(migration.migration(), rebuilt.endpoint());
            }
        }
    }

    @Test
    void aTimeBetweenTwoCommitsMeansTheEarlierAndOneBeforeTheLoadIsRefused() throws Exception {
        try (MigrationFixture migration = new MigrationFixture("noon", 15, 15)) {
            migration.file("");
            Endpoint source = migration.migration().source();
            migration.execute(
                    source, "CREATE TABLE public.a (id int PRIMARY KEY)", "CREATE TABLE public.b (id int PRIMARY KEY)");
            String before = migration.text(source, NOW);
            migration.startAll();
            migration.awaitState(State.IN_SYNC);
            migration.execute(source, "INSERT INTO public.a VALUES (1)", "SELECT pg_sleep(0.02)");
            String between = migration.text(source, NOW);
            migration.execute(
                    source,
                    "SELECT pg_sleep(0.02)",
                    "INSERT INTO public.b VALUES (2)",
                    "BEGIN; INSERT INTO public.a VALUES (3); INSERT INTO public.b VALUES (3); COMMIT");
            migration.awaitState(State.IN_SYNC);
            RebuiltDatabase.awaitSchemaInKafka(migration);
            migration.stopServices();

            RebuiltDatabase rebuilt = new RebuiltDatabase(migration, "noon_rebuilt");
            assertThat(rebuilt.rebuild("--until", before)).isEqualTo(ExitCode.NOT_IN_SYNC);
            assertThat(rebuilt.said())
                    .contains("the last load of public.a, public.b came after this moment")
                    .contains("The earliest possible moment is ");
            assertThat(rebuilt.rebuild("--until", "2999-01-01T00:00:00Z")).isEqualTo(ExitCode.NOT_IN_SYNC);
            assertThat(rebuilt.said()).contains("the topics reach to commit ");
            assertThat(rebuilt.rebuild("--until", "noon")).isEqualTo(ExitCode.CONFIGURATION);

            rebuilt.assertDone(rebuilt.rebuild("--until", between));
            assertThat(migration.number(rebuilt.endpoint(), "SELECT count(*) FROM public.a"))
                    .isEqualTo(1);
            assertThat(migration.number(rebuilt.endpoint(), "SELECT count(*) FROM public.b"))
                    .isZero();
            assertThat(rebuilt.rebuild("--until", before)).isEqualTo(ExitCode.NOT_IN_SYNC);
            assertThat(rebuilt.said()).contains("is a rebuild as of another moment, " + between);
        }
    }
}
