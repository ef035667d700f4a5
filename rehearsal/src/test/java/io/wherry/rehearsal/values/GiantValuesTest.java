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
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;

/**
 * One worker whose giant values take as long as the test needs: its other tables continue, and nothing is lost or out of order.
 */
@EveryThirdDay(2)
class GiantValuesTest {
    private static final String GIANT = "(SELECT string_agg(md5(i::text), '') FROM generate_series(1, 200000) i)";
    private static final String ROWS = "SELECT count(*) FROM public.";

    private MigrationFixture migration;
    private Endpoint source;
    private Endpoint target;

    @BeforeEach
    void start() throws SQLException {
        migration = new MigrationFixture("giants", 15, 15);
        migration.file("");
        migration.configure("apply: {workers: 2}", "apply: {workers: 1, partitions: {public.hot: 2}}");
        source = migration.migration().source();
        target = migration.migration().target();
        migration.execute(
                source,
                "CREATE TABLE public.one (id int PRIMARY KEY, n int, big text)",
                "CREATE TABLE public.two (id int PRIMARY KEY, big text)",
                "CREATE TABLE public.hot (id int PRIMARY KEY, n int, big text)",
                "CREATE TABLE public.other (id int PRIMARY KEY)");
        migration.startCoordinator();
        migration.startSource();
        migration.startProcess("sink");
        migration.awaitState(State.IN_SYNC);
    }

    @AfterEach
    void stop() {
        migration.close();
    }

    @Test
    void otherTablesContinueAndAKilledSinkStartsAgainWithTheGiant() throws Exception {
        try (Connection holder = Sessions.open(migration.migration(), target, "test");
                Statement lock = holder.createStatement()) {
            holder.setAutoCommit(false);
            lock.execute("LOCK TABLE public.one IN EXCLUSIVE MODE");
            migration.execute(
                    source,
                    "INSERT INTO public.one VALUES (1, 0, " + GIANT + ")",
                    "UPDATE public.one SET n = 1",
                    "INSERT INTO public.two VALUES (1, " + GIANT + ")",
                    "INSERT INTO public.other VALUES (1)",
                    "UPDATE public.one SET n = 2, big = upper(big)",
                    "INSERT INTO public.two VALUES (2, 'small')");
            awaitRows("other", 1);
            migration.kill("sink");
            migration.execute(source, "INSERT INTO public.other VALUES (2)");
            migration.startProcess("sink");
            awaitRows("other", 2);
            assertThat(migration.numberFromTarget(ROWS + "one")).isZero();
            assertThat(migration.numberFromTarget(ROWS + "two"))
                    .as("one giant at a time")
                    .isZero();
            migration.execute(source, "UPDATE public.one SET id = 3, n = 3", "DELETE FROM public.two WHERE id = 2");
        }
        migration.awaitState(State.IN_SYNC);
        migration.completeExactly();
    }

    @Test
    void aGiantThatTheTargetRefusesStopsItsTableAlone() throws Exception {
        migration.execute(target, "ALTER TABLE public.one ADD CONSTRAINT short CHECK (length(big) < 1000)");
        migration.execute(
                source,
                "INSERT INTO public.one VALUES (1, 0, " + GIANT + ")",
                "INSERT INTO public.one VALUES (2, 0, 'small')",
                "INSERT INTO public.two VALUES (1, " + GIANT + ")",
                "INSERT INTO public.other VALUES (1)");
        awaitRows("other", 1);
        awaitRows("two", 1);
        await("stopped")
                .atMost(MigrationFixture.PATIENCE)
                .until(() -> migration.numberFromTarget(
                                "SELECT count(*) FROM wherry.relation WHERE stopped_because LIKE '%short%'")
                        == 1);
        assertThat(migration.numberFromTarget(ROWS + "one")).isZero();

        migration.execute(target, "ALTER TABLE public.one DROP CONSTRAINT short");
        migration.coordinator().retry(Optional.of("public.one"));
        awaitRows("one", 2);
        migration.completeExactly();
    }

    @Tag("slow")
    @Test
    void partitionsOfOneTableMeetThoughOneOfThemHasAGiant() throws Exception {
        migration.execute(
                source,
                "INSERT INTO public.hot SELECT i, 0, 'small' FROM generate_series(1, 20) i",
                "UPDATE public.hot SET big = " + GIANT + " WHERE id IN (3, 4, 11)",
                "UPDATE public.hot SET n = 1",
                "UPDATE public.hot SET id = -id",
                "UPDATE public.hot SET n = 2",
                "INSERT INTO public.other VALUES (1)",
                "UPDATE public.hot SET id = -id, big = lower(big) WHERE id IN (-3, -20)",
                "TRUNCATE public.hot",
                "INSERT INTO public.hot SELECT i, 0, " + GIANT + " FROM generate_series(1, 5) i",
                "DELETE FROM public.hot WHERE id = 2",
                "UPDATE public.hot SET id = 2 WHERE id = 1");
        awaitRows("hot", 4);
        migration.completeExactly();
        assertThat(migration.numberFromTarget("SELECT count(*) FROM wherry.barrier"))
                .isZero();
    }

    @Test
    @Tag("slow")
    void manyGiantsOfSeveralTablesTakeTurns() throws Exception {
        String giant = "repeat('wherry ' || %d, 600000)";
        List<String> changes = new ArrayList<>();
        for (int i = 1; i <= 12; i++) {
            // Few parts each, as the values compress: one poll brings several of them, with other tables' changes in
            // between.
            changes.add("INSERT INTO public.one VALUES (" + i + ", 0, " + giant.formatted(i) + ")");
            changes.add("INSERT INTO public.other VALUES (" + i + ")");
            changes.add("INSERT INTO public.two VALUES (" + i + ", " + giant.formatted(100 + i) + ")");
            changes.add("UPDATE public.one SET n = n + 1");
            changes.add("INSERT INTO public.hot VALUES (" + i + ", 0, " + giant.formatted(200 + i) + ")");
            if (i % 4 == 0) {
                changes.add("UPDATE public.two SET big = reverse(big) WHERE id > " + (i - 2));
                changes.add("UPDATE public.hot SET id = -id, n = n + 1 WHERE id = " + i);
            }
        }
        migration.execute(source, changes.toArray(String[]::new));
        migration.completeExactly();
    }

    private void awaitRows(String table, long rows) {
        await(table).atMost(MigrationFixture.PATIENCE).until(() -> migration.numberFromTarget(ROWS + table) == rows);
    }
}
