package io.wherry.rehearsal.capture;

import static org.assertj.core.api.Assertions.assertThat;
import static org.awaitility.Awaitility.await;

import io.wherry.contract.config.Endpoint;
import io.wherry.coordinator.journal.State;
import io.wherry.rehearsal.fixture.MigrationFixture;
import java.sql.SQLException;
import java.util.concurrent.atomic.AtomicReference;
import org.junit.jupiter.api.Test;

/** Replica identities that change, and tables that are renamed, while Wherry follows them. */
class ChangedIdentitiesTest {
    private static final String IDENTITIES =
            "SELECT string_agg(relname || ' ' || relreplident::text, ', ' ORDER BY relname)"
                    + " FROM pg_class WHERE relnamespace = 'public'::regnamespace AND relkind = 'r'";

    private static final String NOTED = "SELECT string_agg(coalesce(c.relname, 'dropped'), ', ' ORDER BY c.relname)"
            + " FROM pg_publication p, json_array_elements(obj_description(p.oid, 'pg_publication')::json -> 'changed') one"
            + " LEFT JOIN pg_class c ON c.oid = (one ->> 'oid')::oid";

    /**
     * Seen to fail before: the source refused every update of the filtered table, for as long as the test waited (PostgreSQL:
     * "Column used in the publication WHERE expression is not part of the replica identity").
     */
    @Test
    void updatesOfAFilteredTableContinueUnderAnotherKeyAndIdentitiesOfRenamedTablesAreRestored() throws Exception {
        try (MigrationFixture migration = new MigrationFixture("identities", 15, 15)) {
            migration.file("tables: {where: {public.filtered: \"kind = 'kept'\"}}");
            Endpoint source = migration.migration().source();
            migration.execute(
                    source,
                    "CREATE TABLE public.filtered (id int, kind text, n int, PRIMARY KEY (id, kind))",
                    "INSERT INTO public.filtered SELECT i, CASE WHEN i < 6 THEN 'kept' ELSE 'other' END, i"
                            + " FROM generate_series(1, 10) i",
                    "CREATE TABLE public.entries (line text)",
                    "INSERT INTO public.entries VALUES ('old'), ('old')",
                    "CREATE TABLE public.staging (line text)");
            migration.startAll();
            migration.awaitState(State.IN_SYNC);

            migration.execute(
                    source,
                    "ALTER TABLE public.filtered DROP CONSTRAINT filtered_pkey, ADD PRIMARY KEY (id)",
                    "ALTER TABLE public.entries RENAME TO entries_2024",
                    "CREATE TABLE public.entries (line text)",
                    "INSERT INTO public.entries VALUES ('new')",
                    "DROP TABLE public.staging",
                    "CREATE TABLE public.staging (line text)");
            AtomicReference<String> refused = new AtomicReference<>();
            await("the source takes updates of the filtered table")
                    .atMost(MigrationFixture.PATIENCE)
                    .until(() -> {
                        try {
                            migration.execute(source, "UPDATE public.filtered SET n = 100 WHERE id IN (1, 7)");
                            return true;
                        } catch (SQLException e) {
                            refused.set(e.getMessage());
                            return false;
                        }
                    });
            migration.execute(
                    source,
                    "UPDATE public.filtered SET kind = 'kept' WHERE id = 8",
                    "UPDATE public.filtered SET kind = 'other' WHERE id = 2",
                    "DELETE FROM public.filtered WHERE id = 3");
            await("the new table has its identity too")
                    .atMost(MigrationFixture.PATIENCE)
                    .until(() -> migration
                            .text(source, IDENTITIES)
                            .equals("entries f, entries_2024 f, filtered f, staging f"));
            assertThat(migration.text(source, NOTED)).isEqualTo("entries, entries_2024, filtered, staging");
            migration.execute(source, "UPDATE public.entries SET line = 'newer'");
            migration.cutOverAndCompare();
            assertThat(migration.text(
                            migration.migration().target(),
                            "SELECT string_agg(id || ' ' || n, ', ' ORDER BY id) FROM public.filtered"))
                    .as(() -> "the source refused at first: " + refused.get())
                    .isEqualTo("1 100, 4 4, 5 5, 8 8");
            await("the identities are as they were")
                    .atMost(MigrationFixture.PATIENCE)
                    .until(
                            () -> migration.text(source, IDENTITIES),
                            "entries d, entries_2024 d, filtered d, staging d"::equals);
        }
    }
}
