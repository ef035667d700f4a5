package io.wherry.rehearsal.load;

import static org.assertj.core.api.Assertions.assertThat;
import static org.awaitility.Awaitility.await;

import io.wherry.contract.config.Migration;
import io.wherry.contract.kafka.KafkaClients;
import io.wherry.contract.kafka.TopicTail;
import io.wherry.contract.postgres.Sessions;
import io.wherry.contract.record.Json;
import io.wherry.contract.record.LoadPlan;
import io.wherry.contract.record.LoadRecords;
import io.wherry.contract.record.LoadRecords.ChunkTrailer;
import io.wherry.coordinator.journal.State;
import io.wherry.rehearsal.fixture.MigrationFixture;
import java.nio.charset.StandardCharsets;
import java.sql.Connection;
import java.sql.PreparedStatement;
import java.sql.SQLException;
import java.time.Duration;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.Random;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.concurrent.atomic.AtomicReference;
import org.apache.kafka.clients.consumer.KafkaConsumer;
import org.apache.kafka.common.KafkaException;
import org.apache.kafka.common.TopicPartition;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;

/**
 * {@code kill -9} of the source-connector in the middle of the load, again and again, while rows move between the chunks that are
 * in Kafka and those that are not. The broker allows each lane 150 kB/s, so that the load has a middle.
 */
class LoadResumeTest {
    @Test
    @Tag("slow")
    void killedAtSeveralChunksTheLoadContinuesWithTheOthers() throws Exception {
        try (MigrationFixture migration = new MigrationFixture("resume", 15, 15)) {
            migration.file("");
            migration.configure("{readers: 2}", "{readers: 2, chunk-mebibytes: 1}");
            fill(migration);
            migration.slowDownLoad(2, 150_000);
            migration.startCoordinator();
            migration.startSink();
            try (Writer writer = new Writer(migration.migration())) {
                for (int chunks : new int[] {1, 3, 6}) {
                    migration.startProcess("source");
                    await(chunks + " chunks in Kafka")
                            .atMost(MigrationFixture.PATIENCE)
                            .pollInterval(Duration.ofMillis(5))
                            .until(() -> chunksInKafka(migration.migration()) >= chunks);
                    migration.kill("source");
                }
                migration.startProcess("source");
                migration.awaitState(State.CATCHING_UP);
                writer.stop();
            }
            migration.awaitState(State.IN_SYNC);
            migration.completeExactly();
            assertChunksWereKept(migration.migration());
        }
    }

    private static int chunksInKafka(Migration migration) {
        AtomicInteger chunks = new AtomicInteger();
        try (TopicTail tail = new TopicTail(migration, migration.topics().control())) {
            tail.readAll(record -> {
                if (new String(record.key(), StandardCharsets.UTF_8).equals("chunk-loaded")) {
                    chunks.incrementAndGet();
                }
            });
        } catch (KafkaException e) {
            // The source-connector has not created the topic yet.
            return 0;
        }
        return chunks.get();
    }

    private static void fill(MigrationFixture migration) throws SQLException {
        migration.execute(
                migration.migration().source(),
                "CREATE SCHEMA other",
                "CREATE EXTENSION citext SCHEMA other",
                "CREATE TYPE public.kind AS ENUM ('a', 'b', 'c')",
                "CREATE DOMAIN public.kinds AS public.kind NOT NULL",
                "CREATE TABLE public.item (id int PRIMARY KEY, code int UNIQUE, n int NOT NULL DEFAULT 0,"
                        + " body text, sum int GENERATED ALWAYS AS (n + 1) STORED)",
                // Wide enough to be TOASTed, so that an update of another column leaves the value out of the stream.
                "INSERT INTO public.item SELECT i, i, 0, (SELECT string_agg(md5((i * 100 + j)::text), '')"
                        + " FROM generate_series(1, CASE WHEN i % 50 = 0 THEN 200 ELSE 8 END) j)"
                        + " FROM generate_series(1, 12000) i",
                "CREATE TABLE public.pair (k public.kinds, name other.citext, number numeric, n int NOT NULL DEFAULT 0,"
                        + " pad text, PRIMARY KEY (k, name, number))",
                "INSERT INTO public.pair SELECT (ARRAY['a', 'b', 'c'])[i % 3 + 1]::public.kind, 'Name' || i % 700,"
                        + " i * 1.10, 0, repeat(md5(i::text), 8) FROM generate_series(1, 12000) i",
                "CREATE TABLE public.log (n int, body text)",
                "INSERT INTO public.log SELECT i % 5000, repeat(md5(i::text), 8) FROM generate_series(1, 12000) i",
                "ANALYZE");
    }

    /** Checks that each chunk of a keyed table came whole and once, though several processes read the table. */
    private static void assertChunksWereKept(Migration migration) {
        List<LoadPlan> plans = new ArrayList<>();
        try (TopicTail tail = new TopicTail(migration, migration.topics().control())) {
            tail.readAll(record -> {
                if (new String(record.key(), StandardCharsets.UTF_8).equals(LoadPlan.KEY)) {
                    plans.add(Json.read(record.value(), LoadPlan.class));
                }
            });
        }
        assertThat(plans.stream().flatMap(plan -> plan.tables().stream()).map(LoadPlan.Table::resumed))
                .as("loads that continued")
                .anyMatch(Objects::nonNull);
        Map<String, Integer> ends = new HashMap<>();
        int chunks = plans.get(0).tables().stream()
                .filter(table -> table.id().table().equals("item"))
                .findFirst()
                .orElseThrow()
                .chunks();
        assertThat(chunks).isGreaterThan(3);
        for (ChunkTrailer trailer : trailers(migration)) {
            if (trailer.table().table().equals("item") && trailer.chunk() < chunks) {
                ends.merge("chunk " + trailer.chunk(), 1, Integer::sum);
            }
        }
        assertThat(ends).hasSize(chunks).allSatisfy((chunk, times) -> assertThat(times)
                .isEqualTo(1));
    }

    private static List<ChunkTrailer> trailers(Migration migration) {
        List<ChunkTrailer> trailers = new ArrayList<>();
        List<TopicPartition> lanes = List.of(
                new TopicPartition(migration.topics().load(), 0),
                new TopicPartition(migration.topics().load(), 1));
        try (KafkaConsumer<byte[], byte[]> consumer = KafkaClients.consumer(migration, Map.of())) {
            consumer.assign(lanes);
            consumer.seekToBeginning(lanes);
            Map<TopicPartition, Long> ends = consumer.endOffsets(lanes);
            while (lanes.stream().anyMatch(lane -> consumer.position(lane) < ends.get(lane))) {
                consumer.poll(Duration.ofMillis(200)).forEach(record -> {
                    if (LoadRecords.parse(record) instanceof ChunkTrailer trailer) {
                        trailers.add(trailer);
                    }
                });
            }
        }
        return trailers;
    }

    /**
     * Moves rows: updates write new versions on other pages, keys change, unique values are swapped, rows are deleted and
     * inserted.
     */
    private static final class Writer implements AutoCloseable {
        private static final String UNIQUE_VIOLATION = "23505";

        private final Migration migration;
        private final AtomicBoolean stop = new AtomicBoolean();
        private final AtomicReference<Exception> failure = new AtomicReference<>();
        private final Thread thread = new Thread(this::write, "test-writer");

        Writer(Migration migration) {
            this.migration = migration;
            thread.start();
        }

        private void write() {
            Random random = new Random(7);
            try (Connection session = Sessions.open(migration, migration.source(), "test writer")) {
                for (int fresh = 100_000; !stop.get(); fresh++) {
                    int id = 1 + random.nextInt(12_000);
                    switch (random.nextInt(8)) {
                        case 0 -> update(session, "UPDATE public.item SET n = n + 1 WHERE id % 1000 = ? % 1000", id);
                        case 1 -> update(session, "UPDATE public.item SET id = -id WHERE id = ?", id);
                        case 2 -> update(session, "DELETE FROM public.item WHERE id = ?", id);
                        case 3 -> update(session, "INSERT INTO public.item VALUES (?, NULL, 1, 'new')", fresh);
                        case 4 -> swap(session, id);
                        case 5 -> update(session, "UPDATE public.pair SET n = n + 1 WHERE number = ? * 1.1", id);
                        case 6 -> update(session, "UPDATE public.pair SET number = -number WHERE number = ? * 1.1", id);
                        default -> {
                            update(session, "UPDATE public.log SET body = body || 'x' WHERE n = ?", id % 10_000);
                            update(session, "DELETE FROM public.pair WHERE number = ? * 1.1", id);
                        }
                    }
                    synchronized (stop) {
                        stop.wait(20);
                    }
                }
            } catch (SQLException | InterruptedException e) {
                failure.set(e);
            }
        }

        /** Gives a row's unique value to another row, in one transaction; not if it is taken in the meantime. */
        private static void swap(Connection session, int id) throws SQLException {
            session.setAutoCommit(false);
            try {
                update(session, "UPDATE public.item SET code = NULL WHERE id = ?", id);
                update(
                        session,
                        "UPDATE public.item SET code = ? WHERE id = (SELECT min(id) FROM public.item WHERE id > 5)",
                        id);
                session.commit();
            } catch (SQLException e) {
                session.rollback();
                if (!UNIQUE_VIOLATION.equals(e.getSQLState())) {
                    throw e;
                }
            }
            session.setAutoCommit(true);
        }

        private static void update(Connection session, String sql, int value) throws SQLException {
            try (PreparedStatement statement = session.prepareStatement(sql)) {
                statement.setInt(1, value);
                statement.executeUpdate();
            }
        }

        void stop() throws InterruptedException {
            stop.set(true);
            thread.join();
            assertThat(failure.get()).isNull();
        }

        @Override
        public void close() {
            stop.set(true);
            try {
                thread.join();
            } catch (InterruptedException e) {
                Thread.currentThread().interrupt();
            }
        }
    }
}
