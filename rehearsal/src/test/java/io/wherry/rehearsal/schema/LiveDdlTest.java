package io.wherry.rehearsal.schema;

import static org.assertj.core.api.Assertions.assertThat;
import static org.awaitility.Awaitility.await;

import io.wherry.contract.config.Endpoint;
import io.wherry.coordinator.cutover.CutoverResult;
import io.wherry.coordinator.cutover.CutoverResult.Outcome;
import io.wherry.coordinator.journal.State;
import io.wherry.coordinator.machine.Status.TableStatus;
import io.wherry.rehearsal.fixture.EveryThirdDay;
import io.wherry.rehearsal.fixture.MigrationFixture;
import java.sql.SQLException;
import java.util.Optional;
import java.util.concurrent.CompletableFuture;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;

/** ALTER TABLE on the source while the migration runs. */
@EveryThirdDay(0)
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
        for (String table : new String[] {"added", "renamed", "dropped", "retyped", "random", "emptied"}) {
            migration.execute(
                    source,
                    "CREATE TABLE public." + table + " (id int PRIMARY KEY, name varchar(10), gone int)",
                    "INSERT INTO public." + table + " SELECT i, 'n' || i, i FROM generate_series(1, 100) i");
        }
        migration.execute(
                source,
                "CREATE INDEX by_gone ON public.dropped (gone)",
                // So that a commit waits for standbys only where a test needs that.
                "ALTER ROLE wherry SET synchronous_commit = local");
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
                "TRUNCATE public.emptied",
                "INSERT INTO public.emptied VALUES (1, 'before', 1), (2, 'before', 2)",
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
        awaitError("random", "rewrote the table's rows", "ADD COLUMN \"dice\" double precision");
        await("other tables continue")
                .atMost(MigrationFixture.PATIENCE)
                .until(() -> migration.numberFromTarget("SELECT late FROM public.added WHERE name = 'after'") == 7);
        assertThat(error("added")).isNull();
        migration.execute(source, "ALTER TABLE public.emptied ALTER COLUMN gone SET NOT NULL");
        await("tables that have stopped do not block the DDL of another table")
                .atMost(MigrationFixture.PATIENCE)
                .until(() -> migration.numberFromTarget("SELECT count(*) FROM pg_attribute WHERE attname = 'gone'"
                                + " AND attrelid = 'public.emptied'::regclass AND attnotnull")
                        == 1);
        assertThat(migration.number(target, "SELECT gone FROM public.renamed WHERE id = 1"))
                .as("changes before the DDL are applied")
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
        for (String table : new String[] {"renamed", "dropped", "retyped", "random"}) {
            assertThat(error(table)).endsWith("then wherry retry --table public." + table);
        }
        migration.coordinator().retry(Optional.empty());
        await("no table stopped")
                .atMost(MigrationFixture.PATIENCE)
                .until(() ->
                        migration.coordinator().status().tables().stream().allMatch(table -> table.error() == null));
        migration.awaitState(State.IN_SYNC);
        migration.execute(
                source,
                "ALTER TABLE public.emptied ADD COLUMN note text, ADD COLUMN size int DEFAULT 3",
                "UPDATE public.emptied SET note = 'after' WHERE id = 2");
        await("the column that came to an emptied table")
                .atMost(MigrationFixture.PATIENCE)
                .until(() -> migration.numberFromTarget("SELECT size FROM public.emptied WHERE note = 'after'") == 3);
        migration.awaitState(State.IN_SYNC);
        migration.execute(source, "INSERT INTO public.added (id) VALUES (103)");

        migration.cutOverAndCompare();
        migration.execute(target, "INSERT INTO public.added (id) VALUES (104)");
        assertThat(migration.number(target, "SELECT amount FROM public.added WHERE id = 104"))
                .as("the current default")
                .isEqualTo(5);
    }

    @Test
    void newTablesAreCreatedLoadedAndFollowed() throws Exception {
        migration.execute(
                source,
                "CREATE SCHEMA fresh",
                "CREATE TABLE fresh.fresh (id serial PRIMARY KEY, name text NOT NULL DEFAULT 'n', CHECK (id > 0))",
                "CREATE UNIQUE INDEX by_name ON fresh.fresh (lower(name)) WHERE id > 10",
                "CREATE TABLE public.keyless (name text)",
                "ALTER TABLE public.renamed RENAME TO moved",
                "INSERT INTO fresh.fresh (name) SELECT 'n' || i FROM generate_series(1, 1000) i",
                "DROP TABLE public.dropped",
                "UPDATE public.moved SET name = 'moved' WHERE id = 1",
                "DROP TABLE public.random",
                "CREATE TABLE public.random (id int PRIMARY KEY, name varchar(10), gone int)",
                "INSERT INTO public.random VALUES (1, 'another', 1)",
                "CREATE TABLE public.parted (id int, at date, PRIMARY KEY (id, at)) PARTITION BY RANGE (at)",
                "CREATE INDEX ON public.parted (at)",
                "CREATE TABLE public.parted_1 PARTITION OF public.parted FOR VALUES FROM ('2020-01-01') TO ('2021-01-01')",
                "INSERT INTO public.parted VALUES (1, '2020-05-05')");
        CutoverResult refused = migration.cutOver();
        assertThat(refused.outcome()).isEqualTo(Outcome.REFUSED);
        assertThat(refused.reason())
                .contains("fresh.fresh exists on the source only")
                .contains("public.keyless exists on the source only")
                .contains("public.dropped is not on the source any more");
        migration.execute(target, "DROP TABLE public.dropped");
        migration.execute(
                source,
                "INSERT INTO public.keyless VALUES ('a'), ('a')",
                "DELETE FROM fresh.fresh WHERE id = 5",
                "CREATE TABLE public.parted_2 PARTITION OF public.parted FOR VALUES FROM ('2021-01-01') TO ('2022-01-01')",
                "UPDATE public.parted SET at = '2021-05-05'");
        await("taken in")
                .atMost(MigrationFixture.PATIENCE)
                .until(() -> migration.numberFromTarget(
                                "SELECT count(*) FROM wherry.relation WHERE ready_at IS NOT NULL AND table_name IN"
                                        + " ('fresh', 'keyless', 'moved', 'random', 'parted_1', 'parted_2') AND load_epoch > 1")
                        == 6);
        migration.awaitState(State.IN_SYNC);
        // A partition with indexes that its parent gets on the target only after it.
        migration.execute(
                source,
                "CREATE INDEX late ON public.parted (id)",
                "ALTER TABLE public.parted ADD CONSTRAINT pair UNIQUE (at, id)",
                "CREATE TABLE public.parted_3 PARTITION OF public.parted FOR VALUES FROM ('2022-01-01') TO ('2023-01-01')",
                "INSERT INTO public.parted VALUES (3, '2022-05-05')",
                "UPDATE fresh.fresh SET name = 'late' WHERE id = 6",
                "DELETE FROM public.random");

        await("followed").atMost(MigrationFixture.PATIENCE).untilAsserted(() -> assertThat(
                        migration.compareSchemas().notFollowed())
                .isEmpty());
        migration.completeExactly();
    }

    @Tag("slow")
    @Test
    void indexesAndConstraintsArriveAfterTheRowsThatTheyHoldFor() throws Exception {
        migration.execute(
                source,
                "CREATE TABLE public.parted (id int, name text) PARTITION BY RANGE (id)",
                "CREATE TABLE public.parted_1 PARTITION OF public.parted FOR VALUES FROM (1) TO (100)",
                "CREATE TABLE public.parted_2 PARTITION OF public.parted FOR VALUES FROM (100) TO (200)",
                "CREATE TABLE public.parted_rest PARTITION OF public.parted DEFAULT",
                "INSERT INTO public.parted SELECT i, 'n' || i FROM generate_series(50, 150) i");
        await("taken in")
                .atMost(MigrationFixture.PATIENCE)
                .until(() ->
                        migration.numberFromTarget("SELECT count(*) FROM wherry.relation WHERE ready_at IS NOT NULL"
                                        + " AND table_name IN ('parted_1', 'parted_2', 'parted_rest')")
                                == 3);
        migration.execute(
                source,
                "INSERT INTO public.added VALUES (-1, NULL, -1)",
                "DELETE FROM public.added WHERE id = -1",
                "ALTER TABLE public.added ADD CHECK (id > 0), ALTER COLUMN name SET NOT NULL, ADD UNIQUE (gone)",
                "CREATE INDEX ON public.added (name)",
                "ALTER TABLE public.added ALTER COLUMN gone SET DEFAULT 7",
                "ALTER TABLE public.renamed ADD FOREIGN KEY (id) REFERENCES public.added ON DELETE CASCADE",
                "ALTER TABLE public.dropped ALTER COLUMN id ADD GENERATED BY DEFAULT AS IDENTITY (START 500)",
                "UPDATE public.parted_2 SET name = 'before'",
                "ALTER TABLE public.parted ADD COLUMN at timestamptz DEFAULT now(), ADD COLUMN more int",
                "UPDATE public.parted_1 SET name = 'after'",
                "CREATE INDEX ON public.parted (name)",
                "ALTER TABLE public.parted DETACH PARTITION public.parted_1",
                "INSERT INTO public.parted_1 VALUES (1000, 'outside')",
                "INSERT INTO public.parted VALUES (60, 'the default partition takes what has no other now')",
                "UPDATE public.parted_2 SET more = 1 WHERE id = 101",
                "ALTER TABLE public.random ADD COLUMN id_2 int GENERATED ALWAYS AS (id * 2) STORED",
                """
                CREATE FUNCTION public.note() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NEW; END'
                """,
                "CREATE TRIGGER note BEFORE UPDATE ON public.retyped FOR EACH ROW EXECUTE FUNCTION public.note()");
        migration.execute(
                target, "CREATE FUNCTION public.note() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NEW; END'");
        await("all is followed")
                .atMost(MigrationFixture.PATIENCE)
                // The trigger came last: once it is there, everything before it is there.
                .until(() -> migration.numberFromTarget("SELECT count(*) FROM wherry.ddl WHERE kind = 'TRIGGER'") == 1
                        && migration.coordinator().status().nextSteps().size() == 2);

        migration.completeExactly();
    }

    /** The server sends a transaction before other sessions see it: here, as long as no synchronous standby answers. */
    @Test
    void aColumnThatTheCatalogDoesNotShowYetComesWithItsDefault() throws Exception {
        migration.execute(source, "ALTER SYSTEM SET synchronous_standby_names = 'nobody'", "SELECT pg_reload_conf()");
        CompletableFuture<Void> commit = CompletableFuture.runAsync(() -> {
            try {
                migration.execute(
                        source,
                        "SET synchronous_commit = on",
                        "BEGIN",
                        "ALTER TABLE public.added ADD COLUMN late boolean DEFAULT true",
                        "UPDATE public.added SET name = 'late' WHERE id = 1",
                        "COMMIT");
            } catch (SQLException e) {
                throw new IllegalStateException(e);
            }
        });
        await("waits in its COMMIT").atMost(MigrationFixture.PATIENCE).until(() -> "SyncRep"
                .equals(migration.text(
                        source, "SELECT max(wait_event) FROM pg_stat_activity WHERE wait_event = 'SyncRep'")));
        // Written after it, so the rows on the target show how far the stream got while that transaction waits.
        migration.execute(
                source, "SET synchronous_commit = local", "UPDATE public.renamed SET name = 'after' WHERE id = 1");
        await("met in the stream")
                .atMost(MigrationFixture.PATIENCE)
                .until(() -> migration.text(
                                        source,
                                        "SELECT max(query) FROM pg_stat_activity WHERE query LIKE '%txid_visible_in_snapshot(%'"
                                                + " AND pid <> pg_backend_pid()")
                                != null
                        || migration.numberFromTarget("SELECT count(*) FROM public.renamed WHERE name = 'after'") == 1);
        assertThat(commit).isNotDone();
        migration.execute(source, "ALTER SYSTEM RESET synchronous_standby_names", "SELECT pg_reload_conf()");
        commit.join();
        await("column")
                .atMost(MigrationFixture.PATIENCE)
                .until(() -> migration.numberFromTarget("SELECT count(*) FROM public.added WHERE name = 'late'") == 1);
        assertThat(migration.numberFromTarget("SELECT count(*) FROM public.added WHERE late"))
                .isEqualTo(100);
        migration.completeExactly();
    }

    @Test
    void differencesThatAreNotFollowedAreReportedBeforeTheCutover() throws Exception {
        String[] changes = {
            "CREATE FUNCTION public.price(int) RETURNS int LANGUAGE sql AS 'SELECT 1'",
            "CREATE VIEW public.shown AS SELECT id, name FROM public.added",
            "CREATE TYPE public.mood AS ENUM ('glad')",
            "GRANT SELECT ON public.renamed TO PUBLIC",
            "COMMENT ON COLUMN public.dropped.name IS 'live'",
            "ALTER TABLE public.renamed CLUSTER ON renamed_pkey",
            "DROP INDEX public.by_gone"
        };
        migration.execute(source, changes);
        assertThat(migration
                        .coordinator()
                        .cutover(true)
                        .toCompletableFuture()
                        .join()
                        .plan())
                .anyMatch(step ->
                        step.startsWith("ADVICE: not followed: on the source only: CREATE FUNCTION public.price"));
        await("status reports all differences")
                .atMost(MigrationFixture.PATIENCE)
                .untilAsserted(() -> assertThat(String.join(
                                "\n", migration.coordinator().status().nextSteps()))
                        .contains("on the source only: CREATE FUNCTION public.price(integer)")
                        .contains("on the source only: CREATE VIEW public.shown")
                        .contains("on the source only: CREATE TYPE public.mood")
                        .contains("on the source only: GRANT SELECT ON TABLE public.renamed TO PUBLIC")
                        .contains("on the source only: COMMENT ON COLUMN public.dropped.name IS 'live'")
                        .contains("on the source only: ALTER TABLE public.renamed CLUSTER ON renamed_pkey")
                        .contains("on the target only: CREATE INDEX by_gone"));

        migration.execute(target, changes);
        await("no difference is left")
                .atMost(MigrationFixture.PATIENCE)
                .until(() -> migration.coordinator().status().nextSteps().size() == 2);
        migration.completeExactly();
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
