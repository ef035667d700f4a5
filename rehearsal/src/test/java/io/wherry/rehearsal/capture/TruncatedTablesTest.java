package io.wherry.rehearsal.capture;

import static org.assertj.core.api.Assertions.assertThat;
import static org.awaitility.Awaitility.await;

import io.wherry.contract.config.Endpoint;
import io.wherry.coordinator.journal.State;
import io.wherry.rehearsal.RehearsalDatabase;
import io.wherry.rehearsal.fixture.MigrationFixture;
import io.wherry.rehearsal.fixture.ServerPair;
import java.sql.Connection;
import java.sql.DriverManager;
import java.sql.SQLException;
import java.sql.Statement;
import java.time.Duration;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicBoolean;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;

/** Tables that the application empties again and again while Wherry publishes and loads them. */
final class TruncatedTablesTest {
    /** An application must not notice: Wherry repairs, for example, a lost key within a moment. */
    private static final Duration MOMENT = Duration.ofMinutes(1);

    private static final String STREAMING = "SELECT count(*) FROM pg_stat_replication r JOIN pg_replication_slots s"
            + " ON s.active_pid = r.pid AND s.slot_name = 'wherry_churn' WHERE r.state IN ('catchup', 'streaming')";

    private final ServerPair servers = ServerPair.shared(18, 18);

    /** Seen to wait for its slot forever: each slot was re-created if a table was truncated while the slot was created. */
    @Test
    void aTableThatIsTruncatedAllTheTimeDoesNotBlockTheSlotOfAllOthers() throws Exception {
        try (MigrationFixture migration = MigrationFixture.between(servers, "churn")) {
            migration.file("");
            Endpoint source = migration.migration().source();
            migration.execute(
                    source,
                    "CREATE TABLE public.staging (id int PRIMARY KEY)",
                    "CREATE TABLE public.steady (id serial PRIMARY KEY, n int)",
                    "INSERT INTO public.steady (n) SELECT n FROM generate_series(1, 100) n");
            // A slot waits twice for the open transaction, and no transaction ends before the next one has truncated
            // the table. So the table is truncated while each slot is created.
            Connection open = writer();
            try {
                migration.startAll();
                long end = System.nanoTime() + MOMENT.toNanos();
                while (migration.number(source, STREAMING) == 0) {
                    assertThat(System.nanoTime()).as("no slot after " + MOMENT).isLessThan(end);
                    migration.execute(source, "TRUNCATE public.staging", "INSERT INTO public.staging VALUES (1), (2)");
                    Connection next = writer();
                    open.commit();
                    open.close();
                    open = next;
                    TimeUnit.MILLISECONDS.sleep(200);
                }
            } finally {
                open.commit();
                open.close();
            }
            migration.awaitState(State.IN_SYNC);
            migration.cutOverAndCompare();
        }
    }

    private Connection writer() throws SQLException {
        Connection session = begin("churn");
        try (Statement statement = session.createStatement()) {
            statement.execute("INSERT INTO public.steady (n) VALUES (1)");
        }
        return session;
    }

    /** Seen to end the source-connector, with the load of all tables, after twenty rounds. */
    @Tag("slow")
    @Test
    void aTableThatIsTruncatedInEachRoundOfTheLoadFailsAlone() throws Exception {
        try (MigrationFixture migration = MigrationFixture.between(servers, "churn-load")) {
            migration.file("");
            migration.execute(
                    migration.migration().source(),
                    "CREATE TABLE public.staging (id int PRIMARY KEY)",
                    "CREATE TABLE public.steady (id int PRIMARY KEY)",
                    "INSERT INTO public.steady SELECT generate_series(1, 100)");
            AtomicBoolean over = new AtomicBoolean();
            CompletableFuture<Void> application =
                    again("churn-load", over, 5, "TRUNCATE public.staging; INSERT INTO public.staging VALUES (1), (2)");
            try {
                migration.startAll();
                await("its load has failed")
                        .atMost(MigrationFixture.PATIENCE)
                        .until(() -> migration.coordinator().status().tables().stream()
                                .anyMatch(table -> table.state().equals("FAILED")
                                        && table.error().contains("wherry retry --table public.staging")));
            } finally {
                over.set(true);
                application.join();
            }
            await("the other table is loaded and followed")
                    .atMost(MOMENT)
                    .until(() -> migration.coordinator().status().tables().stream()
                            .anyMatch(table -> table.table().equals("public.steady")
                                    && table.state().equals("APPLYING")));
            assertThat(migration.run("retry", "--table", "public.staging")).isZero();
            await("tried again").atMost(MOMENT).until(() -> migration.coordinator().status().tables().stream()
                    .allMatch(table -> table.error() == null));
            migration.awaitState(State.IN_SYNC);
            migration.cutOverAndCompare();
        }
    }

    /** Runs a transaction again and again. */
    private CompletableFuture<Void> again(String database, AtomicBoolean over, long pauseMillis, String sql) {
        return CompletableFuture.runAsync(() -> {
            try (Connection session = begin(database);
                    Statement statement = session.createStatement()) {
                while (!over.get()) {
                    TimeUnit.MILLISECONDS.sleep(pauseMillis);
                    statement.execute(sql);
                    session.commit();
                }
            } catch (SQLException | InterruptedException e) {
                throw new IllegalStateException(sql, e);
            }
        });
    }

    private Connection begin(String database) throws SQLException {
        Connection session = DriverManager.getConnection(
                servers.source().jdbcUrl(database), RehearsalDatabase.OPERATOR, RehearsalDatabase.PASSWORD);
        session.setAutoCommit(false);
        return session;
    }
}
