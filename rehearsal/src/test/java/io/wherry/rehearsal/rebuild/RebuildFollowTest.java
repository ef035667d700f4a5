package io.wherry.rehearsal.rebuild;

import static org.assertj.core.api.Assertions.assertThat;
import static org.awaitility.Awaitility.await;

import io.wherry.cli.ExitCode;
import io.wherry.contract.config.Endpoint;
import io.wherry.coordinator.journal.State;
import io.wherry.rehearsal.fixture.EveryThirdDay;
import io.wherry.rehearsal.fixture.MigrationFixture;
import java.util.Optional;
import org.junit.jupiter.api.Test;

/** A rebuilt database follows the topics while the migration runs, over stops, a kill and changes of the schema; then it is ended. */
@EveryThirdDay(0)
class RebuildFollowTest {
    private static final String FOLLOW = "follow";
    private static final String FOREIGN_KEYS = "SELECT count(*) FROM pg_constraint WHERE contype = 'f'";

    private MigrationFixture migration;
    private RebuiltDatabase rebuilt;
    private Endpoint source;

    @Test
    void aDatabaseFollowsTheTopicsUntilItIsEnded() throws Exception {
        try (MigrationFixture fixture = new MigrationFixture("followed", 15, 15)) {
            migration = fixture;
            migration.file("");
            migration.configure("apply: {workers: 2}", "apply: {workers: 2, partitions: {public.hot: 3}}");
            source = migration.migration().source();
            migration.execute(
                    source,
                    "CREATE TABLE public.hot (id serial PRIMARY KEY, n int)",
                    "CREATE TABLE public.of_hot (id int PRIMARY KEY, hot int REFERENCES public.hot, wanted int NOT NULL)",
                    "CREATE TABLE public.again (id int PRIMARY KEY, v text)",
                    "CREATE TABLE public.reloaded (id int PRIMARY KEY, v text)",
                    "INSERT INTO public.hot (n) SELECT 0 FROM generate_series(1, 500)",
                    "INSERT INTO public.of_hot SELECT i, i, 1 FROM generate_series(1, 100) i",
                    "INSERT INTO public.again SELECT i, 'old' FROM generate_series(1, 50) i",
                    "INSERT INTO public.reloaded SELECT i, 'old' FROM generate_series(1, 50) i");
            migration.startAll();
            migration.awaitState(State.IN_SYNC);
            RebuiltDatabase.awaitSchemaInKafka(migration);
            rebuilt = new RebuiltDatabase(migration, "followed_rebuilt");
            // Kafka has the ids of the topics by now.
            migration.execute(source, "UPDATE public.hot SET n = n + 1, id = id + 1000 WHERE id BETWEEN 101 AND 110");
            assertThat(rebuilt.rebuild("--follow", "--until", "0/1")).isEqualTo(ExitCode.CONFIGURATION);

            start();
            awaitRow("the first change is followed", "SELECT count(*) FROM public.hot WHERE n = 1", 10);
            migration.execute(
                    source,
                    "ALTER TABLE public.hot ADD COLUMN late int DEFAULT 3",
                    "INSERT INTO public.hot (n, late) SELECT 2, i FROM generate_series(1, 100) i",
                    "CREATE TABLE public.\"Made Later\" (id int PRIMARY KEY, hot int REFERENCES public.hot)",
                    "INSERT INTO public.\"Made Later\" SELECT i, 1101 FROM generate_series(1, 30) i",
                    "ALTER TABLE public.of_hot ALTER COLUMN wanted DROP NOT NULL",
                    "INSERT INTO public.of_hot VALUES (1000, NULL, NULL)",
                    "CREATE INDEX hot_late ON public.hot (late)");
            awaitRow("a column is followed", "SELECT count(*) FROM public.hot WHERE late > 3", 97);
            awaitRow("a new table is followed", "SELECT count(*) FROM public.\"Made Later\"", 30);
            awaitRow("what was relaxed is followed", "SELECT count(*) FROM public.of_hot WHERE wanted IS NULL", 1);
            migration.signal(FOLLOW, "TERM");
            migration.awaitEnd(FOLLOW);
            assertThat(migration.log(FOLLOW))
                    .contains("\"stopped\":{\"commitLsn\":")
                    .contains("\"following\":{");

            migration.execute(
                    source,
                    "BEGIN; DROP TABLE public.again; CREATE TABLE public.again (id bigint PRIMARY KEY, other text); COMMIT",
                    "INSERT INTO public.again SELECT i, 'again' FROM generate_series(1, 7) i");
            migration.coordinator().reload(Optional.of("public.reloaded"));
            migration.execute(source, "UPDATE public.reloaded SET v = 'new' WHERE id = 1");
            start();
            awaitRow(
                    "a table that was made again is followed",
                    "SELECT count(*) FROM public.again WHERE other = 'again'",
                    7);
            migration.kill(FOLLOW);
            migration.execute(source, "UPDATE public.reloaded SET v = 'newer' WHERE id < 10");
            start();
            awaitRow("after a kill", "SELECT count(*) FROM public.reloaded WHERE v = 'newer'", 9);
            assertThat(at(FOREIGN_KEYS)).as("foreign keys wait for the end").isZero();
            migration.signal(FOLLOW, "TERM");
            migration.awaitEnd(FOLLOW);

            migration.execute(
                    source,
                    "TRUNCATE public.reloaded",
                    "INSERT INTO public.hot (n) SELECT 9 FROM generate_series(1, 20)",
                    "DELETE FROM public.\"Made Later\" WHERE id > 20");
            await("the last statement is on the first target")
                    .atMost(MigrationFixture.PATIENCE)
                    .until(() -> migration.numberFromTarget("SELECT count(*) FROM public.\"Made Later\"") == 20
                            && migration.numberFromTarget(
                                            "SELECT count(*) FROM pg_indexes WHERE indexname = 'hot_late'")
                                    == 1
                            && migration.numberFromTarget("SELECT count(*) FROM wherry.ddl WHERE stage = 'SWITCH'"
                                            + " AND sql LIKE '%\"Made Later\"%'")
                                    > 0);
            RebuiltDatabase.awaitSchemaInKafka(migration);
            migration.stopServices();
            assertThat(rebuilt.rebuild("--until", "0/1")).isEqualTo(ExitCode.NOT_IN_SYNC);
            assertThat(rebuilt.said()).contains("follows the topics, so it may be past this moment");
            rebuilt.assertDone(rebuilt.rebuild());

            rebuilt.assertEqualsSource();
            assertThat(at(FOREIGN_KEYS)).isEqualTo(2);
            assertThat(at("SELECT nextval('public.hot_id_seq')")).isGreaterThan(620);
            assertThat(rebuilt.rebuild("--follow")).isEqualTo(ExitCode.NOT_IN_SYNC);
            assertThat(rebuilt.said()).contains("does not follow the topics");
        }
    }

    private void start() {
        migration.startCommand(FOLLOW, Optional.empty(), rebuilt.arguments("--follow", "--json"));
    }

    private void awaitRow(String what, String sql, long wanted) {
        await(what).atMost(MigrationFixture.PATIENCE).until(() -> {
            assertThat(migration.isAlive(FOLLOW))
                    .as(() -> migration.log(FOLLOW))
                    .isTrue();
            return at(sql) == wanted;
        });
    }

    /** A number from the new database; -1 while the queried object does not exist yet. */
    private long at(String sql) {
        try {
            return migration.number(rebuilt.endpoint(), sql);
        } catch (IllegalStateException e) {
            return -1;
        }
    }
}
