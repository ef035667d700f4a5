package io.wherry.rehearsal.rebuild;

import static org.assertj.core.api.Assertions.assertThat;
import static org.awaitility.Awaitility.await;

import io.wherry.contract.config.Endpoint;
import io.wherry.coordinator.journal.State;
import io.wherry.rehearsal.fixture.MigrationFixture;
import java.sql.SQLException;
import java.util.Optional;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;

/** A history in which names passed to other tables, and tables were made again and re-loaded; then the cutover; then a rebuild. */
@Tag("slow")
class RebuildHistoryTest {
    private static final String SEQUENCE = "SELECT last_value FROM public.numbered_id_seq";

    private MigrationFixture migration;
    private Endpoint source;

    @Test
    void aDatabaseIsMadeAfterTheCutoverOverAHistoryOfReloadsRenamesAndReplacements() throws Exception {
        try (MigrationFixture fixture = new MigrationFixture("history", 15, 15)) {
            migration = fixture;
            migration.file("");
            source = migration.migration().source();
            create("blue", "id int PRIMARY KEY, t text", "i, 'blue'");
            create("green", "id int PRIMARY KEY, t text", "i, 'green'");
            create("crate", "id int PRIMARY KEY, v text", "i, 'old' || i");
            create("again", "id int PRIMARY KEY, v text, gone int", "i, 'old' || i, i");
            create("reloaded", "id int PRIMARY KEY, v text", "i, 'old' || i");
            create("emptied", "id int PRIMARY KEY, v text", "i, 'old' || i");
            create("numbered", "id serial PRIMARY KEY, v text", "i, 'old' || i");
            migration.startAll();
            migration.awaitState(State.IN_SYNC);

            migration.execute(
                    source,
                    "UPDATE public.reloaded SET v = 'before' WHERE id = 1",
                    "ALTER TABLE public.reloaded ADD COLUMN late int DEFAULT 3",
                    "UPDATE public.reloaded SET v = 'with late' WHERE id = 2");
            await("late")
                    .atMost(MigrationFixture.PATIENCE)
                    .until(() ->
                            migration.numberFromTarget("SELECT late FROM public.reloaded WHERE v = 'with late'") == 3);
            migration.coordinator().reload(Optional.of("public.reloaded"));
            migration.execute(
                    source,
                    "BEGIN; ALTER TABLE public.blue RENAME TO tmp; ALTER TABLE public.green RENAME TO blue;"
                            + " ALTER TABLE public.tmp RENAME TO green; COMMIT",
                    "INSERT INTO public.blue VALUES (100, 'into old green')",
                    "CREATE TABLE public.crate_new (id bigint PRIMARY KEY, v text, extra int DEFAULT 7)",
                    "INSERT INTO public.crate_new SELECT id, v, 1 FROM public.crate",
                    "BEGIN; ALTER TABLE public.crate RENAME TO crate_old;"
                            + " ALTER TABLE public.crate_new RENAME TO crate; COMMIT",
                    "UPDATE public.crate SET v = 'changed' WHERE id < 5",
                    "BEGIN; DROP TABLE public.again; CREATE TABLE public.again (id bigint PRIMARY KEY, other text); COMMIT",
                    "INSERT INTO public.again SELECT i, 'again' FROM generate_series(1, 7) i",
                    "TRUNCATE public.emptied",
                    "INSERT INTO public.emptied VALUES (1, 'after')");
            await("all replaced tables are re-loaded")
                    .atMost(MigrationFixture.PATIENCE)
                    .until(() -> migration.numberFromTarget(
                                    "SELECT count(*) FROM wherry.relation WHERE ready_at IS NOT NULL AND load_epoch > 1"
                                            + " AND table_name IN ('blue', 'green', 'crate', 'crate_old', 'again', 'reloaded')")
                            == 6);
            migration.awaitState(State.IN_SYNC);
            migration.execute(
                    source,
                    "UPDATE public.blue SET t = 'followed' WHERE id = 2",
                    "UPDATE public.reloaded SET v = 'after' WHERE id = 3",
                    "INSERT INTO public.numbered (v) SELECT 'new' FROM generate_series(1, 50)",
                    "DELETE FROM public.numbered WHERE id > 45");
            migration.completeExactly();
            RebuiltDatabase.awaitSchemaInKafka(migration);
            migration.stopServices();

            RebuiltDatabase rebuilt = new RebuiltDatabase(migration, "history_rebuilt");
            rebuilt.assertDone(rebuilt.rebuild("--json"));

            rebuilt.assertEqualsSource();
            assertThat(rebuilt.said()).contains("\"commitLsn\":").contains("\"missing\":[]");
            assertThat(migration.number(rebuilt.endpoint(), SEQUENCE))
                    .as("the value that the switch gave the target")
                    .isEqualTo(migration.number(migration.migration().target(), SEQUENCE));
        }
    }

    private void create(String table, String columns, String values) throws SQLException {
        migration.execute(
                source,
                "CREATE TABLE public." + table + " (" + columns + ")",
                "INSERT INTO public." + table + " SELECT " + values + " FROM generate_series(1, 30) i");
        if (table.equals("numbered")) {
            migration.execute(source, "SELECT setval('public.numbered_id_seq', 30)");
        }
    }
}
