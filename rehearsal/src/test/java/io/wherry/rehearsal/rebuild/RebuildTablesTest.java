package io.wherry.rehearsal.rebuild;

import static org.assertj.core.api.Assertions.assertThat;
import static org.awaitility.Awaitility.await;

import io.wherry.cli.ExitCode;
import io.wherry.contract.config.Endpoint;
import io.wherry.contract.name.TableId;
import io.wherry.contract.postgres.Sessions;
import io.wherry.coordinator.journal.State;
import io.wherry.rehearsal.CopyText;
import io.wherry.rehearsal.fixture.EveryThirdDay;
import io.wherry.rehearsal.fixture.MigrationFixture;
import java.io.IOException;
import java.sql.Connection;
import java.sql.SQLException;
import java.util.List;
import org.junit.jupiter.api.Test;

/** A part of the tables is rebuilt; what is left out is named. */
@EveryThirdDay(1)
class RebuildTablesTest {
    private static final String WRITTEN = "SELECT count(*) FROM pg_namespace WHERE nspname = 'wherry'";
    private static final String TABLES = "SELECT string_agg(relname, ',' ORDER BY relname) FROM pg_class"
            + " WHERE relkind IN ('r', 'p', 'v', 'm') AND relnamespace = 'public'::regnamespace";
    private static final List<String> SCHEMA = List.of(
            "CREATE TABLE public.customers (id serial PRIMARY KEY, name text)",
            "CREATE TABLE public.items (id int PRIMARY KEY)",
            "CREATE TABLE public.\"Order Lines\" (id int PRIMARY KEY, customer int CONSTRAINT of_customer REFERENCES public.customers,"
                    + " item int CONSTRAINT of_item REFERENCES public.items)",
            "CREATE INDEX lines_item ON public.\"Order Lines\" (item)",
            "CREATE TABLE public.notes (id serial PRIMARY KEY, customer int REFERENCES public.customers)",
            "CREATE TABLE public.borrower (id int PRIMARY KEY DEFAULT nextval('public.notes_id_seq'))",
            "CREATE TABLE public.parent (v int)",
            "CREATE TABLE public.child (id int PRIMARY KEY) INHERITS (public.parent)",
            "CREATE TABLE public.events (id int NOT NULL) PARTITION BY RANGE (id)",
            "CREATE TABLE public.events_1 PARTITION OF public.events FOR VALUES FROM (0) TO (100)",
            "CREATE TABLE public.events_2 PARTITION OF public.events FOR VALUES FROM (100) TO (200)",
            "CREATE TABLE public.days (id int NOT NULL) PARTITION BY RANGE (id)",
            "CREATE TABLE public.days_1 PARTITION OF public.days FOR VALUES FROM (0) TO (100)",
            "CREATE VIEW public.of_lines AS SELECT l.id, c.name FROM public.\"Order Lines\" l JOIN public.customers c ON c.id = l.customer",
            "CREATE VIEW public.of_notes AS SELECT n.id, c.name FROM public.notes n JOIN public.customers c ON c.id = n.customer",
            "CREATE FUNCTION public.stamp() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NEW; END'",
            "CREATE TRIGGER stamped BEFORE INSERT ON public.customers FOR EACH ROW EXECUTE FUNCTION public.stamp()",
            "CREATE TRIGGER noted BEFORE INSERT ON public.notes FOR EACH ROW EXECUTE FUNCTION public.stamp()",
            "CREATE MATERIALIZED VIEW public.note_counts AS SELECT count(*) AS n FROM public.notes",
            "INSERT INTO public.customers (name) SELECT 'c' || i FROM generate_series(1, 200) i",
            "INSERT INTO public.items SELECT generate_series(1, 20)",
            "INSERT INTO public.\"Order Lines\" SELECT i, i, i % 20 + 1 FROM generate_series(1, 200) i",
            "INSERT INTO public.notes (customer) SELECT 1 FROM generate_series(1, 50)",
            "INSERT INTO public.child VALUES (1, 1)",
            "INSERT INTO public.events SELECT generate_series(0, 199)",
            "INSERT INTO public.days SELECT generate_series(0, 99)");

    private MigrationFixture migration;

    @Test
    void theChosenTablesComeWithWhatRefersToThemAloneAndTheRestIsNamed() throws Exception {
        try (MigrationFixture fixture = new MigrationFixture("part", 15, 15)) {
            migration = fixture;
            migration.file("");
            Endpoint source = migration.migration().source();
            migration.execute(source, SCHEMA.toArray(String[]::new));
            migration.startAll();
            migration.awaitState(State.IN_SYNC);
            migration.execute(
                    source,
                    "UPDATE public.customers SET name = 'changed' WHERE id < 20",
                    "INSERT INTO public.customers (name) SELECT 'late' FROM generate_series(1, 10)",
                    "UPDATE public.notes SET customer = 2 WHERE id < 10",
                    "DELETE FROM public.events WHERE id % 3 = 0");
            await("the last statement is on the first target")
                    .atMost(MigrationFixture.PATIENCE)
                    .until(() -> migration.numberFromTarget("SELECT count(*) FROM public.events") == 133);
            RebuiltDatabase.awaitSchemaInKafka(migration);
            migration.stopServices();
            RebuiltDatabase rebuilt = new RebuiltDatabase(migration, "part_rebuilt");

            assertThat(rebuilt.rebuild("--tables", "public.customers,public.orders"))
                    .isEqualTo(ExitCode.CONFIGURATION);
            assertThat(rebuilt.said())
                    .contains("table public.orders: is not among the tables that are migrated")
                    .contains("Give the name as wherry tables writes it");
            assertThat(rebuilt.rebuild("--tables", "public.borrower")).isEqualTo(ExitCode.NOT_IN_SYNC);
            assertThat(rebuilt.said())
                    .contains("table public.borrower: the default of its column id, nextval('public.notes_id_seq'")
                    .contains("needs an object of a table that was not chosen")
                    .contains("Name that table with --tables too");
            assertThat(migration.number(rebuilt.endpoint(), WRITTEN)).isZero();
            assertThat(migration.text(rebuilt.endpoint(), TABLES)).isNull();

            String[] part = {
                "--tables", "public.customers,public.Order*", "--tables", "public.child,public.events_1,public.days_1"
            };
            rebuilt.assertDone(rebuilt.rebuild(part));

            assertThat(migration.text(rebuilt.endpoint(), TABLES))
                    .isEqualTo("Order Lines,child,customers,days,days_1,events_1,of_lines");
            for (String table : List.of("customers", "Order Lines", "child", "events_1", "days_1")) {
                assertThat(rows(rebuilt.endpoint(), table)).as(table).isEqualTo(rows(source, table));
            }
            assertThat(
                            migration.text(
                                    rebuilt.endpoint(),
                                    "SELECT string_agg(conname || ' ' || convalidated, ',') FROM pg_constraint WHERE contype = 'f'"))
                    .isEqualTo("of_customer true");
            assertThat(migration.text(
                            rebuilt.endpoint(),
                            "SELECT string_agg(tgname, ',') FROM pg_trigger WHERE NOT tgisinternal"))
                    .isEqualTo("stamped");
            assertThat(migration.number(
                            rebuilt.endpoint(), "SELECT count(*) FROM pg_indexes WHERE indexname = 'lines_item'"))
                    .isEqualTo(1);
            assertThat(migration.number(rebuilt.endpoint(), "SELECT nextval('public.customers_id_seq')"))
                    .isGreaterThan(210);
            assertThat(rebuilt.said())
                    .contains("Rebuilt: 5 tables")
                    .doesNotContain("missing: ")
                    .contains("left out: FK CONSTRAINT Order Lines of_item: relation \"public.items\" does not exist")
                    .contains("left out: view public.of_notes: needs a table that was not chosen")
                    .contains("left out: table public.events: was not chosen, so public.events_1 is a table of its own")
                    .contains("left out: table public.parent: was not chosen, so public.child is a table of its own")
                    .contains("left out: materialized view public.note_counts: needs a table that was not chosen")
                    .contains("left out: TRIGGER notes noted: relation \"public.notes\" does not exist");

            assertThat(rebuilt.rebuild()).isEqualTo(ExitCode.NOT_IN_SYNC);
            assertThat(rebuilt.said()).contains("is a rebuild of other tables, public.customers,public.Order*,");
            assertThat(rebuilt.rebuild("--tables", "public.customers")).isEqualTo(ExitCode.NOT_IN_SYNC);
            rebuilt.assertDone(rebuilt.rebuild(
                    "--json", "--tables", "public.days_1,public.events_1,public.child,public.Order*,public.customers"));
            assertThat(rebuilt.said())
                    .contains("\"already\":true")
                    .contains("\"view public.of_notes: needs a table that was not chosen\"");
        }
    }

    private List<String> rows(Endpoint database, String table) throws SQLException, IOException {
        try (Connection session = Sessions.open(migration.migration(), database, "test")) {
            return CopyText.lines(session, "*", new TableId("public", table).quoted());
        }
    }
}
