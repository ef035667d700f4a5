package io.wherry.rehearsal.load;

import static org.awaitility.Awaitility.await;

import io.wherry.coordinator.journal.State;
import io.wherry.rehearsal.fixture.MigrationFixture;
import java.sql.SQLException;
import java.time.Duration;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/** How long the first changes of many tables take, compared with their second changes; prints figures (docs/performance.md). */
@Tag("slow")
class FirstChangesTest {
    private static final Logger LOG = LoggerFactory.getLogger(FirstChangesTest.class);
    private static final int TABLES = Integer.getInteger("wherry.tables", 500);
    /** Number of tables in one transaction: the server's memory for locks is bounded. */
    private static final int AT_ONCE = 500;

    @Test
    void firstChangesOfManyTables() throws Exception {
        try (MigrationFixture migration = new MigrationFixture("first", 15, 15)) {
            migration.execute(migration.migration().source(), "CREATE SCHEMA many");
            each(
                    migration,
                    "CREATE TABLE many.t%1$s (id int PRIMARY KEY, v text); INSERT INTO many.t%1$s VALUES (1, ''v'')");
            long started = System.nanoTime();
            migration.startAll();
            migration.awaitState(State.IN_SYNC);
            LOG.info("{} tables: in sync after {} s", TABLES, (System.nanoTime() - started) / 1_000_000_000);
            for (int time = 1; time <= 3; time++) {
                each(migration, "UPDATE many.t%s SET v = ''" + time + "''");
                long begun = System.nanoTime();
                long updates = (long) time * TABLES;
                await("changes applied")
                        .atMost(MigrationFixture.PATIENCE)
                        .pollInterval(Duration.ofMillis(20))
                        .until(() -> migration.numberFromTarget("SELECT sum(updates) FROM wherry.relation") == updates);
                LOG.info(
                        "{} tables, change {} of each: on the target after {} ms",
                        TABLES,
                        time,
                        (System.nanoTime() - begun) / 1_000_000);
            }
            migration.cutOverAndCompare();
        }
    }

    private static void each(MigrationFixture migration, String sql) throws SQLException {
        for (int from = 1; from <= TABLES; from += AT_ONCE) {
            migration.execute(
                    migration.migration().source(),
                    "DO $$ BEGIN FOR n IN " + from + ".." + Math.min(TABLES, from + AT_ONCE - 1)
                            + " LOOP EXECUTE format('" + sql + "', n); END LOOP; END $$");
        }
    }
}
