package io.wherry.rehearsal.load;

import static org.assertj.core.api.Assertions.assertThat;
import static org.awaitility.Awaitility.await;

import io.wherry.contract.config.Endpoint;
import io.wherry.coordinator.journal.State;
import io.wherry.rehearsal.fixture.EveryThirdDay;
import io.wherry.rehearsal.fixture.MigrationFixture;
import io.wherry.rehearsal.fixture.ServerPair;
import java.sql.SQLException;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;

/** Names that pass to other tables and columns while the migration runs. */
@EveryThirdDay(1)
class TableIdentityTest {
    private MigrationFixture migration;
    private Endpoint source;

    @BeforeEach
    void start() throws SQLException {
        migration = MigrationFixture.between(ServerPair.shared(), "identity");
        migration.file("");
        source = migration.migration().source();
    }

    @AfterEach
    void stop() {
        migration.close();
    }

    private void create(String table, String columns, String row) throws SQLException {
        migration.execute(
                source,
                "CREATE TABLE public." + table + " (" + columns + ")",
                "INSERT INTO public." + table + " SELECT " + row + " FROM generate_series(1, 50) i");
    }

    @Test
    void changesOfATableAreNotAppliedToTheRowsOfAnotherThatHadItsName() throws Exception {
        create("blue", "id int PRIMARY KEY, t text", "i, 'blue'");
        create("green", "id int PRIMARY KEY, t text", "i, 'green'");
        create("basket", "id serial PRIMARY KEY, v text", "i, 'old' || i");
        create("basket_new", "id bigint PRIMARY KEY, v text, extra int", "i, 'new' || i, 0");
        create("line", "id int PRIMARY KEY, basket int REFERENCES public.basket", "i, i");
        create("crate", "id int PRIMARY KEY, v text", "i, 'old' || i");
        create("again", "id int PRIMARY KEY, v text, gone int", "i, 'old' || i, i");
        create("away", "id int PRIMARY KEY, v text", "i, 'old' || i");
        create("column_again", "id int PRIMARY KEY, c text, d text", "i, 'old' || i, 'd'");
        create("columns_swapped", "id int PRIMARY KEY, a text, b text", "i, 'a' || i, 'b' || i");
        migration.startCoordinator();
        migration.startSource();
        migration.startSink();
        migration.awaitState(State.IN_SYNC);

        migration.execute(
                source,
                "BEGIN; ALTER TABLE public.blue RENAME TO tmp; ALTER TABLE public.green RENAME TO blue;"
                        + " ALTER TABLE public.tmp RENAME TO green; COMMIT",
                "INSERT INTO public.blue VALUES (100, 'into old green')",
                "UPDATE public.green SET t = 'changed' WHERE id = 1",
                "BEGIN; ALTER TABLE public.basket RENAME TO basket_old;"
                        + " ALTER TABLE public.basket_new RENAME TO basket; COMMIT",
                "INSERT INTO public.basket VALUES (1000, 'after', 5)",
                "UPDATE public.basket_old SET v = 'changed' WHERE id < 5",
                "CREATE TABLE public.crate_new (id bigint PRIMARY KEY, v text, extra int DEFAULT 7)",
                "INSERT INTO public.crate_new SELECT id, v, 1 FROM public.crate",
                "BEGIN; ALTER TABLE public.crate RENAME TO crate_old; ALTER TABLE public.crate_new RENAME TO crate; COMMIT",
                "UPDATE public.crate SET v = 'changed' WHERE id < 5",
                "UPDATE public.crate_old SET v = 'changed too' WHERE id < 3",
                "BEGIN; DROP TABLE public.again; CREATE TABLE public.again (id bigint PRIMARY KEY, other text); COMMIT",
                "INSERT INTO public.again SELECT i, 'again' FROM generate_series(1, 7) i",
                "ALTER TABLE public.away RENAME TO elsewhere",
                "UPDATE public.elsewhere SET v = 'changed elsewhere' WHERE id = 1",
                "ALTER TABLE public.elsewhere RENAME TO away",
                "UPDATE public.column_again SET c = 'before' WHERE id = 1",
                "ALTER TABLE public.column_again DROP COLUMN c",
                "ALTER TABLE public.column_again ADD COLUMN c text DEFAULT 'fresh'",
                "UPDATE public.column_again SET c = 'after' WHERE id = 2",
                "ALTER TABLE public.columns_swapped RENAME COLUMN a TO tmp",
                "ALTER TABLE public.columns_swapped RENAME COLUMN b TO a",
                "ALTER TABLE public.columns_swapped RENAME COLUMN tmp TO b");
        await("all replaced tables are re-loaded")
                .atMost(MigrationFixture.PATIENCE)
                .until(() -> migration.numberFromTarget(
                                "SELECT count(*) FROM wherry.relation WHERE ready_at IS NOT NULL AND load_epoch > 1"
                                        + " AND table_name IN ('blue', 'green', 'basket', 'basket_old', 'crate', 'crate_old',"
                                        + " 'again', 'column_again', 'columns_swapped')")
                        == 9);
        migration.awaitState(State.IN_SYNC);
        migration.execute(
                source,
                "UPDATE public.blue SET t = 'followed' WHERE id = 2",
                "DELETE FROM public.line WHERE id = 3",
                "DELETE FROM public.basket_old WHERE id = 3");

        migration.completeExactly();
        assertThat(
                        migration.number(
                                migration.migration().target(),
                                "SELECT count(*) FROM pg_constraint WHERE contype = 'f' AND confrelid = 'public.basket_old'::regclass"))
                .isEqualTo(1);
    }
}
