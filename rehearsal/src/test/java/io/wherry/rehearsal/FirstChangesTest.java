package io.wherry.rehearsal;

import static org.awaitility.Awaitility.await;

import io.wherry.coordinator.State;
import java.time.Duration;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/** How long the first changes of many tables take, against their second ones; figures for people (docs/performance.md). */
@Tag("slow")
class FirstChangesTest {
    private static final Logger LOG = LoggerFactory.getLogger(FirstChangesTest.class);
    private static final int TABLES = Integer.getInteger("wherry.tables", 500);
    private static final String EACH =
            "DO $$ BEGIN FOR n IN 1.." + TABLES + " LOOP EXECUTE format('%s', n); END LOOP; END $$";

    @Test
    void firstChangesOfManyTables() throws Exception {
        try (MigrationFixture migration = new MigrationFixture("first", 15, 15)) {
            migration.execute(
                    migration.migration().source(),
                    "CREATE SCHEMA many",
                    EACH.formatted("CREATE TABLE many.t%s (id int PRIMARY KEY, v text)"),
                    EACH.formatted("INSERT INTO many.t%s VALUES (1, ''v'')"));
            migration.startAll();
            migration.awaitState(State.IN_SYNC);
            for (int time = 1; time <= 3; time++) {
                migration.execute(
                        migration.migration().source(), EACH.formatted("UPDATE many.t%s SET v = ''" + time + "''"));
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
}
