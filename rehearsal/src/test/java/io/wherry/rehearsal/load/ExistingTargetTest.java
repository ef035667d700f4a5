package io.wherry.rehearsal.load;

import static org.assertj.core.api.Assertions.assertThat;

import io.wherry.contract.config.Endpoint;
import io.wherry.coordinator.cutover.CutoverResult.Outcome;
import io.wherry.coordinator.journal.State;
import io.wherry.rehearsal.fixture.MigrationFixture;
import java.nio.file.Files;
import java.nio.file.Path;
import org.junit.jupiter.api.Test;

/** {@code target.schema: existing}: Wherry fills tables that the test has created, and alters nothing that existed. */
final class ExistingTargetTest {
    private static final String[] TABLES = {
        "CREATE TYPE public.mood AS ENUM ('sad', 'glad')",
        "CREATE TABLE public.owner (id bigserial PRIMARY KEY, name varchar(20), mood public.mood)",
        "CREATE TABLE public.pet (id int GENERATED ALWAYS AS IDENTITY PRIMARY KEY, owner bigint REFERENCES public.owner,"
                + " weight numeric(8, 3), seen timestamp(3))",
    };

    @Test
    void tablesThatExistAreFilledAndLeftAsTheyAre() throws Exception {
        try (MigrationFixture migration = new MigrationFixture("existing", 15, 15)) {
            Path file = migration.file("tables: {include: [\"public.owner\", \"public.pet\"]}");
            Files.writeString(file, Files.readString(file).replace("target: {", "target: {schema: existing, "));
            Endpoint source = migration.migration().source();
            Endpoint target = migration.migration().target();
            migration.execute(source, TABLES);
            migration.execute(target, TABLES);
            migration.execute(
                    target,
                    "ALTER TYPE public.mood ADD VALUE 'later'",
                    "ALTER TABLE public.owner ALTER name SET DEFAULT 'nobody'",
                    "CREATE INDEX of_their_own ON public.pet (weight)",
                    "CREATE TABLE public.theirs (note text)",
                    "INSERT INTO public.theirs VALUES ('kept')",
                    "CREATE FUNCTION public.never() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RAISE ''fired''; END'",
                    "CREATE TRIGGER never BEFORE INSERT OR UPDATE OR DELETE ON public.pet FOR EACH ROW EXECUTE FUNCTION public.never()");
            migration.execute(
                    source,
                    "INSERT INTO public.owner (name, mood) SELECT 'o' || i, 'glad' FROM generate_series(1, 100) AS i",
                    "INSERT INTO public.pet (owner, weight, seen) SELECT 1 + i % 100, i * 1.001, now() FROM generate_series(1, 500) AS i");
            migration.startAll();
            migration.awaitState(State.IN_SYNC);
            migration.execute(
                    source,
                    "INSERT INTO public.owner (name) VALUES ('last')",
                    "UPDATE public.pet SET owner = 101, weight = weight / 3 WHERE id % 3 = 0",
                    "DELETE FROM public.pet WHERE id % 5 = 0");
            assertThat(migration.cutOver().outcome()).isEqualTo(Outcome.COMPLETED);

            migration.assertSourceEqualsTarget();
            assertThat(migration.text(target, "SELECT last_value || ' ' || is_called FROM public.owner_id_seq"))
                    .isEqualTo("101 true");
            assertThat(migration.text(target, "SELECT last_value || ' ' || is_called FROM public.pet_id_seq"))
                    .isEqualTo("500 true");
            assertThat(
                            migration.text(
                                    target,
                                    "SELECT column_default FROM information_schema.columns WHERE table_name = 'owner' AND column_name = 'name'"))
                    .isEqualTo("'nobody'::character varying");
            assertThat(migration.text(target, "SELECT string_agg(note, '') FROM public.theirs"))
                    .isEqualTo("kept");
            assertThat(
                            migration.number(
                                    target,
                                    "SELECT (SELECT count(*) FROM pg_class WHERE relname = 'of_their_own')"
                                            + " + (SELECT count(*) FROM pg_trigger WHERE tgname = 'never' AND tgenabled = 'O')"))
                    .isEqualTo(2);
        }
    }
}
