package io.wherry.rehearsal.capture;

import static org.assertj.core.api.Assertions.assertThat;
import static org.awaitility.Awaitility.await;

import io.wherry.contract.name.TableId;
import io.wherry.embedded.PostgresServer;
import io.wherry.rehearsal.servers.TestServers;
import io.wherry.source.server.TableLocks;
import io.wherry.source.server.TableLocks.Lock;
import java.sql.Connection;
import java.sql.DriverManager;
import java.sql.ResultSet;
import java.sql.SQLException;
import java.sql.Statement;
import java.time.Duration;
import java.util.Map;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.atomic.AtomicReference;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;

/** DDL on tables in use, by sessions of one server. */
final class TableLocksTest {
    private static final TableId TABLE = new TableId("public", "b");
    private static final Duration MOMENT = Duration.ofSeconds(30);
    private static final TestServers SERVERS = TestServers.open();
    private static PostgresServer postgres;

    private final TableLocks locks = new TableLocks();

    @BeforeAll
    static void start() throws SQLException {
        postgres = SERVERS.postgres("locks", 15, Map.of());
        try (Connection session = session()) {
            execute(session, "CREATE TABLE a (n int)", "CREATE TABLE b (n int)");
        }
    }

    @AfterAll
    static void stop() {
        SERVERS.close();
    }

    /** Seen to fail when 40P01 was taken for a refusal: "prepare public.b: ERROR: deadlock detected", and the service ended. */
    @Test
    void oneDeadlockWithAnApplicationIsTriedAgain() throws Exception {
        try (Connection ours = session();
                Connection application = session()) {
            // Shorter than Wherry's own lock limit, and set in Wherry's session: the server ends the session whose
            // time is over first.
            execute(ours, "SET deadlock_timeout = '50ms'");
            execute(application, "SET deadlock_timeout = '10min'", "BEGIN", "LOCK TABLE b IN SHARE MODE");
            AtomicReference<CompletableFuture<Void>> crossing = new AtomicReference<>();
            AtomicReference<String> failure = new AtomicReference<>();
            boolean done = locks.attempt(ours, "the change", TABLE, Lock.SHARED, statement -> {
                statement.execute("LOCK TABLE a IN EXCLUSIVE MODE");
                crossing.set(CompletableFuture.runAsync(() -> lockAndCommit(application)));
                awaitWaiting("a");
                try {
                    statement.execute("ALTER TABLE b REPLICA IDENTITY FULL");
                } catch (SQLException e) {
                    failure.set(e.getSQLState());
                    throw e;
                }
            });
            assertThat(done).isFalse();
            assertThat(failure).as("it was a deadlock").hasValue("40P01");
            crossing.get().join();
            assertThat(locks.lines()).singleElement().satisfies(line -> assertThat(line)
                    .startsWith("the change of public.b waits for a lock"));
            await("tried again, and done")
                    .atMost(MOMENT)
                    .until(() -> locks.attempt(
                            ours,
                            "the change",
                            TABLE,
                            Lock.SHARED,
                            statement -> statement.execute("ALTER TABLE b REPLICA IDENTITY FULL")));
            assertThat(text("SELECT relreplident FROM pg_class WHERE oid = 'b'::regclass"))
                    .isEqualTo("f");
            assertThat(locks.lines()).isEmpty();
        }
    }

    @Test
    void theSessionThatWherryWaitsForIsNamed() throws Exception {
        try (Connection ours = session();
                Connection application = session()) {
            execute(application, "BEGIN", "SELECT count(*) FROM b", "SELECT pg_sleep(1.1)");
            String pid = text(application, "SELECT pg_backend_pid()");
            assertThat(locks.attempt(ours, "the change", TABLE, Lock.EXCLUSIVE, statement -> {
                        throw new IllegalStateException("no session may ask for a lock that an old transaction has");
                    }))
                    .isFalse();
            locks.look(ours);
            assertThat(locks.lines())
                    .singleElement()
                    .satisfies(
                            line -> assertThat(line)
                                    .containsPattern(
                                            "the change of public\\.b waits for a lock of the table, which has pid "
                                                    + pid
                                                    + " \\(role postgres, .*idle in transaction for [0-9]+ s, its transaction is [0-9]+ s old"));
            assertThat(locks.rests(TABLE)).isTrue();
            execute(application, "COMMIT");
            locks.look(ours);
            assertThat(locks.rests(TABLE)).isFalse();
        }
    }

    private static void lockAndCommit(Connection application) {
        try {
            execute(application, "LOCK TABLE a IN SHARE MODE", "COMMIT");
        } catch (SQLException e) {
            throw new IllegalStateException(e);
        }
    }

    private static void awaitWaiting(String table) {
        await("the application waits for " + table)
                .atMost(MOMENT)
                .pollInterval(Duration.ofMillis(5))
                .until(() -> text("SELECT count(*) FROM pg_locks WHERE NOT granted AND relation = '" + table
                                + "'::regclass")
                        .equals("1"));
    }

    private static Connection session() throws SQLException {
        return DriverManager.getConnection(postgres.jdbcUrl("postgres"), postgres.superuser(), postgres.password());
    }

    private static void execute(Connection session, String... statements) throws SQLException {
        try (Statement statement = session.createStatement()) {
            for (String sql : statements) {
                statement.execute(sql);
            }
        }
    }

    private static String text(String sql) throws SQLException {
        try (Connection session = session()) {
            return text(session, sql);
        }
    }

    private static String text(Connection session, String sql) throws SQLException {
        try (Statement statement = session.createStatement();
                ResultSet row = statement.executeQuery(sql)) {
            row.next();
            return row.getString(1);
        }
    }
}
