package io.wherry.rehearsal;

import static org.assertj.core.api.Assertions.assertThat;
import static org.awaitility.Awaitility.await;

import io.wherry.contract.Endpoint;
import io.wherry.contract.Finding;
import io.wherry.coordinator.State;
import io.wherry.source.SourcePreflight;
import java.nio.file.Files;
import java.sql.Connection;
import java.sql.DriverManager;
import java.sql.SQLException;
import java.sql.Statement;
import java.time.Duration;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicBoolean;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;

/** What the migration does to the source, as the source's own applications see it. */
final class PublishingTest {
    /** An application must not notice; what is set right by us, such as a lost key, is within a moment. */
    private static final Duration MOMENT = Duration.ofMinutes(1);

    private static final String STREAMING = "SELECT count(*) FROM pg_stat_replication r JOIN pg_replication_slots s"
            + " ON s.active_pid = r.pid AND s.slot_name = 'wherry_churn' WHERE r.state IN ('catchup', 'streaming')";

    private final ServerPair servers = ServerPair.shared(18, 18);

    @Test
    void theSourceDoesNotRefuseUpdatesOfTablesThatAreFollowed() throws Exception {
        try (MigrationFixture migration = MigrationFixture.between(servers, "writes")) {
            migration.file("");
            Endpoint source = migration.migration().source();
            migration.execute(
                    source,
                    "CREATE TABLE public.stored (a int, b int GENERATED ALWAYS AS (a * 2) STORED, t text)",
                    "CREATE TABLE public.all_of_it (id int PRIMARY KEY, a int, b int GENERATED ALWAYS AS (a * 2) STORED)",
                    "ALTER TABLE public.all_of_it REPLICA IDENTITY FULL",
                    "CREATE TABLE public.generated_key (a int, b int GENERATED ALWAYS AS (a * 2) STORED, PRIMARY KEY (b))",
                    "CREATE TABLE public.half (a int, b int GENERATED ALWAYS AS (a % 2) STORED, c int, PRIMARY KEY (b, c))",
                    "CREATE TABLE public.including (id int PRIMARY KEY, a int, b int)",
                    "CREATE UNIQUE INDEX more ON public.including (a) INCLUDE (b)",
                    "ALTER TABLE public.including ALTER a SET NOT NULL",
                    "ALTER TABLE public.including REPLICA IDENTITY USING INDEX more",
                    "CREATE TABLE public.plain (a int)",
                    "CREATE TABLE public.loses (id int PRIMARY KEY, n int)",
                    "CREATE TABLE public.nothing (id int PRIMARY KEY, n int)",
                    "ALTER TABLE public.nothing REPLICA IDENTITY NOTHING",
                    "CREATE TABLE public.virtual (a int, v int GENERATED ALWAYS AS (a * 2) VIRTUAL)",
                    "INSERT INTO public.stored SELECT n FROM generate_series(1, 20) n",
                    "INSERT INTO public.all_of_it SELECT n, n FROM generate_series(1, 20) n",
                    "INSERT INTO public.generated_key SELECT n FROM generate_series(1, 20) n",
                    "INSERT INTO public.half (a, c) SELECT n, n FROM generate_series(1, 20) n",
                    "INSERT INTO public.including SELECT n, n, n FROM generate_series(1, 20) n",
                    "INSERT INTO public.plain SELECT n FROM generate_series(1, 20) n",
                    "INSERT INTO public.loses SELECT n, n FROM generate_series(1, 20) n",
                    "INSERT INTO public.nothing SELECT n, n FROM generate_series(1, 20) n",
                    "INSERT INTO public.virtual SELECT n FROM generate_series(1, 20) n");
            assertThat(SourcePreflight.check(migration.migration()))
                    .filteredOn(finding -> finding.severity() == Finding.Severity.ERROR)
                    .singleElement()
                    .satisfies(finding -> assertThat(finding.explained())
                            .contains("public.virtual: its replica identity would hold the virtual generated column"));
            // The remedy that is offered, for a table that may have a key.
            migration.execute(source, "ALTER TABLE public.virtual ADD PRIMARY KEY (a)");
            migration.startAll();
            migration.awaitState(State.IN_SYNC);
            change(migration);
            migration.execute(
                    source,
                    "ALTER TABLE public.plain ADD b int GENERATED ALWAYS AS (a * 3) STORED",
                    "ALTER TABLE public.loses DROP CONSTRAINT loses_pkey");
            await("updates of a table that has lost its key")
                    .atMost(MOMENT)
                    .ignoreExceptions()
                    .until(() -> {
                        migration.execute(source, "UPDATE public.loses SET n = n + 1");
                        migration.execute(source, "DELETE FROM public.plain WHERE a = 3");
                        return true;
                    });
            migration.execute(source, "ALTER TABLE public.virtual DROP CONSTRAINT virtual_pkey");
            await("what nobody but the operator can set right is told")
                    .atMost(MOMENT)
                    .until(() -> migration
                            .coordinator()
                            .status()
                            .nextSteps()
                            .get(0)
                            .startsWith("public.virtual: the source refuses its updates"));
            migration.execute(source, "ALTER TABLE public.virtual ADD PRIMARY KEY (a)");
            change(migration);
            await("the generated column follows")
                    .atMost(MigrationFixture.PATIENCE)
                    .until(() -> migration.numberFromTarget(
                                    "SELECT count(*) FROM pg_attribute WHERE attrelid = 'public.plain'::regclass AND attname = 'b'")
                            == 1);
            await("no difference is left")
                    .atMost(MigrationFixture.PATIENCE)
                    .until(() -> migration.coordinator().status().nextSteps().contains("wherry cutover"));
            migration.cutOverAndCompare();
            await("replica identities are given back").atMost(MOMENT).until(() -> migration
                    .text(
                            source,
                            "SELECT string_agg(relname || ' ' || relreplident::text, ', ' ORDER BY relname) FROM pg_class"
                                    + " WHERE relkind = 'r' AND relnamespace = 'public'::regnamespace")
                    .equals("all_of_it f, generated_key d, half d, including i, loses d, nothing n, plain d, stored d,"
                            + " virtual d"));
            assertThat(migration.numberFromTarget("SELECT sum(b) FROM public.stored"))
                    .isEqualTo(migration.number(source, "SELECT sum(b) FROM public.stored"));
        }
    }

    private static void change(MigrationFixture migration) throws SQLException {
        migration.execute(
                migration.migration().source(),
                "UPDATE public.stored SET a = a + 100, t = 'new' WHERE a % 3 = 0",
                "DELETE FROM public.stored WHERE a = 7",
                "UPDATE public.all_of_it SET a = a + 1",
                "DELETE FROM public.all_of_it WHERE id = (SELECT min(id) FROM public.all_of_it)",
                "UPDATE public.generated_key SET a = a + 1000 WHERE a < 1000 AND a % 2 = 0",
                "DELETE FROM public.generated_key WHERE a = (SELECT min(a) FROM public.generated_key)",
                "UPDATE public.half SET a = a + 1 WHERE c = 5",
                "DELETE FROM public.half WHERE c = (SELECT min(c) FROM public.half)",
                "UPDATE public.including SET b = b + 1",
                "DELETE FROM public.including WHERE id = (SELECT min(id) FROM public.including)",
                "UPDATE public.plain SET a = a + 20 WHERE a = (SELECT min(a) FROM public.plain)",
                "UPDATE public.nothing SET n = n + 1",
                "UPDATE public.virtual SET a = a + 100 WHERE a = (SELECT max(a) FROM public.virtual)");
    }

    @Test
    void applicationsDoNotWaitForUsWhileWeWaitForAnOldTransactionThatIsNamed() throws Exception {
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
                    await("REPLICA IDENTITY FULL waits, and is told")
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
                await("the slot waits, and that is told")
                        .atMost(MOMENT)
                        .until(() -> isNamed(
                                migration, "making the replication slot", "public.keyed", "idle in transaction for"));
                writer.commit();
            }
            migration.awaitState(State.IN_SYNC);
            migration.cutOverAndCompare();
        }
    }

    /**
     * Seen to fail with what the server's documentation says of {@code pg_locks.virtualtransaction}, and for one of another database: "pid 0 (a
     * process of the server, as autovacuum). End it: SELECT pg_terminate_backend(0)".
     */
    @Test
    void aPreparedTransactionThatIsWaitedForIsNotNamed() throws Exception {
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
            await("REPLICA IDENTITY FULL waits, and is told")
                    .atMost(MOMENT)
                    .until(() -> isNamed(
                            migration,
                            "REPLICA IDENTITY FULL of public.keyless waits for a lock of the table, which has the prepared transaction"
                                    + " 'it''s held' (role wherry, prepared ",
                            " s ago). End it: COMMIT PREPARED 'it''s held'"));
            migration.execute(source, "INSERT INTO public.keyless VALUES (7)", "COMMIT PREPARED 'it''s held'");
            await("the slot waits, and that is told")
                    .atMost(MOMENT)
                    .until(
                            () -> isNamed(
                                    migration,
                                    "making the replication slot",
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

    /** A lock that is waited for no longer than 0.1 s would never end a vacuum, which the server does after 1 s. */
    @Tag("slow")
    @Test
    void anAutomaticVacuumIsInOurWayForEverOrIsEndedAgainAndAgain() throws Exception {
        try (MigrationFixture migration = MigrationFixture.between(servers, "vacuum")) {
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
            try (Connection application = begin("vacuum");
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
            // Once for the identity, once for the publication, and one that was quick to come back.
            assertThat(Files.readAllLines(servers.source().log()))
                    .filteredOn(line -> line.contains("canceling autovacuum task"))
                    .hasSizeBetween(1, 3);
            migration.execute(source, "ALTER SYSTEM RESET autovacuum_naptime", "SELECT pg_reload_conf()");
            migration.cutOverAndCompare();
        }
    }

    /** The server finds the first change of the publication, and of a table, to be in a deadlock with somebody. */
    @Test
    void oneDeadlockWhilePublishingEndsTheServiceForAllTables() throws Exception {
        try (MigrationFixture migration = MigrationFixture.between(servers, "deadlock")) {
            migration.file("");
            Endpoint source = migration.migration().source();
            migration.execute(
                    source,
                    "CREATE TABLE public.keyed (id int PRIMARY KEY)",
                    "CREATE TABLE public.other (id int PRIMARY KEY)",
                    "CREATE TABLE public.keyless (n int)",
                    "INSERT INTO public.keyed VALUES (1)",
                    "INSERT INTO public.keyless VALUES (1)",
                    "CREATE SEQUENCE public.of_alter_publication",
                    "CREATE SEQUENCE public.of_alter_table",
                    """
                    CREATE FUNCTION public.deadlock() RETURNS event_trigger LANGUAGE plpgsql AS $$
                    BEGIN
                        IF nextval(('public.of_' || lower(replace(tg_tag, ' ', '_')))::regclass) = 1 THEN
                            RAISE EXCEPTION 'deadlock detected' USING ERRCODE = '40P01';
                        END IF;
                    END $$""",
                    "CREATE EVENT TRIGGER deadlock ON ddl_command_start WHEN TAG IN ('ALTER PUBLICATION', 'ALTER TABLE')"
                            + " EXECUTE FUNCTION public.deadlock()");
            migration.startSource();
            await("all tables are published")
                    .atMost(MOMENT)
                    .until(() -> migration.number(source, "SELECT count(*) FROM pg_publication_rel") == 3);
            assertThat(migration.number(source, "SELECT last_value FROM public.of_alter_table"))
                    .isGreaterThan(1);
            assertThat(migration.number(source, "SELECT last_value FROM public.of_alter_publication"))
                    .isGreaterThan(1);
            // What follows is not about it, and would make it on the target as well.
            migration.execute(source, "DROP EVENT TRIGGER deadlock", "DROP FUNCTION public.deadlock");
            migration.startCoordinator();
            migration.startSink();
            migration.awaitState(State.IN_SYNC);
            migration.execute(source, "INSERT INTO public.other VALUES (1)", "UPDATE public.keyless SET n = 2");
            migration.cutOverAndCompare();
        }
    }

    /** Seen to wait for its slot for ever, as every slot was made anew during whose making any table was truncated. */
    @Test
    void aTableThatIsTruncatedAllTheTimeDoesNotHoldUpTheSlotOfAllOthers() throws Exception {
        try (MigrationFixture migration = MigrationFixture.between(servers, "churn")) {
            migration.file("");
            Endpoint source = migration.migration().source();
            migration.execute(
                    source,
                    "CREATE TABLE public.staging (id int PRIMARY KEY)",
                    "CREATE TABLE public.steady (id serial PRIMARY KEY, n int)",
                    "INSERT INTO public.steady (n) SELECT n FROM generate_series(1, 100) n");
            // A slot waits twice for the transaction that is open, and none ends before the table was truncated again:
            // so it
            // is truncated while each slot is made.
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
    void aTableThatIsTruncatedInEachRoundOfTheLoadIsGivenUpAlone() throws Exception {
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
                await("given up")
                        .atMost(MigrationFixture.PATIENCE)
                        .until(() -> migration.coordinator().status().tables().stream()
                                .anyMatch(table -> table.state().equals("FAILED")
                                        && table.error().contains("wherry retry --table public.staging")));
            } finally {
                over.set(true);
                application.join();
            }
            await("the other is loaded and followed")
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

    private static boolean isNamed(MigrationFixture migration, String... parts) {
        String waitsFor = migration.coordinator().status().waitsFor();
        return List.of(parts).stream().allMatch(waitsFor::contains);
    }

    private Connection begin(String database) throws SQLException {
        Connection session = DriverManager.getConnection(
                servers.source().jdbcUrl(database), RehearsalDatabase.OPERATOR, RehearsalDatabase.PASSWORD);
        session.setAutoCommit(false);
        return session;
    }
}
