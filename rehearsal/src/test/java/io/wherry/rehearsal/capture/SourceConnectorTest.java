package io.wherry.rehearsal.capture;

import static org.assertj.core.api.Assertions.assertThat;
import static org.awaitility.Awaitility.await;

import io.wherry.contract.config.Flow;
import io.wherry.contract.config.Migration;
import io.wherry.contract.config.MigrationFile;
import io.wherry.contract.kafka.TopicTail;
import io.wherry.contract.name.TableId;
import io.wherry.contract.postgres.Lsn;
import io.wherry.contract.record.Heartbeat;
import io.wherry.contract.record.Json;
import io.wherry.contract.record.Position;
import io.wherry.embedded.ChildProcesses;
import io.wherry.embedded.EmbeddedKafka;
import io.wherry.embedded.EmbeddedPostgres;
import io.wherry.rehearsal.fixture.InMemoryRegistry;
import io.wherry.rehearsal.fixture.TopicReplay;
import io.wherry.source.SourceConnector;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.sql.Connection;
import java.sql.DriverManager;
import java.sql.PreparedStatement;
import java.sql.SQLException;
import java.sql.Statement;
import java.time.Duration;
import java.util.Map;
import java.util.Random;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.concurrent.atomic.AtomicInteger;
import org.apache.kafka.clients.consumer.ConsumerRecord;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;

@Tag("embedded-only")
final class SourceConnectorTest {
    private static final Duration LIMIT = Duration.ofSeconds(90);

    @Test
    void topicsReproduceTheTablesAcrossARestartAndABrokerKill() throws Exception {
        topicsReproduceTheTablesOf(17);
    }

    /** In CI, TypesEndToEndTest and RehearsalTest read a source of 11; no other test there reads one of 17. */
    @Tag("slow")
    @Test
    void topicsReproduceTheTablesOfAnOlderSource() throws Exception {
        topicsReproduceTheTablesOf(11);
    }

    private static void topicsReproduceTheTablesOf(int version) throws Exception {
        try (ChildProcesses children = new ChildProcesses();
                InMemoryRegistry registry = new InMemoryRegistry()) {
            Path directory = children.temporaryDirectory("wherry-test-");
            EmbeddedKafka kafka = EmbeddedKafka.start(children, directory.resolve("kafka"));
            EmbeddedPostgres postgres =
                    EmbeddedPostgres.start(children, version, directory.resolve("source"), Map.of("fsync", "off"));
            Migration migration = migration(postgres, kafka, registry);
            try (Connection session = connect(postgres)) {
                seed(session);
                Writer writer = new Writer(postgres);
                CompletableFuture<Void> writing = CompletableFuture.runAsync(writer);

                try (SourceConnector first =
                        new SourceConnector(Flow.first(migration).groups().get(0))) {
                    first.start();
                    awaitPosition(migration, session);
                    int written = writer.transactions.get();
                    await().atMost(LIMIT).until(() -> writer.transactions.get() > written + 200);
                }
                int written = writer.transactions.get();
                await().atMost(LIMIT).until(() -> writer.transactions.get() > written + 100);
                try (SourceConnector second =
                        new SourceConnector(Flow.first(migration).groups().get(0))) {
                    second.start();
                    await().atMost(LIMIT).until(() -> writer.transactions.get() > written + 600);
                    kafka.kill();
                    kafka.restart();
                    writer.stop.set(true);
                    writing.join();
                    awaitPosition(migration, session);
                }

                TopicReplay replay = new TopicReplay(migration, session);
                replay.replay();
                assertThat(replay.changes()).isGreaterThan(600);
                assertThat(replay.tables()).hasSize(3);
                for (TableId table : replay.tables()) {
                    replay.assertSameRows(table);
                }
            }
        }
    }

    private static Migration migration(EmbeddedPostgres postgres, EmbeddedKafka kafka, InMemoryRegistry registry) {
        String url = postgres.jdbcUrl("postgres");
        return MigrationFile.parse(
                """
                name: shop
                source: {url: "%s", user: "%s", password: "%s"}
                target: {url: "%s", user: "none"}
                tables: {include: ["public.*"], exclude: ["public.unwanted"]}
                kafka: %s
                registry: {url: "%s"}
                load: {readers: 2}
                """.formatted(
                                url,
                                postgres.superuser(),
                                postgres.password(),
                                url,
                                new String(Json.write(kafka.clientProperties()), StandardCharsets.UTF_8),
                                registry.url()),
                Map.of());
    }

    private static Connection connect(EmbeddedPostgres postgres) throws SQLException {
        return DriverManager.getConnection(postgres.jdbcUrl("postgres"), postgres.superuser(), postgres.password());
    }

    private static void seed(Connection session) throws SQLException {
        execute(session, "CREATE TYPE mood AS ENUM ('good', 'bad')");
        execute(session, "CREATE DOMAIN colour AS text");
        // Columns that differ only in case, here and in public.unwanted: stock Debezium cannot start.
        execute(
                session,
                "CREATE TABLE item (id int PRIMARY KEY, name text, big text, sold boolean NOT NULL DEFAULT false,"
                        + " price numeric, count bigint, colour colour, mood mood[], \"odd Name\" date[])");
        execute(session, "ALTER TABLE item ALTER big SET STORAGE EXTERNAL");
        execute(session, "CREATE TABLE event (at timestamptz, body bytea, number int)");
        execute(session, "CREATE TABLE wide (id uuid PRIMARY KEY, \"Filler\" text, filler text)");
        execute(session, "CREATE TABLE unwanted (\"A\" int, a int)");
        execute(
                session,
                "INSERT INTO item SELECT i, 'item ' || i, NULL, i % 2 = 0, i / 7.0, -i, NULL, '{good,NULL}',"
                        + " ARRAY[NULL, 'infinity', date '2000-01-01' + i] FROM generate_series(1, 3000) i");
        execute(session, "UPDATE item SET big = repeat(md5('x'), 100000) WHERE id = 7");
        execute(session, "INSERT INTO event SELECT now(), '\\x00ff', i % 3 FROM generate_series(1, 500) i");
        execute(
                session,
                "INSERT INTO wide SELECT md5(i::text)::uuid, repeat('w', 900), 'x' FROM generate_series(1, 20000) i");
        execute(session, "ANALYZE");
    }

    private static void awaitPosition(Migration migration, Connection session) throws SQLException {
        Lsn beat = Heartbeat.emit(session);
        await().atMost(LIMIT).ignoreExceptions().until(() -> {
            try (TopicTail tail = new TopicTail(migration, migration.topics().position())) {
                ConsumerRecord<byte[], byte[]> last = tail.last();
                return last != null
                        && !beat.isAfter(Json.read(last.value(), Position.class).commitLsn());
            }
        });
    }

    private static void execute(Connection session, String sql) throws SQLException {
        try (Statement statement = session.createStatement()) {
            statement.execute(sql);
        }
    }

    /** Writes small transactions of every kind until it is stopped. */
    private static final class Writer implements Runnable {
        final AtomicBoolean stop = new AtomicBoolean();
        final AtomicInteger transactions = new AtomicInteger();
        private final EmbeddedPostgres postgres;
        private final Random random = new Random(1);
        private int nextId = 100_000;

        Writer(EmbeddedPostgres postgres) {
            this.postgres = postgres;
        }

        @Override
        public void run() {
            try (Connection session = connect(postgres)) {
                session.setAutoCommit(false);
                while (!stop.get()) {
                    int statements = 1 + random.nextInt(4);
                    for (int i = 0; i < statements; i++) {
                        statement(session);
                    }
                    if (random.nextInt(10) == 0) {
                        session.rollback();
                    } else {
                        session.commit();
                    }
                    transactions.incrementAndGet();
                }
            } catch (SQLException e) {
                throw new IllegalStateException(e);
            }
        }

        private void statement(Connection session) throws SQLException {
            int id = 1 + random.nextInt(3000);
            switch (random.nextInt(9)) {
                case 0 ->
                    update(
                            session,
                            "INSERT INTO item (id, name, price, colour) VALUES (?, 'new', 'NaN', 'bad')",
                            nextId++);
                case 1 -> update(session, "UPDATE item SET price = price + 1.10, count = count * 3 WHERE id = ?", id);
                case 2 -> update(session, "UPDATE item SET sold = NOT sold WHERE id = ?", 7);
                case 3 -> update(session, "DELETE FROM item WHERE id = ? AND id <> 7", id);
                case 4 -> update(session, "UPDATE item SET id = id + 10000000 WHERE id = ? AND id <> 7", id);
                case 5 -> update(session, "INSERT INTO event VALUES (clock_timestamp(), '\\x01', ?)", id % 3);
                case 6 ->
                    update(
                            session,
                            "UPDATE event SET body = body || '\\x02' WHERE ctid = (SELECT ctid FROM event WHERE number = ? LIMIT 1)",
                            id % 3);
                case 7 ->
                    update(
                            session,
                            "DELETE FROM event WHERE ctid = (SELECT ctid FROM event WHERE number = ? LIMIT 1)",
                            id % 3);
                default -> {
                    if (random.nextInt(50) == 0) {
                        update(session, "UPDATE item SET big = repeat(md5(?::text), 40000) WHERE id = 7", id);
                    } else if (random.nextInt(200) == 0) {
                        execute(session, "TRUNCATE event");
                    }
                }
            }
        }

        private static void update(Connection session, String sql, int value) throws SQLException {
            try (PreparedStatement statement = session.prepareStatement(sql)) {
                statement.setInt(1, value);
                statement.executeUpdate();
            }
        }
    }
}
