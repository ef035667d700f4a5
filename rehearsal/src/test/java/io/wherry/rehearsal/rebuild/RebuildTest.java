package io.wherry.rehearsal.rebuild;

import static org.assertj.core.api.Assertions.assertThat;
import static org.awaitility.Awaitility.await;

import io.wherry.cli.ExitCode;
import io.wherry.contract.config.Endpoint;
import io.wherry.coordinator.journal.State;
import io.wherry.rehearsal.fixture.MigrationFixture;
import org.junit.jupiter.api.Test;

/** Another target is made from the topics, while nothing listens at the addresses of source and first target. */
class RebuildTest {
    @Test
    void aDatabaseWithItsWholeSchemaIsMadeFromTheTopicsAlone() throws Exception {
        try (MigrationFixture migration = new MigrationFixture("again", 15, 15)) {
            migration.file("");
            migration.configure("apply: {workers: 2}", "apply: {workers: 2, partitions: {public.hot: 3}}");
            migration.fillWithSample(3_000);
            Endpoint source = migration.migration().source();
            migration.execute(
                    source,
                    "CREATE TABLE public.hot (id int PRIMARY KEY, n int, big text)",
                    "INSERT INTO public.hot SELECT i, 0, 'x' FROM generate_series(1, 600) i",
                    "CREATE TABLE public.altered (id serial PRIMARY KEY, wanted int NOT NULL, plain int)",
                    "INSERT INTO public.altered (wanted) SELECT i FROM generate_series(1, 100) i");
            migration.keepWriting(50);
            migration.startAll();
            migration.awaitState(State.IN_SYNC);
            migration.execute(
                    source,
                    "UPDATE public.hot SET n = n + 1 WHERE id % 2 = 0",
                    "UPDATE public.hot SET id = id + 1000 WHERE id < 50",
                    "UPDATE public.hot SET big = repeat(md5('b'), 150000) WHERE id = 60",
                    "TRUNCATE public.audit_log",
                    "ALTER TABLE public.altered ADD COLUMN late int DEFAULT 7",
                    "ALTER TABLE public.altered ALTER COLUMN late SET DEFAULT 8",
                    "INSERT INTO public.altered (wanted) VALUES (1), (2)",
                    "ALTER TABLE public.altered ALTER COLUMN wanted DROP NOT NULL",
                    "CREATE INDEX altered_late ON public.altered (late)",
                    "CREATE TABLE public.\"New One\" (id bigserial PRIMARY KEY, ref int REFERENCES public.altered)",
                    "COMMENT ON TABLE public.\"New One\" IS 'made later'",
                    "INSERT INTO public.\"New One\" (ref) SELECT 1 FROM generate_series(1, 500)");
            await("the column takes NULL")
                    .atMost(MigrationFixture.PATIENCE)
                    .until(() -> migration.numberFromTarget("SELECT count(*) FROM pg_attribute WHERE attname = 'wanted'"
                                    + " AND attrelid = 'public.altered'::regclass AND NOT attnotnull")
                            == 1);
            migration.execute(
                    source,
                    "INSERT INTO public.altered (wanted) VALUES (NULL)",
                    "UPDATE public.altered SET wanted = 0 WHERE wanted IS NULL",
                    "ALTER TABLE public.altered ALTER COLUMN wanted SET NOT NULL");
            await("the new table and what was altered are on the target")
                    .atMost(MigrationFixture.PATIENCE)
                    .until(() -> migration.numberFromTarget("SELECT count(*) FROM public.\"New One\"") == 500
                            && migration.numberFromTarget("SELECT count(*) FROM pg_attribute WHERE attname = 'wanted'"
                                            + " AND attrelid = 'public.altered'::regclass AND attnotnull")
                                    == 1
                            && migration.numberFromTarget(
                                            "SELECT count(*) FROM pg_indexes WHERE indexname = 'altered_late'")
                                    == 1);
            migration.stopWriting();
            migration.awaitState(State.IN_SYNC);
            await("foreign keys of the new table wait for the switch")
                    .atMost(MigrationFixture.PATIENCE)
                    .until(() -> migration.numberFromTarget(
                                    "SELECT count(*) FROM wherry.ddl WHERE stage = 'SWITCH' AND sql LIKE '%\"New One\"%'")
                            > 0);
            RebuiltDatabase.awaitSchemaInKafka(migration);
            migration.stopServices();

            RebuiltDatabase rebuilt = new RebuiltDatabase(migration, "again_rebuilt");
            rebuilt.assertDone(rebuilt.rebuild());

            rebuilt.assertEqualsSource();
            assertThat(rebuilt.said()).contains("Rebuilt: ").doesNotContain("missing: ");
            assertThat(migration.number(rebuilt.endpoint(), "SELECT nextval('public.altered_id_seq')"))
                    .as("the next number is free")
                    .isGreaterThan(migration.number(source, "SELECT max(id) FROM public.altered"));
            assertThat(rebuilt.rebuild()).isZero();
            assertThat(rebuilt.said()).contains("This database was rebuilt already");
        }
    }

    @Test
    void tablesOfTheOperatorAreFilledAndNotMade() throws Exception {
        try (MigrationFixture migration = new MigrationFixture("filled", 15, 15)) {
            migration.file("");
            migration.configure("password: rehearsal}\nkafka", "password: rehearsal, schema: existing}\nkafka");
            Endpoint source = migration.migration().source();
            String table = "CREATE TABLE public.\"Own\" (id serial PRIMARY KEY, v text)";
            migration.execute(
                    source, table, "INSERT INTO public.\"Own\" (v) SELECT 'v' || i FROM generate_series(1, 50) i");
            migration.execute(migration.migration().target(), table);
            migration.startAll();
            migration.awaitState(State.IN_SYNC);
            migration.execute(source, "UPDATE public.\"Own\" SET v = 'changed' WHERE id < 10");
            migration.awaitState(State.IN_SYNC);
            RebuiltDatabase.awaitSchemaInKafka(migration);
            migration.stopServices();
            RebuiltDatabase rebuilt = new RebuiltDatabase(migration, "filled_rebuilt");

            assertThat(rebuilt.rebuild()).isEqualTo(ExitCode.NOT_IN_SYNC);
            assertThat(rebuilt.said()).contains("table public.Own: does not exist on the target");

            migration.execute(rebuilt.endpoint(), table);
            rebuilt.assertDone(rebuilt.rebuild());
            rebuilt.assertEqualsSource();
        }
    }
}
