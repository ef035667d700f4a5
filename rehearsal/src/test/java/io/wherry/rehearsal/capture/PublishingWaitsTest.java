package io.wherry.rehearsal.capture;

import static org.assertj.core.api.Assertions.assertThat;
import static org.awaitility.Awaitility.await;

import io.wherry.contract.config.Endpoint;
import io.wherry.coordinator.journal.State;
import io.wherry.embedded.EmbeddedPostgres;
import io.wherry.embedded.PostgresServer;
import io.wherry.rehearsal.RehearsalDatabase;
import io.wherry.rehearsal.fixture.EveryThirdDay;
import io.wherry.rehearsal.fixture.MigrationFixture;
import io.wherry.rehearsal.fixture.ServerPair;
import java.nio.file.Files;
import java.sql.Connection;
import java.sql.DriverManager;
import java.sql.SQLException;
import java.sql.Statement;
import java.time.Duration;
import java.util.List;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;

/** What publishing waits for on the source: the message names the session, and the applications do not wait in turn. */
@EveryThirdDay(2)
final class PublishingWaitsTest {
    /** An application must not notice: Wherry repairs, for example, a lost key within a moment. */
    private static final Duration MOMENT = Duration.ofMinutes(1);

    private final ServerPair servers = ServerPair.shared(18, 18);

    @Test
    void applicationsDoNotWaitWhileWherryWaitsForAnOldTransactionThatIsNamed() throws Exception {
        try (MigrationFixture migration = MigrationFixture.between(servers, "waits")) {
            migration.file("");
            Endpoint source = migration.migration().source();
            migration.execute(
                    source,
                    "CREATE TABLE public.keyed (id int PRIMARY KEY, n int)",
                    "CREATE TABLE public.keyless (n int)",
                    "INSERT INTO public.keyed SELECT n, n FROM generate_series(1, 100) n",
                    "INSERT INTO public.keyless SELECT n FROM generate_series(1, 100) n");
            try (Connection reader = begin("waits");
                    Connection writer = begin("waits");
                    Statement read = reader.createStatement();
                    Statement write = writer.createStatement()) {
                read.execute("SELECT count(*) FROM public.keyless");
                write.execute("INSERT INTO public.keyed VALUES (1000, 1)");
                String pid = migration.text(
                        source,
                        "SELECT min(pid) FROM pg_locks WHERE relation = 'public.keyless'::regclass AND granted");
                migration.startAll();
                try (Connection application = begin("waits");
                        Statement insert = application.createStatement()) {
                    application.setAutoCommit(true);
                    insert.execute("SET lock_timeout = '1s'");
                    await("REPLICA IDENTITY FULL waits, and status reports that")
                            .atMost(MOMENT)
                            .until(() -> {
                                insert.execute("INSERT INTO public.keyless VALUES (7)");
                                return isNamed(
                                        migration,
                                        "REPLICA IDENTITY FULL of public.keyless waits for a lock",
                                        "pid " + pid,
                                        "role ");
                            });
                }
                migration.execute(source, "SELECT pg_terminate_backend(" + pid + ")");
                await("the slot waits, and status reports that")
                        .atMost(MOMENT)
                        .until(() -> isNamed(
                                migration, "creating the replication slot", "public.keyed", "idle in transaction for"));
                writer.commit();
            }
            migration.awaitState(State.IN_SYNC);
            migration.cutOverAndCompare();
        }
    }

    /**
     * Seen to fail with what the server's documentation says of {@code pg_locks.virtualtransaction}, and for one of another database: "pid 0 (a
     * server process, such as autovacuum). End it: SELECT pg_terminate_backend(0)".
     */
    @Test
    void aPreparedTransactionThatWherryWaitsForIsNamed() throws Exception {
        try (MigrationFixture migration = MigrationFixture.between(servers, "prepared")) {
            migration.file("");
            Endpoint source = migration.migration().source();
            migration.execute(
                    source,
                    "CREATE TABLE public.keyless (n int)",
                    "INSERT INTO public.keyless SELECT n FROM generate_series(1, 100) n");
            prepare("postgres", "elsewhere", "SELECT txid_current()");
            prepare("prepared", "it's held", "INSERT INTO public.keyless VALUES (1000)");
            migration.startAll();
            await("REPLICA IDENTITY FULL waits, and status reports that")
                    .atMost(MOMENT)
                    .until(() -> isNamed(
                            migration,
                            "REPLICA IDENTITY FULL of public.keyless waits for a lock of the table, which has the prepared transaction"
                                    + " 'it''s held' (role wherry, prepared ",
                            " s ago). End it: COMMIT PREPARED 'it''s held'"));
            migration.execute(source, "INSERT INTO public.keyless VALUES (7)", "COMMIT PREPARED 'it''s held'");
            await("the slot waits, and status reports that")
                    .atMost(MOMENT)
                    .until(
                            () -> isNamed(
                                    migration,
                                    "creating the replication slot",
                                    "the prepared transaction 'elsewhere' (role wherry, prepared ",
                                    "End it in database \"postgres\": COMMIT PREPARED 'elsewhere' or ROLLBACK PREPARED 'elsewhere'"));
            try (Connection other = begin("postgres");
                    Statement statement = other.createStatement()) {
                other.setAutoCommit(true);
                statement.execute("ROLLBACK PREPARED 'elsewhere'");
            }
            migration.awaitState(State.IN_SYNC);
            migration.cutOverAndCompare();
        }
    }

    private void prepare(String database, String name, String sql) throws SQLException {
        try (Connection session = begin(database);
                Statement statement = session.createStatement()) {
            session.setAutoCommit(true);
            statement.execute("BEGIN");
            statement.execute(sql);
            statement.execute("PREPARE TRANSACTION '" + name.replace("'", "''") + "'");
        }
    }

    /** A wait of at most 0.1 s for a lock would never end a vacuum; the server ends it after 1 s. */
    @Tag("slow")
    @Test
    @Tag("embedded-only")
    void anAutomaticVacuumNeitherBlocksPublishingForeverNorIsEndedAgainAndAgain() throws Exception {
        // On its own server, because the test reads the server's log.
        try (MigrationFixture migration = MigrationFixture.alone("vacuum", 18, 18)) {
            migration.file("");
            Endpoint source = migration.migration().source();
            migration.execute(
                    source,
                    "CREATE TABLE public.keyless (n int, t text) WITH (autovacuum_vacuum_cost_delay = 100,"
                            + " autovacuum_vacuum_cost_limit = 1, autovacuum_vacuum_threshold = 1, autovacuum_vacuum_scale_factor = 0)",
                    "INSERT INTO public.keyless SELECT n, repeat('x', 1000) FROM generate_series(1, 20000) n",
                    "UPDATE public.keyless SET n = n + 1");
            migration.execute(source, "ALTER SYSTEM SET autovacuum_naptime = '1s'", "SELECT pg_reload_conf()");
            String vacuums = "SELECT count(*) FROM pg_stat_progress_vacuum WHERE relid = 'public.keyless'::regclass";
            await("a vacuum that takes minutes").atMost(MOMENT).until(() -> migration.number(source, vacuums) == 1);
            migration.startAll();
            try (Connection application = begin(migration.source(), "vacuum");
                    Statement insert = application.createStatement()) {
                application.setAutoCommit(true);
                insert.execute("SET lock_timeout = '1s'");
                await("published").atMost(MOMENT).until(() -> {
                    insert.execute("INSERT INTO public.keyless VALUES (7)");
                    return migration.number(
                                    source,
                                    "SELECT count(*) FROM pg_publication_rel WHERE prrelid ="
                                            + " 'public.keyless'::regclass")
                            == 1;
                });
            }
            migration.awaitState(State.IN_SYNC);
            await("it is vacuumed again").atMost(MOMENT).until(() -> migration.number(source, vacuums) == 1);
            // Once for the identity, once for the publication, and perhaps one more that started again soon.
            assertThat(Files.readAllLines(((EmbeddedPostgres) migration.source()).log()))
                    .filteredOn(line -> line.contains("canceling autovacuum task"))
                    .hasSizeBetween(1, 3);
            migration.execute(source, "ALTER SYSTEM RESET autovacuum_naptime", "SELECT pg_reload_conf()");
            migration.cutOverAndCompare();
        }
    }

    private static boolean isNamed(MigrationFixture migration, String... parts) {
        String waitsFor = migration.coordinator().status().waitsFor();
        return List.of(parts).stream().allMatch(waitsFor::contains);
    }

    private Connection begin(String database) throws SQLException {
        return begin(servers.source(), database);
    }

    private static Connection begin(PostgresServer server, String database) throws SQLException {
        Connection session = DriverManager.getConnection(
                server.jdbcUrl(database), RehearsalDatabase.OPERATOR, RehearsalDatabase.PASSWORD);
        session.setAutoCommit(false);
        return session;
    }
}
