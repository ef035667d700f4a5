package io.wherry.rehearsal.capture;

import static org.assertj.core.api.Assertions.assertThat;
import static org.awaitility.Awaitility.await;

import io.wherry.contract.name.TableId;
import io.wherry.contract.postgres.Sessions;
import io.wherry.coordinator.journal.State;
import io.wherry.rehearsal.fixture.MigrationFixture;
import io.wherry.rehearsal.fixture.TopicReplay;
import io.wherry.soak.TopicAudit;
import java.sql.Connection;
import java.sql.SQLException;
import java.sql.Statement;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.SplittableRandom;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.concurrent.atomic.AtomicInteger;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;

/**
 * Tables with several change partitions: keys change and are swapped, and tables are truncated, by interleaved sessions; the
 * sink-applier is killed while partitions wait at a barrier. {@code -Dwherry.seed=N} repeats the same writes.
 */
@Tag("slow")
class BarrierTest {
    private static final int WRITERS = 4;
    private static final int KILLS = 3;
    private static final int TRANSACTIONS = 150;
    private static final int IDS = 900;
    private static final String WAITING = "SELECT count(*) FROM wherry.barrier";
    private static final String TRUNCATED = "SELECT sum(truncates) FROM wherry.relation";

    private final AtomicBoolean enough = new AtomicBoolean();
    private final AtomicInteger committed = new AtomicInteger();

    @Test
    void keyChangesAndTruncatesKeepTheirPlaceThoughTheSinkIsKilled() throws Exception {
        long seed = Long.getLong("wherry.seed", System.currentTimeMillis());
        try {
            migrate(seed);
        } catch (Throwable e) {
            throw new AssertionError("seed " + seed, e);
        }
    }

    private void migrate(long seed) throws Exception {
        try (MigrationFixture migration = new MigrationFixture("barrier", 15, 15)) {
            migration.file("");
            migration.configure(
                    "apply: {workers: 2}", "apply: {workers: 3, partitions: {public.hot: 4, public.wide: 3}}");
            migration.execute(
                    migration.migration().source(),
                    "CREATE TABLE public.hot (id int PRIMARY KEY, n int, big text)",
                    "ALTER TABLE public.hot ALTER big SET STORAGE EXTERNAL",
                    "CREATE TABLE public.wide (area text, id int, v text, PRIMARY KEY (id, area))",
                    "ALTER TABLE public.wide REPLICA IDENTITY FULL",
                    "INSERT INTO public.hot SELECT i, 0, repeat('x', 3000) FROM generate_series(1, 600) i",
                    "INSERT INTO public.wide SELECT 'a', i, 'v' FROM generate_series(1, 600) i");
            migration.startCoordinator();
            migration.startSource();
            await("target prepared")
                    .atMost(MigrationFixture.PATIENCE)
                    .until(() -> migration.numberFromTarget("SELECT count(*) FROM wherry.journal") > 0);
            migration.startProcess("sink");
            migration.awaitSlot();

            List<CompletableFuture<Void>> writers = new ArrayList<>();
            for (int i = 0; i < WRITERS; i++) {
                SplittableRandom random = new SplittableRandom(seed + i);
                writers.add(CompletableFuture.runAsync(() -> write(migration, random)));
            }
            for (int kills = 0; kills < KILLS; kills++) {
                await("partitions wait")
                        .atMost(MigrationFixture.PATIENCE)
                        .pollInterval(Duration.ofMillis(5))
                        .until(() -> migration.numberFromTarget(WAITING) > 0);
                migration.kill("sink");
                migration.startProcess("sink");
            }
            enough.set(true);
            writers.forEach(CompletableFuture::join);
            migration.awaitState(State.IN_SYNC);
            migration.completeExactly();

            assertThat(committed.get()).isGreaterThan(WRITERS * TRANSACTIONS / 2);
            assertThat(migration.numberFromTarget(WAITING)).isZero();
            assertThat(migration.numberFromTarget(TRUNCATED)).isPositive();
            List<String> topics = List.of(topic(migration, "hot"), topic(migration, "wide"));
            assertThat(new TopicAudit(migration.migration()).look(topics)).isEmpty();
            try (Connection target =
                    Sessions.open(migration.migration(), migration.migration().target(), "test")) {
                TopicReplay replay = new TopicReplay(migration.migration(), target);
                replay.replay();
                assertThat(replay.barriers()).isGreaterThan(KILLS * 5);
                for (TableId table : replay.tables()) {
                    replay.assertSameRows(table);
                }
            }
        }
    }

    private static String topic(MigrationFixture migration, String table) {
        return migration.migration().topics().changes(new TableId("public", table));
    }

    /** Statements that the server refuses (a key that is taken, a deadlock) are rolled back. */
    private void write(MigrationFixture migration, SplittableRandom random) {
        try (Connection session = Sessions.open(
                        migration.migration(), migration.migration().source(), "writer");
                Statement statement = session.createStatement()) {
            statement.execute("SET lock_timeout = '1s'");
            session.setAutoCommit(false);
            for (int left = TRANSACTIONS; left > 0 || !enough.get(); left--) {
                try {
                    for (int steps = random.nextInt(1, 6); steps > 0; steps--) {
                        for (String sql : step(random)) {
                            statement.execute(sql);
                        }
                    }
                    if (random.nextInt(8) == 0) {
                        session.rollback();
                    } else {
                        session.commit();
                        committed.incrementAndGet();
                    }
                } catch (SQLException e) {
                    session.rollback();
                }
                // Not more than a busy machine applies while another process starts the sink.
                statement.execute("SELECT pg_sleep(0.02)");
                session.commit();
            }
        } catch (SQLException e) {
            throw new IllegalStateException(e);
        }
    }

    private static List<String> step(SplittableRandom random) {
        int a = random.nextInt(1, IDS);
        int b = random.nextInt(1, IDS);
        return switch (random.nextInt(14)) {
            case 0, 1 ->
                List.of(
                        "INSERT INTO public.hot SELECT i, %d, 'new' FROM generate_series(%d, %d) i ON CONFLICT DO NOTHING"
                                .formatted(b, a, a + b % 30));
            case 2, 3 -> List.of("UPDATE public.hot SET n = n + 1 WHERE id BETWEEN %d AND %d".formatted(a, a + b % 40));
            case 4 -> List.of("DELETE FROM public.hot WHERE id BETWEEN %d AND %d".formatted(a, a + b % 5));
            case 5 -> List.of("UPDATE public.hot SET id = %d, n = n + 1 WHERE id = %d".formatted(a, b));
            case 6 ->
                List.of(
                        "UPDATE public.hot SET id = -%1$d WHERE id = %1$d".formatted(a),
                        "UPDATE public.hot SET id = %d WHERE id = %d".formatted(a, b),
                        "UPDATE public.hot SET id = %d WHERE id = -%d".formatted(b, a));
            case 7 ->
                List.of("UPDATE public.hot SET id = id + 10000 WHERE id BETWEEN %d AND %d".formatted(a, a + b % 60));
            case 8 ->
                List.of("UPDATE public.hot SET id = id - 10000 WHERE id BETWEEN 10000 + %d AND 10000 + %d"
                        .formatted(a, a + b % 60));
            case 9 ->
                random.nextInt(8) == 0
                        ? List.of("UPDATE public.hot SET id = %d, big = repeat(md5('%d'), 10000) WHERE id = %d"
                                .formatted(a, b, b))
                        : List.of("UPDATE public.hot SET big = repeat('b', %d) WHERE id = %d".formatted(b * 4, a));
            case 10 -> List.of("INSERT INTO public.wide VALUES ('b', %d, 'n') ON CONFLICT DO NOTHING".formatted(a));
            case 11 ->
                List.of(
                        "UPDATE public.wide SET v = v || 'x' WHERE id BETWEEN %d AND %d".formatted(a, a + b % 20),
                        "UPDATE public.wide SET area = 'c%d' WHERE id = %d AND area = 'a'".formatted(b % 3, a));
            case 12 -> List.of("DELETE FROM public.wide WHERE id = %d".formatted(a));
            default ->
                random.nextInt(8) > 0
                        ? List.of("UPDATE public.hot SET n = 0 WHERE id = " + a)
                        : List.of(
                                random.nextBoolean() ? "TRUNCATE public.hot" : "TRUNCATE public.hot, public.wide",
                                "INSERT INTO public.hot SELECT i, 0, repeat('y', 3000) FROM generate_series(1, 300) i",
                                "INSERT INTO public.wide SELECT 'a', i, 'v' FROM generate_series(1, 300) i"
                                        + " ON CONFLICT DO NOTHING");
        };
    }
}
