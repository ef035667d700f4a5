package io.wherry.rehearsal.apply;

import static io.wherry.rehearsal.fixture.SinkFixture.delete;
import static io.wherry.rehearsal.fixture.SinkFixture.insert;
import static io.wherry.rehearsal.fixture.SinkFixture.update;
import static org.assertj.core.api.Assertions.assertThat;

import io.wherry.contract.config.Endpoint;
import io.wherry.contract.postgres.Sessions;
import io.wherry.contract.postgres.TableShape;
import io.wherry.contract.postgres.TableShape.Column;
import io.wherry.rehearsal.fixture.SharedServer;
import io.wherry.rehearsal.fixture.SinkFixture;
import io.wherry.rehearsal.fixture.SinkFixture.Event;
import java.sql.Connection;
import java.sql.SQLException;
import java.sql.Statement;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;

/** Runs of new rows go by COPY, which refuses a row that exists; then the same rows are merged as ever. */
final class SinkCopyTest {
    private static final int RUN = 100;
    private static final String PEOPLE =
            "CREATE TABLE public.people (id int PRIMARY KEY, email text UNIQUE, note text)";
    private static final String OTHER = "CREATE TABLE public.other (id int PRIMARY KEY, note text)";
    private static final String ALL = "SELECT count(*), count(DISTINCT id), sum(id), min(note), max(note) FROM public.";
    private static final String COUNTED = "SELECT inserts, updates, deletes FROM wherry.relation WHERE table_name = '";
    private static final String STOPPED = "SELECT coalesce(max(stopped_because), 'no') FROM wherry.relation";

    private static int count;

    private SinkFixture sink;

    @BeforeEach
    void begin() throws SQLException {
        sink = new SinkFixture(SharedServer.target(17), "sinkcopy" + count++, 1);
    }

    @AfterEach
    void end() throws SQLException {
        sink.close();
    }

    /** Which statement inserts is seen by a trigger that is made after the first row: then the table is bound already. */
    @Test
    void runsGoByCopyAndSingleRowsDoNot() throws SQLException {
        prepare(PEOPLE);
        sink.commit(101, insert("people", 0, "first", "n"));
        sink.awaitDrained("people");
        watch("people");
        sink.commit(102, run(1, RUN, "n"));
        sink.awaitDrained("people");
        sink.commit(103, insert("people", RUN + 1, "last", "n"));
        sink.awaitDrained("people");
        assertThat(sink.query(
                        "SELECT string_agg(DISTINCT left(query, 15), '; ' ORDER BY left(query, 15)) FROM public.seen"))
                .isEqualTo("COPY \"public\".\"; INSERT INTO \"pu");
        assertThat(sink.query(ALL + "people")).isEqualTo(RUN + 2 + "|" + (RUN + 2) + "|5151|n|n");
        assertThat(sink.query(COUNTED + "people'")).isEqualTo(RUN + 2 + "|0|0");
    }

    /** COPY passes over rules and row-level security, and a trigger of its own kind may see the statement: as before then. */
    @Test
    void tablesOnWhichCopyWouldActOtherwiseAreNotCopied() throws SQLException {
        List<String> tables = List.of("ruled", "secured", "watched", "silent");
        for (String table : tables) {
            sink.execute("CREATE TABLE public." + table + " (id int PRIMARY KEY, email text, note text)");
        }
        sink.execute("CREATE RULE never AS ON INSERT TO public.ruled DO INSTEAD NOTHING");
        sink.execute("ALTER TABLE public.secured ENABLE ROW LEVEL SECURITY");
        watch("watched");
        sink.execute("CREATE TRIGGER origin AFTER INSERT ON public.silent EXECUTE FUNCTION public.note()");
        prepare();
        // The load is a COPY.
        sink.execute("TRUNCATE public.seen");
        for (String table : tables) {
            sink.commit(101, events(table, 0, 1, "n"));
        }
        sink.awaitDrained(tables.toArray(String[]::new));
        for (String table : List.of("ruled", "secured", "silent")) {
            sink.execute("CREATE TRIGGER watch AFTER INSERT ON public." + table + " EXECUTE FUNCTION public.note()");
            sink.execute("ALTER TABLE public." + table + " ENABLE ALWAYS TRIGGER watch");
        }
        for (String table : tables) {
            sink.commit(102, events(table, 1, RUN, "n"));
        }
        sink.awaitDrained(tables.toArray(String[]::new));
        for (String table : tables) {
            assertThat(sink.query(ALL + table)).as(table).isEqualTo(RUN + 1 + "|" + (RUN + 1) + "|5050|n|n");
        }
        // The origin's trigger is silent in a session that acts as a replica. A statement without rows precedes a COPY.
        assertThat(sink.query("SELECT DISTINCT relation, left(query, 4) FROM public.seen ORDER BY 1, 2"))
                .isEqualTo("ruled|INSE\nsecured|INSE\nsilent|COPY\nsilent|INSE\nwatched|INSE");
    }

    @Test
    void aRowThatCameWithTheLoadIsUpdated() throws SQLException {
        sink.prepareTarget(PEOPLE, OTHER);
        sink.startSink();
        sink.plan(1, 1, "people", "other");
        sink.chunk(0, "people", 1, 0, "50\told\tloaded", "1000\tstays\tn");
        sink.chunk(0, "other", 1, 0);
        sink.ready("people", "other");
        sink.commit(101, with(run(1, RUN, "n"), events("other", 1, RUN, "n")));
        // More of the same load, and a run without such rows.
        sink.commit(102, with(run(RUN + 1, RUN, "n"), insert("people", 1000, "stays", "n")));
        sink.commit(103, run(2 * RUN + 1, RUN, "n"));
        sink.awaitDrained("people", "other");
        assertThat(sink.query(ALL + "people")).isEqualTo(3 * RUN + 1 + "|" + (3 * RUN + 1) + "|46150|n|n");
        assertThat(sink.query("SELECT email FROM public.people WHERE id = 50")).isEqualTo("e50");
        assertThat(sink.query(ALL + "other")).isEqualTo(RUN + "|" + RUN + "|5050|n|n");
        assertThat(sink.query(COUNTED + "people'")).isEqualTo(3 * RUN + 1 + "|0|0");
        assertThat(sink.query(STOPPED)).isEqualTo("no");
    }

    /** By COPY alone the row would stand twice. */
    @Test
    void aTableWhoseKeyIsGoneStops() throws SQLException {
        prepare(PEOPLE);
        sink.commit(101, insert("people", 0, "first", "n"));
        sink.awaitDrained("people");
        sink.execute("ALTER TABLE public.people DROP CONSTRAINT people_pkey");
        sink.execute("INSERT INTO public.people VALUES (50, 'other', 'here before')");
        sink.commit(102, run(1, RUN, "n"));
        sink.awaitQuery(
                STOPPED.replace("coalesce(max(stopped_because), 'no')", "max(stopped_because) LIKE '%ON CONFLICT%'"),
                "t");
        assertThat(sink.query("SELECT count(*) FROM public.people")).isEqualTo("2");
    }

    /** The unique values that new rows take are free only after the deletes and updates of the same batch. */
    @Test
    void newRowsTakeUniqueValuesThatTheBatchFrees() throws SQLException {
        prepare(PEOPLE);
        sink.commit(101, run(1, RUN, "n"));
        sink.awaitDrained("people");
        List<Event> events = new ArrayList<>();
        for (int id = 1; id <= RUN; id++) {
            events.add(
                    id % 2 == 0
                            ? delete("people", id, SinkFixture.UNCHANGED, SinkFixture.UNCHANGED)
                            : update("people", id, "moved" + id, "n"));
            events.add(insert("people", RUN + id, "e" + id, "n"));
        }
        sink.commit(102, events.toArray(Event[]::new));
        sink.awaitDrained("people");
        assertThat(sink.query(ALL + "people")).isEqualTo("150|150|17550|n|n");
        assertThat(sink.query("SELECT count(*) FROM public.people WHERE email LIKE 'moved%' AND id <= 100"
                        + " OR email = 'e' || id - 100"))
                .isEqualTo("150");
        assertThat(sink.query(STOPPED)).isEqualTo("no");
    }

    /** The message is that of the single statement, as it is without COPY; earlier rows and other tables are there. */
    @Test
    void aValueThatTheTargetRefusesStopsItsTableAtThatRow() throws SQLException {
        prepare(PEOPLE, OTHER);
        sink.commit(101, run(1, RUN, "n"));
        sink.awaitDrained("people");
        sink.execute("ALTER TABLE public.people ADD CONSTRAINT short CHECK (length(note) < 5) NOT VALID");
        sink.commit(
                102,
                with(
                        run(RUN + 1, RUN, "n"),
                        insert("people", 7777, "e7777", "too long"),
                        insert("people", 9, "x", "n")));
        sink.commit(103, events("other", 1, RUN, "n"));
        sink.awaitDrained("other");
        sink.awaitQuery(
                "SELECT stopped_because LIKE 'apply changes to public.people: ERROR: new row for relation"
                        + " \"people\" violates check constraint \"short\"%(7777, e7777, too long)%' FROM wherry.relation"
                        + " WHERE table_name = 'people'",
                "t");
        assertThat(sink.query(ALL + "people")).isEqualTo("100|100|5050|n|n");
        sink.execute("ALTER TABLE public.people DROP CONSTRAINT short");
        sink.execute("UPDATE public.people SET id = 9999 WHERE id = 9");
        sink.execute("UPDATE wherry.relation SET stopped_because = NULL");
        sink.awaitDrained("people");
        assertThat(sink.query(ALL + "people")).isEqualTo("202|202|37876|n|too long");
        assertThat(sink.query(ALL + "other")).isEqualTo(RUN + "|" + RUN + "|5050|n|n");
        assertThat(sink.query(COUNTED + "people'")).isEqualTo("202|0|0");
    }

    /** The COPY waits for another session's row; its own session is then ended, and its process as good as killed. */
    @Test
    void whatASessionThatEndsWithinACopyHadWrittenIsWrittenOnce() throws SQLException {
        prepare(PEOPLE);
        sink.commit(101, run(1, RUN, "n"));
        sink.awaitDrained("people");
        try (Connection other = Sessions.open(sink.migration, sink.migration.target(), "another")) {
            other.setAutoCommit(false);
            execute(other, "INSERT INTO public.people VALUES (150, 'another', 'another')");
            sink.commit(102, run(RUN + 1, RUN, "n"));
            sink.awaitQuery(
                    "SELECT count(*) FROM pg_stat_activity WHERE query LIKE 'COPY%' AND wait_event = 'transactionid'"
                            + " AND pg_terminate_backend(pid)",
                    "1");
            other.rollback();
        }
        sink.awaitDrained("people");
        assertThat(sink.query(ALL + "people")).isEqualTo("200|200|20100|n|n");
        assertThat(sink.query(COUNTED + "people'")).isEqualTo("200|0|0");
    }

    /** Another session's row appears while the COPY waits for it: it is updated, as it was without COPY. */
    @Test
    void aRowThatAppearsWithinACopyIsUpdated() throws SQLException {
        prepare(PEOPLE);
        sink.commit(101, run(1, RUN, "n"));
        sink.awaitDrained("people");
        try (Connection other = Sessions.open(sink.migration, sink.migration.target(), "another")) {
            other.setAutoCommit(false);
            execute(other, "INSERT INTO public.people VALUES (150, 'another', 'another')");
            sink.commit(102, run(RUN + 1, RUN, "n"));
            sink.awaitQuery(
                    "SELECT count(*) FROM pg_stat_activity WHERE query LIKE 'COPY%' AND wait_event = 'transactionid'",
                    "1");
            other.commit();
        }
        sink.awaitDrained("people");
        assertThat(sink.query(ALL + "people")).isEqualTo("200|200|20100|n|n");
        assertThat(sink.query(COUNTED + "people'")).isEqualTo("200|0|0");
    }

    /**
     * The target's role has its foreign keys checked at the end of each statement. An update names a new row, and new rows name one
     * another: only one statement for all of them succeeds. Seen to fail when the events came singly after a COPY.
     */
    @Test
    void rowsThatNameOneAnotherAreOneStatement() throws SQLException {
        sink.prepareTarget("CREATE TABLE public.tree (id int PRIMARY KEY, parent int REFERENCES public.tree)");
        for (String sql : new String[] {
            "CREATE ROLE plain LOGIN PASSWORD 'plain'",
            "ALTER TABLE public.tree OWNER TO plain",
            "GRANT USAGE, CREATE ON SCHEMA public, wherry TO plain",
            "GRANT ALL ON ALL TABLES IN SCHEMA wherry TO plain"
        }) {
            sink.execute(sql);
        }
        sink.startSink(new Endpoint(sink.migration.target().url(), "plain", "plain"));
        sink.plan(1, 1, "tree");
        sink.chunk(0, "tree", 1, 0, "0\t\\N");
        sink.ready("tree");
        List<Event> events = new ArrayList<>(List.of(update("tree", 0, 1)));
        for (int id = 1; id <= RUN; id++) {
            events.add(insert("tree", id, id % RUN + 1));
        }
        sink.commit(101, events.toArray(Event[]::new));
        sink.awaitDrained("tree");
        assertThat(sink.query("SELECT count(*), sum(id), sum(parent) FROM public.tree"))
                .isEqualTo("101|5050|5051");
        assertThat(sink.query(STOPPED)).isEqualTo("no");
    }

    @Test
    void columnsThatTheServerFillsAreFilled() throws SQLException {
        sink.prepareTarget(
                "CREATE DOMAIN public.brief AS varchar(10) CHECK (VALUE <> 'no')",
                "CREATE TABLE public.people (id int GENERATED ALWAYS AS IDENTITY PRIMARY KEY, email public.brief,"
                        + " note text, twice int GENERATED ALWAYS AS (id * 2) STORED)",
                "CREATE TABLE public.other (id int, note text)");
        List<Column> sent = sink.columns("people").stream()
                .filter(column -> !column.name().equals("twice"))
                .toList();
        sink.describe("people", new TableShape(SinkFixture.id("people"), sent, List.of("id")), List.of());
        open();
        sink.commit(101, with(run(1, RUN, null), events("other", 1, RUN, null)));
        sink.commit(102, events("other", 1, RUN, "\\N\ta\n"));
        sink.awaitDrained("people", "other");
        assertThat(sink.query("SELECT count(*), sum(id), sum(twice), count(note), max(email) FROM public.people"))
                .isEqualTo("100|5050|10100|0|e99");
        assertThat(sink.query("SELECT count(*), sum(id), count(note), max(note) FROM public.other"))
                .isEqualTo("200|10100|100|\\N\ta\n");
    }

    /** Prepares, loads nothing, and opens the tables of these statements and those that are there. */
    private void prepare(String... statements) throws SQLException {
        sink.prepareTarget(statements);
        open();
    }

    private void open() throws SQLException {
        String[] tables = sink.query("SELECT relname FROM pg_class WHERE relnamespace = 'public'::regnamespace"
                        + " AND relkind = 'r' AND relname <> 'seen' ORDER BY 1")
                .split("\n");
        sink.startSink();
        sink.plan(1, 1, tables);
        for (String table : tables) {
            sink.chunk(0, table, 1, 0);
        }
        sink.ready(tables);
    }

    /** Writes down each statement that inserts, whatever the role of its session. */
    private void watch(String table) throws SQLException {
        sink.execute("CREATE TABLE public.seen (relation name, query text)");
        sink.execute("CREATE FUNCTION public.note() RETURNS trigger LANGUAGE plpgsql AS $$BEGIN"
                + " INSERT INTO public.seen VALUES (tg_table_name, current_query()); RETURN NULL; END$$");
        sink.execute("CREATE TRIGGER watch AFTER INSERT ON public." + table + " EXECUTE FUNCTION public.note()");
        sink.execute("ALTER TABLE public." + table + " ENABLE ALWAYS TRIGGER watch");
    }

    private static Event[] run(int from, int rows, String note) {
        return events("people", from, rows, note);
    }

    private static Event[] events(String table, int from, int rows, String note) {
        Event[] events = new Event[rows];
        for (int i = 0; i < rows; i++) {
            int id = from + i;
            events[i] = table.equals("other") ? insert(table, id, note) : insert(table, id, "e" + id, note);
        }
        return events;
    }

    private static Event[] with(Event[] events, Event... more) {
        List<Event> all = new ArrayList<>(List.of(events));
        all.addAll(List.of(more));
        return all.toArray(Event[]::new);
    }

    private static void execute(Connection session, String sql) throws SQLException {
        try (Statement statement = session.createStatement()) {
            statement.execute(sql);
        }
    }
}
