package io.wherry.rehearsal;

import static org.assertj.core.api.Assertions.assertThat;
import static org.awaitility.Awaitility.await;

import io.wherry.contract.Endpoint;
import io.wherry.coordinator.CutoverResult;
import io.wherry.coordinator.CutoverResult.Outcome;
import io.wherry.coordinator.State;
import io.wherry.coordinator.Status.TableStatus;
import java.sql.SQLException;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;

/** ALTER TABLE on the source while the migration runs. */
class LiveDdlTest {
    private static int migrations;

    private MigrationFixture migration;
    private Endpoint source;
    private Endpoint target;

    @BeforeEach
    void start() throws SQLException {
        migration = new MigrationFixture("ddl-" + ++migrations, 15, 15);
        migration.file("");
        source = migration.migration().source();
        target = migration.migration().target();
        for (String table : new String[] {"added", "renamed", "dropped", "retyped", "random"}) {
            migration.execute(
                    source,
                    "CREATE TABLE public." + table + " (id int PRIMARY KEY, name varchar(10), gone int)",
                    "INSERT INTO public." + table + " SELECT i, 'n' || i, i FROM generate_series(1, 100) i");
        }
        migration.startCoordinator();
        migration.startSource();
        migration.startSink();
        migration.awaitState(State.IN_SYNC);
    }

    @AfterEach
    void stop() {
        migration.close();
    }

    @Test
    void whatIsAddedIsFollowedAndAllElseStopsItsTableAlone() throws Exception {
        migration.execute(
                source,
                "INSERT INTO public.added VALUES (101, 'before', 1)",
                """
                ALTER TABLE public.added ADD COLUMN "Note 1" text COLLATE "C",
                  ADD COLUMN amount numeric(10,2) NOT NULL DEFAULT 1.10, ADD COLUMN at timestamptz DEFAULT now(),
                  ADD COLUMN tags text[] DEFAULT '{a,"b c",NULL}', ADD COLUMN size varchar(3)
                """,
                "ALTER TABLE public.added ALTER COLUMN amount SET DEFAULT 5",
                "INSERT INTO public.added (id, size) VALUES (102, 'abc')",
                "BEGIN; ALTER TABLE public.added ADD COLUMN late int DEFAULT 7;"
                        + " UPDATE public.added SET name = 'after' WHERE id = 1; COMMIT");
        migration.execute(
                source,
                "UPDATE public.renamed SET gone = -1 WHERE id = 1",
                "ALTER TABLE public.renamed RENAME COLUMN gone TO kept",
                "UPDATE public.renamed SET kept = -2 WHERE id = 2",
                "UPDATE public.dropped SET gone = -1 WHERE id = 1",
                "ALTER TABLE public.dropped DROP COLUMN gone",
                "UPDATE public.dropped SET name = 'after' WHERE id = 2",
                "ALTER TABLE public.retyped ALTER COLUMN gone TYPE numeric(12,3)",
                "UPDATE public.retyped SET gone = 1.5 WHERE id = 2",
                "ALTER TABLE public.random ADD COLUMN dice double precision DEFAULT random()",
                "UPDATE public.random SET name = 'after' WHERE id = 2");

        awaitError("renamed", "renamed on the source, or dropped and another one added", "RENAME COLUMN");
        awaitError("dropped", "dropped on the source", "DROP COLUMN \"gone\"");
        awaitError("retyped", "has type numeric(12,3) on the source now, integer on the target", "TYPE numeric(12,3)");
        awaitError("random", "wrote the table's rows anew", "ADD COLUMN \"dice\" double precision");
        await("others go on")
                .atMost(MigrationFixture.PATIENCE)
                .until(() -> migration.numberFromTarget("SELECT late FROM public.added WHERE name = 'after'") == 7);
        assertThat(error("added")).isNull();
        assertThat(migration.number(target, "SELECT gone FROM public.renamed WHERE id = 1"))
                .as("what came before the change is applied")
                .isEqualTo(-1);

        migration.execute(
                target,
                "ALTER TABLE public.renamed RENAME COLUMN gone TO kept",
                "ALTER TABLE public.dropped DROP COLUMN gone",
                "ALTER TABLE public.retyped ALTER COLUMN gone TYPE numeric(12,3)",
                "ALTER TABLE public.random ADD COLUMN dice double precision");
        for (long id = 1; id <= 100; id++) {
            String dice = migration.text(source, "SELECT dice FROM public.random WHERE id = " + id);
            migration.execute(target, "UPDATE public.random SET dice = '" + dice + "' WHERE id = " + id);
        }
        migration.execute(target, "UPDATE wherry.relation SET stopped_because = NULL");
        await("no table stopped")
                .atMost(MigrationFixture.PATIENCE)
                .until(() ->
                        migration.coordinator().status().tables().stream().allMatch(table -> table.error() == null));
        migration.awaitState(State.IN_SYNC);
        migration.execute(source, "INSERT INTO public.added (id) VALUES (103)");

        assertThat(migration.cutOver().outcome()).isEqualTo(Outcome.COMPLETED);
        migration.assertSourceEqualsTarget();
        migration.execute(target, "INSERT INTO public.added (id) VALUES (104)");
        assertThat(migration.number(target, "SELECT amount FROM public.added WHERE id = 104"))
                .as("the default of today")
                .isEqualTo(5);
    }

    @Test
    void newTablesAreTakenInAndHoldTheCutoverUntilTheyAre() throws Exception {
        migration.execute(
                source,
                "CREATE TABLE public.fresh (id int PRIMARY KEY, name text)",
                "CREATE TABLE public.keyless (name text)",
                "ALTER TABLE public.renamed RENAME TO moved",
                "INSERT INTO public.fresh SELECT i, 'n' || i FROM generate_series(1, 1000) i",
                "DROP TABLE public.dropped",
                "UPDATE public.moved SET name = 'moved' WHERE id = 1",
                "DROP TABLE public.random",
                "CREATE TABLE public.random (id int PRIMARY KEY, name varchar(10), gone int)",
                "INSERT INTO public.random VALUES (1, 'another', 1)");
        CutoverResult refused = migration.cutOver();
        assertThat(refused.outcome()).isEqualTo(Outcome.REFUSED);
        assertThat(refused.reason())
                .contains("public.fresh exists on the source only")
                .contains("public.keyless exists on the source only")
                .contains("public.dropped is not on the source any more");
        await("said").atMost(MigrationFixture.PATIENCE).untilAsserted(() -> assertThat(
                        migration.coordinator().status().nextSteps().toString())
                .contains("table public.fresh exists on the source only"));

        migration.execute(
                target,
                "DROP TABLE public.dropped",
                "DROP TABLE public.renamed",
                "CREATE TABLE public.moved (id int PRIMARY KEY, name varchar(10), gone int)",
                "CREATE TABLE public.fresh (id int PRIMARY KEY, name text)",
                "CREATE TABLE public.keyless (name text)");
        migration.execute(
                source, "INSERT INTO public.keyless VALUES ('a'), ('a')", "DELETE FROM public.fresh WHERE id = 5");
        await("taken in")
                .atMost(MigrationFixture.PATIENCE)
                .until(() -> migration.numberFromTarget(
                                "SELECT count(*) FROM wherry.relation WHERE ready_at IS NOT NULL"
                                        + " AND table_name IN ('fresh', 'keyless', 'moved', 'random') AND load_epoch > 1")
                        == 4);
        migration.awaitState(State.IN_SYNC);
        migration.execute(source, "UPDATE public.fresh SET name = 'late' WHERE id = 6", "DELETE FROM public.random");

        assertThat(migration.cutOver().outcome()).isEqualTo(Outcome.COMPLETED);
        migration.assertSourceEqualsTarget();
    }

    private void awaitError(String table, String effect, String remedy) {
        await(table + " stopped")
                .atMost(MigrationFixture.PATIENCE)
                .untilAsserted(() -> assertThat(error(table)).contains(effect).contains(remedy));
    }

    private String error(String table) {
        return migration.coordinator().status().tables().stream()
                .filter(t -> t.table().equals("public." + table))
                .findFirst()
                .map(TableStatus::error)
                .orElse(null);
    }
}
