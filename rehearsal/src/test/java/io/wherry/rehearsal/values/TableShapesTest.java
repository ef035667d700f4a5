package io.wherry.rehearsal.values;

import static org.assertj.core.api.Assertions.assertThat;
import static org.awaitility.Awaitility.await;

import io.wherry.contract.config.Endpoint;
import io.wherry.contract.postgres.Sessions;
import io.wherry.coordinator.journal.State;
import io.wherry.rehearsal.fixture.EveryThirdDay;
import io.wherry.rehearsal.fixture.MigrationFixture;
import java.sql.Connection;
import java.sql.SQLException;
import java.sql.Statement;
import java.time.Duration;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;

/** Every shape that a table can have: by load, by a backlog of changes in one batch, and by changes one after another. */
@EveryThirdDay(1)
class TableShapesTest {
    /** Sessions that ask twice a second whether the transactions of before have ended, and which is the oldest. */
    private static final String SETTLING = """
            SELECT count(*) FROM pg_stat_activity
             WHERE (query LIKE 'SELECT txid_snapshot_xmin%' OR query LIKE 'SELECT coalesce(a.pid, 0) AS pid%')
               AND state_change > clock_timestamp() - interval '2 seconds'
            """;

    private static final String MANY = """
            DO $$ BEGIN
              FOR n IN 1..500 LOOP
                EXECUTE format('CREATE TABLE many.t%s (id int PRIMARY KEY, v text)', n);
                EXECUTE format('INSERT INTO many.t%s VALUES (%s, ''v'')', n, n);
              END LOOP;
              FOR n IN 0..299 LOOP
                EXECUTE format('CREATE TABLE many.p%s PARTITION OF many.p FOR VALUES FROM (%s) TO (%s)', n, n, n + 1);
              END LOOP;
            END $$""";

    @Test
    void everyShape() throws Exception {
        try (MigrationFixture migration = new MigrationFixture("shapes", 15, 15)) {
            migration.executeFile("shapes.sql");
            migration.startCoordinator();
            migration.startSource();
            migration.awaitSlot();
            migration.executeFile("shapes-changes.sql");
            migration.startSink();
            migration.awaitState(State.CATCHING_UP);
            migration.executeFile("shapes-changes.sql");
            migration.awaitState(State.IN_SYNC);
            migration.executeFile("shapes-changes.sql");
            migration.cutOverAndCompare();
        }
    }

    @Test
    void aPartitionThatComesBeforeTheKeyOfItsParentIsCreated() throws Exception {
        try (MigrationFixture migration = new MigrationFixture("early", 15, 15)) {
            migration.execute(
                    migration.migration().source(),
                    "CREATE TABLE public.early (id int PRIMARY KEY, n int) PARTITION BY RANGE (id)",
                    "CREATE INDEX by_n ON public.early (n)",
                    "CREATE TABLE public.early_1 PARTITION OF public.early FOR VALUES FROM (1) TO (100)",
                    "CREATE TABLE public.refers (id int REFERENCES public.early)",
                    "INSERT INTO public.early VALUES (1, 1)",
                    "INSERT INTO public.refers VALUES (1)");
            migration.startCoordinator();
            awaitTable(migration, "early_1");
            migration.execute(
                    migration.migration().source(),
                    "CREATE TABLE public.early_2 PARTITION OF public.early FOR VALUES FROM (100) TO (200)",
                    "INSERT INTO public.early VALUES (100, 1)");
            migration.startSource();
            migration.startSink();
            awaitTable(migration, "early_2");
            migration.awaitState(State.IN_SYNC);
            await("keys of parents")
                    .atMost(MigrationFixture.PATIENCE)
                    .until(() -> migration.numberFromTarget("SELECT count(*) FROM pg_index WHERE NOT indisvalid") == 0);
            migration.completeExactly();
        }
    }

    /** Servers of version 12 forget that such a table is published. */
    @Test
    void aTableThatATransactionWritesToWhileItIsPublishedIsFollowed() throws Exception {
        try (MigrationFixture migration = new MigrationFixture("fresh", 12, 15)) {
            Endpoint source = migration.migration().source();
            migration.execute(source, "CREATE TABLE public.old (id int PRIMARY KEY)");
            migration.startCoordinator();
            migration.startSource();
            migration.startSink();
            migration.awaitState(State.IN_SYNC);
            freshTable(migration, "");
            await("loaded")
                    .atMost(MigrationFixture.PATIENCE)
                    .until(() -> migration.numberFromTarget(
                                    "SELECT count(*) FROM wherry.relation WHERE table_name = 'fresh' AND ready_at IS NOT NULL")
                            == 1);
            migration.execute(source, "INSERT INTO public.fresh VALUES (2)");
            await("followed")
                    .atMost(MigrationFixture.PATIENCE)
                    .until(() -> migration.numberFromTarget("SELECT count(*) FROM public.fresh") == 2);
            migration.completeExactly();
        }
    }

    /** The source-connector waits for a transaction that ends with another table under the name of the published one. */
    @Tag("slow")
    @Test
    void aTableThatIsRecreatedWhileItsPublicationIsSettledIsLoaded() throws Exception {
        try (MigrationFixture migration = new MigrationFixture("anew", 12, 15)) {
            migration.execute(migration.migration().source(), "CREATE TABLE public.old (id int PRIMARY KEY)");
            migration.startAll();
            migration.awaitState(State.IN_SYNC);
            freshTable(
                    migration,
                    "DROP TABLE public.fresh; CREATE TABLE public.fresh (id int PRIMARY KEY);"
                            + " INSERT INTO public.fresh VALUES (7)");
            await("loaded")
                    .atMost(MigrationFixture.PATIENCE)
                    .ignoreExceptions()
                    .until(() -> migration.numberFromTarget("SELECT id FROM public.fresh") == 7);
            migration.completeExactly();
        }
    }

    /**
     * A new table. A transaction writes to it and ends, with {@code last}, when the source-connector has published the table and
     * waits.
     */
    private static void freshTable(MigrationFixture migration, String last) throws SQLException {
        Endpoint source = migration.migration().source();
        migration.execute(source, "CREATE TABLE public.fresh (id int PRIMARY KEY)");
        try (Connection writer = Sessions.open(migration.migration(), source, "test");
                Statement write = writer.createStatement()) {
            writer.setAutoCommit(false);
            write.execute("INSERT INTO public.fresh VALUES (1)");
            await("the source-connector waits")
                    .atMost(MigrationFixture.PATIENCE)
                    .until(() -> !"0".equals(migration.text(source, SETTLING)));
            write.execute(last);
            writer.commit();
        }
    }

    private static void awaitTable(MigrationFixture migration, String table) {
        await(table)
                .atMost(MigrationFixture.PATIENCE)
                .until(() -> migration.numberFromTarget("SELECT count(*) FROM pg_class WHERE relname = '" + table + "'")
                        == 1);
    }

    @Tag("slow")
    @Test
    void manyTablesStartSoon() throws Exception {
        try (MigrationFixture migration = new MigrationFixture("many", 15, 15)) {
            migration.execute(
                    migration.migration().source(),
                    "CREATE SCHEMA many; CREATE TABLE many.p (id int, v text) PARTITION BY RANGE (id)",
                    MANY,
                    "INSERT INTO many.p SELECT n % 300, 'v' FROM generate_series(1, 3000) n");
            long begun = System.nanoTime();
            migration.startCoordinator();
            migration.startSource();
            migration.startSink();
            migration.awaitState(State.IN_SYNC);
            migration.execute(
                    migration.migration().source(),
                    "UPDATE many.p SET id = (id + 7) % 300",
                    "DO $$ BEGIN FOR n IN 1..500 LOOP EXECUTE format('UPDATE many.t%s SET v = ''w''', n); END LOOP; END $$");
            migration.cutOverAndCompare();
            assertThat(Duration.ofNanos(System.nanoTime() - begun)).isLessThan(Duration.ofMinutes(3));
        }
    }
}
