package io.wherry.rehearsal.capture;

import static org.assertj.core.api.Assertions.assertThat;
import static org.awaitility.Awaitility.await;

import io.wherry.contract.config.Endpoint;
import io.wherry.contract.error.Finding;
import io.wherry.coordinator.journal.State;
import io.wherry.rehearsal.fixture.EveryThirdDay;
import io.wherry.rehearsal.fixture.MigrationFixture;
import io.wherry.rehearsal.fixture.ServerPair;
import io.wherry.source.check.SourcePreflight;
import java.sql.SQLException;
import java.time.Duration;
import org.junit.jupiter.api.Test;

/** The effects of the migration on the source, as the source's own applications see them. */
@EveryThirdDay(0)
final class PublishingTest {
    /** An application must not notice: Wherry repairs, for example, a lost key within a moment. */
    private static final Duration MOMENT = Duration.ofMinutes(1);

    private final ServerPair servers = ServerPair.shared(18, 18);

    @Test
    void theSourceDoesNotRefuseUpdatesOfTablesThatAreFollowed() throws Exception {
        try (MigrationFixture migration = MigrationFixture.between(servers, "writes")) {
            migration.file("");
            Endpoint source = migration.migration().source();
            migration.execute(
                    source,
                    "CREATE TABLE public.stored (a int, b int GENERATED ALWAYS AS (a * 2) STORED, t text)",
                    "CREATE TABLE public.all_of_it (id int PRIMARY KEY, a int, b int GENERATED ALWAYS AS (a * 2) STORED)",
                    "ALTER TABLE public.all_of_it REPLICA IDENTITY FULL",
                    "CREATE TABLE public.generated_key (a int, b int GENERATED ALWAYS AS (a * 2) STORED, PRIMARY KEY (b))",
                    "CREATE TABLE public.half (a int, b int GENERATED ALWAYS AS (a % 2) STORED, c int, PRIMARY KEY (b, c))",
                    "CREATE TABLE public.including (id int PRIMARY KEY, a int, b int)",
                    "CREATE UNIQUE INDEX more ON public.including (a) INCLUDE (b)",
                    "ALTER TABLE public.including ALTER a SET NOT NULL",
                    "ALTER TABLE public.including REPLICA IDENTITY USING INDEX more",
                    "CREATE TABLE public.plain (a int)",
                    "CREATE TABLE public.loses (id int PRIMARY KEY, n int)",
                    "CREATE TABLE public.nothing (id int PRIMARY KEY, n int)",
                    "ALTER TABLE public.nothing REPLICA IDENTITY NOTHING",
                    "CREATE TABLE public.virtual (a int, v int GENERATED ALWAYS AS (a * 2) VIRTUAL)",
                    "INSERT INTO public.stored SELECT n FROM generate_series(1, 20) n",
                    "INSERT INTO public.all_of_it SELECT n, n FROM generate_series(1, 20) n",
                    "INSERT INTO public.generated_key SELECT n FROM generate_series(1, 20) n",
                    "INSERT INTO public.half (a, c) SELECT n, n FROM generate_series(1, 20) n",
                    "INSERT INTO public.including SELECT n, n, n FROM generate_series(1, 20) n",
                    "INSERT INTO public.plain SELECT n FROM generate_series(1, 20) n",
                    "INSERT INTO public.loses SELECT n, n FROM generate_series(1, 20) n",
                    "INSERT INTO public.nothing SELECT n, n FROM generate_series(1, 20) n",
                    "INSERT INTO public.virtual SELECT n FROM generate_series(1, 20) n");
            assertThat(SourcePreflight.check(migration.group()))
                    .filteredOn(finding -> finding.severity() == Finding.Severity.ERROR)
                    .singleElement()
                    .satisfies(finding -> assertThat(finding.explained())
                            .contains("public.virtual: its replica identity would hold the virtual generated column"));
            // The offered remedy, for a table that may have a key.
            migration.execute(source, "ALTER TABLE public.virtual ADD PRIMARY KEY (a)");
            migration.startAll();
            migration.awaitState(State.IN_SYNC);
            change(migration);
            migration.execute(
                    source,
                    "ALTER TABLE public.plain ADD b int GENERATED ALWAYS AS (a * 3) STORED",
                    "ALTER TABLE public.loses DROP CONSTRAINT loses_pkey");
            await("updates of a table that has lost its key")
                    .atMost(MOMENT)
                    .ignoreExceptions()
                    .until(() -> {
                        migration.execute(source, "UPDATE public.loses SET n = n + 1");
                        migration.execute(source, "DELETE FROM public.plain WHERE a = 3");
                        return true;
                    });
            migration.execute(source, "ALTER TABLE public.virtual DROP CONSTRAINT virtual_pkey");
            await("a problem that only the operator can solve is reported")
                    .atMost(MOMENT)
                    .until(() -> migration
                            .coordinator()
                            .status()
                            .nextSteps()
                            .get(0)
                            .startsWith("public.virtual: the source refuses its updates"));
            migration.execute(source, "ALTER TABLE public.virtual ADD PRIMARY KEY (a)");
            change(migration);
            await("the generated column follows")
                    .atMost(MigrationFixture.PATIENCE)
                    .until(() -> migration.numberFromTarget(
                                    "SELECT count(*) FROM pg_attribute WHERE attrelid = 'public.plain'::regclass AND attname = 'b'")
                            == 1);
            await("no difference is left")
                    .atMost(MigrationFixture.PATIENCE)
                    .until(() -> migration.coordinator().status().nextSteps().contains("wherry cutover"));
            migration.cutOverAndCompare();
            await("replica identities are restored").atMost(MOMENT).until(() -> migration
                    .text(
                            source,
                            "SELECT string_agg(relname || ' ' || relreplident::text, ', ' ORDER BY relname) FROM pg_class"
                                    + " WHERE relkind = 'r' AND relnamespace = 'public'::regnamespace")
                    .equals("all_of_it f, generated_key d, half d, including i, loses d, nothing n, plain d, stored d,"
                            + " virtual d"));
            assertThat(migration.numberFromTarget("SELECT sum(b) FROM public.stored"))
                    .isEqualTo(migration.number(source, "SELECT sum(b) FROM public.stored"));
        }
    }

    private static void change(MigrationFixture migration) throws SQLException {
        migration.execute(
                migration.migration().source(),
                "UPDATE public.stored SET a = a + 100, t = 'new' WHERE a % 3 = 0",
                "DELETE FROM public.stored WHERE a = 7",
                "UPDATE public.all_of_it SET a = a + 1",
                "DELETE FROM public.all_of_it WHERE id = (SELECT min(id) FROM public.all_of_it)",
                "UPDATE public.generated_key SET a = a + 1000 WHERE a < 1000 AND a % 2 = 0",
                "DELETE FROM public.generated_key WHERE a = (SELECT min(a) FROM public.generated_key)",
                "UPDATE public.half SET a = a + 1 WHERE c = 5",
                "DELETE FROM public.half WHERE c = (SELECT min(c) FROM public.half)",
                "UPDATE public.including SET b = b + 1",
                "DELETE FROM public.including WHERE id = (SELECT min(id) FROM public.including)",
                "UPDATE public.plain SET a = a + 20 WHERE a = (SELECT min(a) FROM public.plain)",
                "UPDATE public.nothing SET n = n + 1",
                "UPDATE public.virtual SET a = a + 100 WHERE a = (SELECT max(a) FROM public.virtual)");
    }

    /** The server ends the first change of the publication, and of a table, because of a deadlock. */
    @Test
    void oneDeadlockWhilePublishingIsTriedAgain() throws Exception {
        try (MigrationFixture migration = MigrationFixture.between(servers, "deadlock")) {
            migration.file("");
            Endpoint source = migration.migration().source();
            migration.execute(
                    source,
                    "CREATE TABLE public.keyed (id int PRIMARY KEY)",
                    "CREATE TABLE public.other (id int PRIMARY KEY)",
                    "CREATE TABLE public.keyless (n int)",
                    "INSERT INTO public.keyed VALUES (1)",
                    "INSERT INTO public.keyless VALUES (1)",
                    "CREATE SEQUENCE public.of_alter_publication",
                    "CREATE SEQUENCE public.of_alter_table",
                    """
                    CREATE FUNCTION public.deadlock() RETURNS event_trigger LANGUAGE plpgsql AS $$
                    BEGIN
                        IF nextval(('public.of_' || lower(replace(tg_tag, ' ', '_')))::regclass) = 1 THEN
                            RAISE EXCEPTION 'deadlock detected' USING ERRCODE = '40P01';
                        END IF;
                    END $$""",
                    "CREATE EVENT TRIGGER deadlock ON ddl_command_start WHEN TAG IN ('ALTER PUBLICATION', 'ALTER TABLE')"
                            + " EXECUTE FUNCTION public.deadlock()");
            migration.startSource();
            await("all tables are published")
                    .atMost(MOMENT)
                    .until(() -> migration.number(source, "SELECT count(*) FROM pg_publication_rel") == 3);
            assertThat(migration.number(source, "SELECT last_value FROM public.of_alter_table"))
                    .isGreaterThan(1);
            assertThat(migration.number(source, "SELECT last_value FROM public.of_alter_publication"))
                    .isGreaterThan(1);
            // The next part does not concern this table, and would create it on the target as well.
            migration.execute(source, "DROP EVENT TRIGGER deadlock", "DROP FUNCTION public.deadlock");
            migration.startCoordinator();
            migration.startSink();
            migration.awaitState(State.IN_SYNC);
            migration.execute(source, "INSERT INTO public.other VALUES (1)", "UPDATE public.keyless SET n = 2");
            migration.cutOverAndCompare();
        }
    }
}
