package io.wherry.rehearsal.apply;

import static org.assertj.core.api.Assertions.assertThat;
import static org.awaitility.Awaitility.await;

import io.wherry.contract.config.Endpoint;
import io.wherry.rehearsal.fixture.MigrationFixture;
import org.junit.jupiter.api.Test;

/**
 * The settings of the sink-applier's sessions are in force when rows are written: a rollback would take back settings that were
 * made within its transaction.
 */
class SinkSessionsTest {
    private static final String[] SEEN = {
        "CREATE TABLE public.seen (id int, settings text)",
        """
        CREATE FUNCTION public.see() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
          INSERT INTO public.seen SELECT NEW.id, concat_ws(' ', current_setting('session_replication_role'),
            current_setting('jit'), current_setting('enable_seqscan'), current_setting('synchronous_commit'));
          RETURN NEW; END $$
        """,
        "CREATE TRIGGER see BEFORE INSERT ON public.rows FOR EACH ROW EXECUTE FUNCTION public.see()",
        "ALTER TABLE public.rows ENABLE ALWAYS TRIGGER see"
    };

    @Test
    void settingsOutliveRollbacks() throws Exception {
        try (MigrationFixture migration = new MigrationFixture("sessions", 15, 15)) {
            Endpoint source = migration.migration().source();
            migration.execute(
                    source, "CREATE TABLE public.rows (id int PRIMARY KEY)", "INSERT INTO public.rows VALUES (1)");
            migration.startCoordinator();
            await("target prepared")
                    .atMost(MigrationFixture.PATIENCE)
                    .until(() ->
                            migration.numberFromTarget("SELECT count(*) FROM pg_class WHERE relname = 'rows'") == 1);
            migration.execute(migration.migration().target(), SEEN);
            migration.startSource();
            migration.startSink();
            awaitRow(migration, 1);
            migration.execute(source, "INSERT INTO public.rows VALUES (2)");
            awaitRow(migration, 2);

            assertThat(migration.text(
                            migration.migration().target(),
                            "SELECT string_agg(id || ': ' || settings, ', ' ORDER BY id) FROM public.seen"))
                    .as("replication role, jit, sequential scans, synchronous commit")
                    .isEqualTo("1: replica off on off, 2: replica off off on");
        }
    }

    private static void awaitRow(MigrationFixture migration, int id) {
        await("row " + id)
                .atMost(MigrationFixture.PATIENCE)
                .until(() -> migration.numberFromTarget("SELECT count(*) FROM public.rows WHERE id = " + id) == 1);
    }
}
