package io.wherry.rehearsal.verify;

import static org.assertj.core.api.Assertions.assertThat;
import static org.awaitility.Awaitility.await;

import io.wherry.contract.config.Endpoint;
import io.wherry.coordinator.journal.State;
import io.wherry.coordinator.machine.Status.ProofView;
import io.wherry.coordinator.proof.Proof;
import io.wherry.rehearsal.fixture.MigrationFixture;
import java.time.Duration;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/** Nothing is reported that is merely on its way, for {@code -Dwherry.minutes} (3), at about 1,000 writes a second. */
@Tag("slow")
final class NoFalseAlarmTest {
    private static final Logger LOG = LoggerFactory.getLogger(NoFalseAlarmTest.class);
    private static final Duration LONG = Duration.ofMinutes(Integer.getInteger("wherry.minutes", 3));
    private static final Duration LOOK = Duration.ofMillis(100);

    private static final String[] TABLES = {
        "CREATE TABLE public.hot (id int PRIMARY KEY, n bigint)",
        "INSERT INTO public.hot VALUES (1, 0), (2, 0)",
        "CREATE TABLE public.hay (id int PRIMARY KEY, v text, n numeric)",
        "INSERT INTO public.hay SELECT i, 'v' || i, i FROM generate_series(1, 20000) i",
        "CREATE TABLE public.again (id int PRIMARY KEY, v text)",
        "CREATE TABLE public.moved (id int PRIMARY KEY, v text)",
        "INSERT INTO public.moved SELECT 2 * i, 'v' || i FROM generate_series(1, 500) i",
        "CREATE TABLE public.filtered (id int PRIMARY KEY, kind text)",
        "ALTER TABLE public.filtered REPLICA IDENTITY FULL",
        "INSERT INTO public.filtered SELECT i, 'kept' FROM generate_series(1, 1000) i",
        "CREATE TABLE public.cleared (id int PRIMARY KEY, v text)",
        "CREATE TABLE public.large (id int PRIMARY KEY, v text)",
        "INSERT INTO public.large SELECT i, 'v' FROM generate_series(1, 20000) i",
        "CREATE TABLE public.keyless (v text)",
        "GRANT ALL ON ALL TABLES IN SCHEMA public TO app"
    };

    @Test
    void nothingThatIsOnItsWayIsReported() throws Exception {
        System.setProperty(Proof.REPEAT_PROPERTY, "1000");
        try (MigrationFixture migration = new MigrationFixture("no-false-alarm", 15, 17)) {
            migration.file("tables: {where: {public.filtered: \"kind = 'kept'\"}}");
            Endpoint source = migration.migration().source();
            migration.execute(source, TABLES);
            migration.startAll();
            migration.awaitState(State.IN_SYNC);
            try (SteadyWrites writes = new SteadyWrites(migration)) {
                write(writes);
                long end = System.nanoTime() + LONG.toNanos();
                await().atMost(LONG.plus(MigrationFixture.PATIENCE))
                        .pollInterval(LOOK)
                        .until(() -> {
                            assertNothingIsReported(migration);
                            return System.nanoTime() > end;
                        });
                LOG.info("{} statements in {}", writes.written(), LONG);
            }
            ProofView during = migration.coordinator().status().proof();
            LOG.info("{}", during);
            assertThat(during.rowsCompared()).as("rows compared meanwhile").isGreaterThan(100_000);
            await().atMost(MigrationFixture.PATIENCE).pollInterval(LOOK).until(() -> {
                ProofView proof = assertNothingIsReported(migration);
                return proof.tables() == 8 && proof.proven() == proof.tables() && proof.dirtyKeys() == 0;
            });
            migration.assertSourceEqualsTarget();
        } finally {
            System.clearProperty(Proof.REPEAT_PROPERTY);
        }
    }

    private static ProofView assertNothingIsReported(MigrationFixture migration) {
        ProofView proof = migration.coordinator().status().proof();
        assertThat(proof.differences()).isEmpty();
        return proof;
    }

    /** Statements of one string are one transaction. */
    private static void write(SteadyWrites writes) {
        writes.every(100, (session, i) -> session.execute("UPDATE public.hot SET n = n + 1 WHERE id = 1"));
        writes.every(100, (session, i) -> session.execute("UPDATE public.hot SET n = " + i % 2 + " WHERE id = 2"));
        // Both values of a row come back again and again, and so does its absence.
        writes.every(
                20,
                (session, i) -> session.execute("UPDATE public.hay SET v = CASE v WHEN 'a' THEN 'b' ELSE 'a' END, n = n"
                        + " WHERE id BETWEEN " + (1 + i % 50 * 10) + " AND " + (10 + i % 50 * 10)));
        writes.every(
                20,
                (session, i) -> session.execute("DELETE FROM public.again WHERE id BETWEEN " + i % 20 * 10 + " AND "
                        + (i % 20 * 10 + 4)
                        + "; INSERT INTO public.again SELECT g, 'same' FROM generate_series(" + (i + 7) % 20 * 10 + ", "
                        + ((i + 7) % 20 * 10 + 4) + ") g ON CONFLICT DO NOTHING"));
        writes.every(
                20,
                (session, i) -> session.execute("UPDATE public.moved SET id = id " + (i / 50 % 2 == 0 ? "- 1" : "+ 1")
                        + " WHERE id IN (SELECT id FROM public.moved WHERE id % 2 = " + i / 50 % 2
                        + " AND id BETWEEN " + i % 50 * 20 + " AND " + (i % 50 * 20 + 19) + ")"));
        writes.every(
                20,
                (session, i) -> session.execute("UPDATE public.filtered SET kind = "
                        + (i / 50 % 2 == 0 ? "'left'" : "'kept'") + " WHERE id BETWEEN " + (1 + i % 50 * 10) + " AND "
                        + (10 + i % 50 * 10)));
        writes.every(
                10,
                (session, i) -> session.execute(
                        i % 100 == 99
                                ? "TRUNCATE public.cleared"
                                : "INSERT INTO public.cleared SELECT " + i
                                        + " * 10 + g, 'new' FROM generate_series(0, 4) g"));
        writes.every(
                1,
                (session, i) -> session.execute(
                        i % 20 == 19
                                ? "UPDATE public.large SET v = 'large " + i + "'"
                                : "INSERT INTO public.keyless VALUES ('" + i + "')"));
    }
}
