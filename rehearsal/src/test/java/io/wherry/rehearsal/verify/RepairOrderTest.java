package io.wherry.rehearsal.verify;

import static org.assertj.core.api.Assertions.assertThat;

import io.wherry.contract.config.Endpoint;
import io.wherry.contract.postgres.Sessions;
import io.wherry.contract.record.Repair;
import io.wherry.contract.record.Repair.Address;
import io.wherry.contract.record.Repair.Column;
import io.wherry.contract.record.Repair.Relation;
import io.wherry.contract.record.Repair.Row;
import io.wherry.contract.record.RepairSecret;
import io.wherry.contract.service.Effect;
import io.wherry.contract.service.Failpoints;
import io.wherry.coordinator.repair.RepairSecrets;
import io.wherry.coordinator.repair.Sending;
import io.wherry.coordinator.repair.SourceRows;
import io.wherry.coordinator.sql.Queries;
import io.wherry.rehearsal.RehearsalDatabase;
import io.wherry.rehearsal.fixture.EveryThirdDay;
import io.wherry.rehearsal.fixture.MigrationFixture;
import java.lang.reflect.InvocationTargetException;
import java.lang.reflect.Proxy;
import java.sql.Connection;
import java.sql.DriverManager;
import java.sql.SQLException;
import java.util.Arrays;
import java.util.List;
import java.util.Optional;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionException;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.stream.IntStream;
import org.junit.jupiter.api.Test;

/** A repair has its place among the changes of the source, once, and only the coordinator can write one. */
@EveryThirdDay(1)
final class RepairOrderTest {
    private static final int ROWS = 4_000;
    private static final String[] TABLE = {
        "CREATE TABLE public.hay (id int PRIMARY KEY, v text)",
        "INSERT INTO public.hay SELECT i, 'before' FROM generate_series(1, " + ROWS + ") i",
        "GRANT ALL ON public.hay TO app"
    };

    private MigrationFixture migration;
    private Endpoint source;
    private Endpoint target;
    private SentRows sent;

    private void start(MigrationFixture fixture) throws Exception {
        migration = fixture;
        migration.file("");
        source = migration.migration().source();
        target = migration.migration().target();
        migration.execute(source, TABLE);
    }

    /**
     * An application changes each row once, and the repairs send the rows that it comes to next. A value that was read before the
     * change and has its place after the change would stay.
     */
    @Test
    void noRepairOverwritesALaterChange() throws Exception {
        try (MigrationFixture fixture = new MigrationFixture("repairorder", 15, 15)) {
            start(fixture);
            migration.startAll();
            sent = new SentRows(migration);
            AtomicInteger changed = new AtomicInteger();
            Endpoint application =
                    RehearsalDatabase.endpoint(migration.source(), migration.database(), RehearsalDatabase.APPLICATION);
            CompletableFuture<Void> writer = CompletableFuture.runAsync(() -> {
                try (Connection session =
                        DriverManager.getConnection(application.url(), application.user(), application.password())) {
                    for (int id = 1; id <= ROWS; id++) {
                        Queries.update(session, "UPDATE public.hay SET v = 'after' WHERE id = ?", id);
                        changed.set(id);
                    }
                } catch (SQLException e) {
                    throw new CompletionException(e);
                }
            });
            int rows = 0;
            try (Connection session = Sessions.open(migration.migration(), source, "test")) {
                while (!writer.isDone()) {
                    int next = Math.min(ROWS, changed.get() + 1);
                    int[] ids = IntStream.rangeClosed(next, Math.min(ROWS, next + 9))
                            .toArray();
                    rows += sent.send(session, ids) instanceof Sending.Sent all
                            ? all.keys().size()
                            : 0;
                }
            }
            writer.join();
            assertThat(rows).isGreaterThan(ROWS / 10);
            sent.awaitArrival();
            assertThat(migration.number(target, "SELECT count(*) FROM public.hay WHERE v = 'after'"))
                    .isEqualTo(ROWS);
        }
    }

    /** The source-connector dies between two effects; the slot sends the message again, and the row changes afterwards. */
    @Test
    void aRepairSurvivesTheDeathOfTheSourceConnector() throws Exception {
        try (MigrationFixture fixture = new MigrationFixture("repairkilled", 15, 15)) {
            start(fixture);
            migration.startCoordinator();
            migration.startSink();
            migration.startProcess("source");
            sent = new SentRows(migration);
            migration.kill("source");
            migration.execute(
                    target, "UPDATE public.hay SET v = 'rogue' WHERE id <= 3", "DELETE FROM public.hay WHERE id = 4");
            migration.execute(target, "INSERT INTO public.hay VALUES (-1, 'rogue')");
            migration.execute(source, "UPDATE public.hay SET v = 'changed' WHERE id = 1");
            try (Connection session = Sessions.open(migration.migration(), source, "test")) {
                assertThat(sent.send(session, 1, 2, 3, 4)).isInstanceOf(Sending.Sent.class);
                assertThat(sent.send(session, -1)).isInstanceOf(Sending.Sent.class);
                migration.execute(source, "UPDATE public.hay SET v = 'changed' WHERE id = 2");
                migration.execute(source, "DELETE FROM public.hay WHERE id = 3");
            }
            for (boolean after : List.of(false, true)) {
                String key = "armed-" + after;
                migration.startArmed(key, "source", Optional.of(Failpoints.name(Effect.KAFKA_COMMIT, after)));
                assertThat(migration.awaitEnd(key)).isEqualTo(Failpoints.EXIT_CODE);
            }
            migration.startSource();
            sent.awaitArrival();
            assertThat(migration.text(
                            target,
                            "SELECT string_agg(id || ' ' || v, ', ' ORDER BY id) FROM public.hay WHERE id <= 5"))
                    .isEqualTo("1 changed, 2 changed, 4 before, 5 before");
            migration.assertSourceEqualsTarget();
        }
    }

    /** Nothing locks a row that does not exist, so an application may insert it at any moment. */
    @Test
    void aRowThatIsInsertedWhileItsAbsenceIsSentIsThereInTheEnd() throws Exception {
        try (MigrationFixture fixture = new MigrationFixture("repairabsent", 15, 15)) {
            start(fixture);
            migration.startAll();
            sent = new SentRows(migration);
            migration.execute(target, "INSERT INTO public.hay VALUES (-1, 'rogue'), (-2, 'rogue')");
            try (Connection session = Sessions.open(migration.migration(), source, "test")) {
                Connection early = before(session, "prepareStatement", "pg_logical_emit_message", -1);
                assertThat(sent.send(early, -1)).as("seen in time").isInstanceOf(Sending.Later.class);
                assertThat(sent.send(session, -1))
                        .isEqualTo(new Sending.Sent(List.of(List.of("-1")), List.of(), List.of()));

                Connection late = before(session, "commit", "", -2);
                List<List<String>> key = List.of(List.of("-2"));
                assertThat(sent.send(late, -2)).isEqualTo(new Sending.Sent(key, key, List.of()));
                sent.awaitArrival();
                assertThat(sent.onTarget("id, v", "-1, -2")).isEqualTo("-1 inserted");
                assertThat(new SourceRows(session, sent.table).existing(key))
                        .as("the coordinator looks again")
                        .containsExactly(key.get(0));
                assertThat(sent.send(session, -2)).isInstanceOf(Sending.Sent.class);
                sent.awaitArrival();
                assertThat(sent.onTarget("id, v", "-1, -2")).isEqualTo("-2 inserted, -1 inserted");
            }
        }
    }

    /** The session; before a call of this method, with this text in its first argument, an application inserts the row. */
    private Connection before(Connection session, String method, String text, int id) {
        return (Connection) Proxy.newProxyInstance(
                getClass().getClassLoader(), new Class<?>[] {Connection.class}, (proxy, called, arguments) -> {
                    if (called.getName().equals(method)
                            && (text.isEmpty() || String.valueOf(arguments[0]).contains(text))) {
                        migration.execute(source, "INSERT INTO public.hay VALUES (" + id + ", 'inserted')");
                    }
                    try {
                        return called.invoke(session, arguments);
                    } catch (InvocationTargetException e) {
                        throw e.getCause();
                    }
                });
    }

    /** Every role may write a logical message. */
    @Test
    void nobodyElseCanWriteARepair() throws Exception {
        try (MigrationFixture fixture = new MigrationFixture("repairforged", 15, 15)) {
            start(fixture);
            migration.startAll();
            sent = new SentRows(migration);
            Relation relation = new Relation(
                    sent.table.oid(),
                    "public",
                    "hay",
                    'd',
                    List.of(new Column("id", true, 23, -1), new Column("v", false, 25, -1)));
            List<Row> rows = List.of(new Row(true, Arrays.asList("1", "forged")));
            assertThat(sent.secret).as("it is created once").isEqualTo(RepairSecrets.of(migration.migration()));
            try (Connection session = Sessions.open(migration.migration(), source, "test")) {
                session.setAutoCommit(false);
                emit(session, Repair.encode(RepairSecret.random(), address(session), relation, rows));
                emit(session, new byte[0]);
                emit(session, new byte[200]);
                // A message that somebody has read in the log, and writes again.
                byte[] seen = Repair.encode(sent.secret, address(session), relation, rows);
                session.commit();
                emit(session, seen);
                session.commit();
            }
            migration.execute(source, "UPDATE public.hay SET v = 'last' WHERE id = 2");
            sent.awaitArrival();
            assertThat(migration.text(target, "SELECT v FROM public.hay WHERE id = 1"))
                    .isEqualTo("before");
            try (Connection session = Sessions.open(migration.migration(), source, "test")) {
                session.setAutoCommit(false);
                emit(session, Repair.encode(sent.secret, address(session), relation, rows));
                session.commit();
            }
            sent.awaitArrival();
            assertThat(migration.text(target, "SELECT v FROM public.hay WHERE id = 1"))
                    .as("with the secret the same message is taken")
                    .isEqualTo("forged");
        }
    }

    private Address address(Connection session) throws SQLException {
        long transaction = Queries.number(session, "SELECT pg_current_xact_id()::text::bigint");
        return new Address(transaction, migration.name, migration.flow().generation());
    }

    private static void emit(Connection session, byte[] content) throws SQLException {
        Queries.string(
                session, "SELECT pg_logical_emit_message(true, 'wherry.repair', CAST(? AS bytea))::text", (Object)
                        content);
    }
}
