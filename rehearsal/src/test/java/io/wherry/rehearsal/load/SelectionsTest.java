package io.wherry.rehearsal.load;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.awaitility.Awaitility.await;

import io.wherry.contract.config.Endpoint;
import io.wherry.contract.error.ConfigurationException;
import io.wherry.coordinator.cutover.CutoverResult.Outcome;
import io.wherry.coordinator.journal.State;
import io.wherry.rehearsal.fixture.MigrationFixture;
import java.util.Optional;
import org.junit.jupiter.api.Test;

/** {@code tables.where} and {@code tables.load-only}. */
class SelectionsTest {
    @Test
    void rowsEnterAndLeaveAFilterAndLoadOnlyTablesStayAsTheyWereLoaded() throws Exception {
        try (MigrationFixture migration = new MigrationFixture("selections", 15, 15)) {
            migration.file("tables: {where: {public.certificates: \"kind = 'EPC'\", public.keyed: \"id > 50\","
                    + " public.apart: \"id > 50\"},"
                    + " load-only: [\"public.countries\"]}");
            Endpoint source = migration.migration().source();
            migration.execute(
                    source,
                    "CREATE TABLE public.certificates (id int PRIMARY KEY, kind text, body text)",
                    "INSERT INTO public.certificates SELECT i, CASE WHEN i % 2 = 0 THEN 'EPC' ELSE 'DEC' END, repeat('x', i)"
                            + " FROM generate_series(1, 200) i",
                    "CREATE TABLE public.keyed (id int PRIMARY KEY, name text)",
                    "INSERT INTO public.keyed SELECT i, 'n' || i FROM generate_series(1, 100) i",
                    "CREATE TABLE public.apart (id int PRIMARY KEY, hits int, body text)",
                    "ALTER TABLE public.apart ALTER COLUMN body SET STORAGE EXTERNAL",
                    "INSERT INTO public.apart SELECT i, 0, repeat('x', 4000) FROM generate_series(1, 100) i",
                    "CREATE UNLOGGED TABLE public.countries (code text)",
                    "INSERT INTO public.countries VALUES ('ch'), ('at')");
            assertThatThrownBy(migration::startSource)
                    .isInstanceOf(ConfigurationException.class)
                    .hasMessageContaining("uses \"kind\", which its replica identity does not include")
                    .hasMessageContaining("REPLICA IDENTITY FULL");
            migration.execute(source, "ALTER TABLE public.certificates REPLICA IDENTITY FULL");

            migration.startCoordinator();
            migration.startSource();
            migration.startSink();
            migration.awaitState(State.IN_SYNC);
            assertThat(migration.numberFromTarget("SELECT count(*) FROM public.certificates"))
                    .isEqualTo(100);
            aRowThatEntersWithoutItsLargeValueIsNotWrittenWithNull(migration);
            migration.execute(
                    source,
                    "UPDATE public.certificates SET kind = 'EPC' WHERE id = 1",
                    "UPDATE public.certificates SET kind = 'DEC' WHERE id = 2",
                    "UPDATE public.certificates SET body = 'new' WHERE id IN (3, 4)",
                    "DELETE FROM public.certificates WHERE id IN (5, 6)",
                    "INSERT INTO public.certificates VALUES (201, 'DEC', ''), (202, 'EPC', '')",
                    "UPDATE public.keyed SET id = 1000 WHERE id = 1",
                    "UPDATE public.keyed SET id = 0 WHERE id = 100",
                    "DELETE FROM public.countries");
            await("a row entered, another left")
                    .atMost(MigrationFixture.PATIENCE)
                    .until(() -> migration.numberFromTarget("SELECT count(*) FROM public.keyed WHERE id IN (100, 1000)"
                                    + " AND EXISTS (SELECT FROM public.keyed WHERE id = 1000)")
                            == 1);

            migration.awaitState(State.IN_SYNC);
            assertThat(migration.cutOver().outcome()).isEqualTo(Outcome.COMPLETED);
            migration.assertSourceEqualsTarget();
            assertThat(migration.numberFromTarget("SELECT count(*) FROM public.countries"))
                    .isEqualTo(2);
        }
    }

    private static void aRowThatEntersWithoutItsLargeValueIsNotWrittenWithNull(MigrationFixture migration)
            throws Exception {
        Endpoint source = migration.migration().source();
        migration.execute(source, "UPDATE public.apart SET id = 1000 WHERE id = 1");
        await("the table stops")
                .atMost(MigrationFixture.PATIENCE)
                .until(() -> migration.coordinator().status().tables().stream()
                        .anyMatch(table -> table.table().equals("public.apart") && table.error() != null));
        assertThat(migration.numberFromTarget("SELECT count(*) FROM public.apart WHERE body IS NULL"))
                .isZero();
        assertThat(migration.coordinator().status().tables())
                .filteredOn(table -> table.table().equals("public.apart"))
                .singleElement()
                .extracting(table -> table.error())
                .asString()
                .contains("column \"body\"", "REPLICA IDENTITY FULL; then wherry reload --table public.apart");
        migration.execute(source, "ALTER TABLE public.apart REPLICA IDENTITY FULL");
        migration.coordinator().reload(Optional.of("public.apart"));
        await("re-loaded")
                .atMost(MigrationFixture.PATIENCE)
                .until(() -> migration.numberFromTarget("SELECT count(*) FROM public.apart WHERE id = 1000") == 1);
        migration.execute(source, "UPDATE public.apart SET id = 1002 WHERE id = 2");
        await("a row entered with its large value")
                .atMost(MigrationFixture.PATIENCE)
                .until(() -> migration.numberFromTarget(
                                "SELECT count(*) FROM public.apart WHERE id = 1002 AND length(body) = 4000")
                        == 1);
    }

    @Test
    void filtersAreRefusedWhereTheServerCannotApplyThem() throws Exception {
        try (MigrationFixture migration = new MigrationFixture("unfiltered", 13, 13)) {
            migration.file("tables: {where: {public.a: \"id > 1\", public.b: \"nothing > 1\", public.c: \"true\"}}");
            migration.execute(
                    migration.migration().source(),
                    "CREATE TABLE public.a (id int PRIMARY KEY)",
                    "CREATE TABLE public.b (id int PRIMARY KEY)");
            assertThatThrownBy(migration::startSource)
                    .isInstanceOf(ConfigurationException.class)
                    .hasMessageContaining("public.a")
                    .hasMessageContaining("servers before 15")
                    .hasMessageContaining("column \"nothing\" does not exist")
                    .hasMessageContaining("public.c is not a selected table");
        }
    }
}
