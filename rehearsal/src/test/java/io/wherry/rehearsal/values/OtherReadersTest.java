package io.wherry.rehearsal.values;

import static org.assertj.core.api.Assertions.assertThat;
import static org.awaitility.Awaitility.await;

import io.wherry.contract.config.Flow;
import io.wherry.contract.config.Migration;
import io.wherry.contract.config.MigrationFile;
import io.wherry.contract.kafka.KafkaClients;
import io.wherry.contract.kafka.TopicTail;
import io.wherry.contract.name.TableId;
import io.wherry.contract.postgres.Lsn;
import io.wherry.contract.record.Heartbeat;
import io.wherry.contract.record.Json;
import io.wherry.contract.record.LoadRecords;
import io.wherry.contract.record.LoadRecords.ChunkTrailer;
import io.wherry.contract.record.Position;
import io.wherry.embedded.PostgresServer;
import io.wherry.rehearsal.fixture.SharedBroker;
import io.wherry.rehearsal.servers.TestServers;
import io.wherry.source.SourceConnector;
import java.io.ByteArrayInputStream;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.sql.Connection;
import java.sql.DriverManager;
import java.sql.ResultSet;
import java.sql.SQLException;
import java.sql.Statement;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeSet;
import org.apache.flink.avro.registry.confluent.shaded.io.confluent.kafka.schemaregistry.client.CachedSchemaRegistryClient;
import org.apache.flink.avro.shaded.org.apache.avro.Schema;
import org.apache.flink.avro.shaded.org.apache.avro.generic.GenericDatumReader;
import org.apache.flink.avro.shaded.org.apache.avro.generic.GenericRecord;
import org.apache.flink.avro.shaded.org.apache.avro.io.DecoderFactory;
import org.apache.flink.formats.avro.registry.confluent.ConfluentSchemaRegistryCoder;
import org.apache.kafka.clients.consumer.ConsumerRecord;
import org.apache.kafka.clients.consumer.KafkaConsumer;
import org.apache.kafka.common.TopicPartition;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;

/**
 * What other programs read in the change topics: with Flink's deserializer over the client of Confluent's registry, and Avro in
 * Flink's version. No code of Wherry takes part in the reading.
 */
class OtherReadersTest {
    private static final Duration LIMIT = Duration.ofSeconds(90);
    private static final String TOAST = "repeat(md5('x'), 1000)";
    private static final String GIANT = "repeat('g', 1000000)";
    private static final String[] TABLES = {
        "CREATE TABLE item (id int PRIMARY KEY, name text, big text, price numeric, due date, ok bool, \"odd name\" int8)",
        "ALTER TABLE item ALTER big SET STORAGE EXTERNAL",
        "INSERT INTO item (id) VALUES (100), (101)",
        "CREATE TABLE loose (a int, b text)",
        "ALTER TABLE loose REPLICA IDENTITY FULL",
        "CREATE TABLE hot (id int PRIMARY KEY, n int)",
        "CREATE TABLE parts (id int PRIMARY KEY) PARTITION BY RANGE (id)",
        "CREATE TABLE parts_1 PARTITION OF parts FOR VALUES FROM (0) TO (10)",
        "CREATE TABLE parts_2 PARTITION OF parts FOR VALUES FROM (10) TO (20)"
    };

    private static TestServers servers;
    private static PostgresServer postgres;
    private static Migration migration;
    private static Connection session;
    private static SourceConnector source;
    private static Lsn begun;

    private record Read(ConsumerRecord<byte[], byte[]> record, GenericRecord change) {
        String text(String field) {
            return String.valueOf(change.get(field));
        }

        GenericRecord source() {
            return (GenericRecord) change.get("source");
        }

        List<Object> row(String field) {
            GenericRecord row = (GenericRecord) change.get(field);
            return row == null ? null : values(row);
        }

        Set<String> headers() {
            Set<String> names = new TreeSet<>();
            record.headers().forEach(header -> names.add(header.key()));
            return names;
        }
    }

    @BeforeAll
    static void capture() throws Exception {
        servers = TestServers.open();
        postgres = servers.postgres("readers", 15, Map.of());
        migration = MigrationFile.parse(
                        """
                name: readers
                source: {url: "%1$s", user: "%2$s", password: "%3$s"}
                target: {url: "%1$s", user: "none", schema: existing}
                tables: {whole: ["public.parts"]}
                apply: {partitions: {public.hot: 2}}
                """.formatted(postgres.jdbcUrl("postgres"), postgres.superuser(), postgres.password()),
                        Map.of())
                .withServers(SharedBroker.clientProperties(), SharedBroker.registryUrl());
        session = DriverManager.getConnection(postgres.jdbcUrl("postgres"), postgres.superuser(), postgres.password());
        execute(TABLES);
        source = new SourceConnector(Flow.first(migration).groups().get(0));
        source.start();
        awaitCaptured();
        begun = Lsn.parse(query("SELECT pg_current_wal_insert_lsn()"));
    }

    @AfterAll
    static void stop() throws SQLException {
        source.close();
        session.close();
        servers.close();
        SharedBroker.forget(migration.name());
    }

    @Test
    void everyKindOfChangeOfAKeyedTable() throws Exception {
        execute(
                "INSERT INTO item VALUES (1, 'Zürich', " + TOAST + ", 'NaN', 'infinity', true, -7)",
                "UPDATE item SET price = 1.10, due = '0044-03-15 BC', ok = NULL WHERE id = 1",
                "UPDATE item SET id = 2 WHERE id = 1",
                "DELETE FROM item WHERE id = 2",
                "TRUNCATE item");
        awaitCaptured();

        List<Read> changes = read("item");
        assertThat(changes).extracting(change -> change.text("op")).containsExactly("c", "u", "u", "d", "t");
        String toast = query("SELECT " + TOAST);
        assertThat(changes.get(0).row("before")).isNull();
        assertThat(changes.get(0).row("after")).containsExactly(1, "Zürich", toast, "NaN", "infinity", true, -7L);
        assertThat(changes.get(1).row("after")).containsExactly(1, "Zürich", null, "1.10", "0044-03-15 BC", null, -7L);
        assertThat(changes.get(2).row("before")).containsExactly(1, null, null, null, null, null, null);
        assertThat(changes.get(2).row("after")).containsExactly(2, "Zürich", null, "1.10", "0044-03-15 BC", null, -7L);
        assertThat(changes.get(3).row("before")).containsExactly(2, null, null, null, null, null, null);
        assertThat(changes.get(3).row("after")).isNull();
        assertThat(changes.get(4).row("before")).isNull();
        assertThat(changes.get(4).row("after")).isNull();
        assertThat(changes)
                .extracting(change -> change.text("unchanged"))
                .containsExactly("[]", "[big]", "[big]", "[]", "[]");
        assertThat(changes.subList(0, 4))
                .extracting(change -> values(decode(change.record().key())))
                .containsExactly(List.of(1), List.of(1), List.of(2), List.of(2));
        assertThat(changes).allSatisfy(change -> assertThat(change.headers()).isEmpty());
        assertThat(changes.get(0)
                        .change()
                        .getSchema()
                        .getField("after")
                        .schema()
                        .getTypes()
                        .get(1)
                        .getFields())
                .allSatisfy(field -> assertThat(field.schema().getTypes())
                        .as("[null, T]")
                        .hasSize(2)
                        .first()
                        .extracting(Schema::getType)
                        .isEqualTo(Schema.Type.NULL));
    }

    @Test
    void whereAChangeComesFrom() throws Exception {
        execute("BEGIN", "INSERT INTO loose VALUES (1, 'a')", "UPDATE loose SET b = NULL", "DELETE FROM loose");
        String transaction = query("SELECT txid_current()");
        execute("COMMIT");
        long ended = Lsn.parse(query("SELECT pg_current_wal_insert_lsn()")).value();
        awaitCaptured();

        List<Read> changes = read("loose");
        assertThat(changes).extracting(change -> change.text("op")).containsExactly("c", "u", "d");
        assertThat(changes.get(1).row("before")).containsExactly(1, "a");
        assertThat(changes.get(2).row("before")).containsExactly(1, null);
        assertThat(changes).extracting(change -> (Object) change.record().key()).containsOnlyNulls();
        long now = System.currentTimeMillis();
        for (int i = 0; i < changes.size(); i++) {
            GenericRecord from = changes.get(i).source();
            assertThat(List.of("connector", "name", "snapshot", "db", "schema", "table"))
                    .extracting(field -> from.get(field).toString())
                    .containsExactly("postgresql", "readers", "false", "postgres", "public", "loose");
            assertThat(from.get("version").toString()).matches("\\d+\\.\\d+\\..*");
            assertThat(from.get("txId")).hasToString(transaction);
            assertThat(from.get("generation")).isEqualTo(1);
            assertThat(from.get("order")).isEqualTo(i + 1L);
            assertThat(from.get("xmin")).isNull();
            assertThat(from.get("sequence")).isNull();
            assertThat((long) from.get("ts_ms")).isBetween(now - 600_000, now);
            assertThat((long) changes.get(i).change().get("ts_ms")).isBetween(now - 600_000, now);
            assertThat((long) from.get("lsn")).isBetween(begun.value(), (long) from.get("commit_lsn") - 1);
            assertThat((long) from.get("commit_lsn")).isLessThan(ended);
        }
        assertThat(changes)
                .extracting(change -> (long) change.source().get("lsn"))
                .isSorted()
                .doesNotHaveDuplicates();
        assertThat(changes)
                .extracting(change -> change.source().get("commit_lsn"))
                .hasSameElementsAs(List.of(changes.get(0).source().get("commit_lsn")));
    }

    /** Only headers distinguish them: each is a change like any other. */
    @Test
    void barriersAndBreaksAndPartsAreMarkedInHeaders() throws Exception {
        execute(
                "INSERT INTO hot VALUES (1, 1), (2, 2), (3, 3), (4, 4)",
                "UPDATE hot SET id = 9 WHERE id = 1",
                "INSERT INTO parts VALUES (1), (11)",
                "TRUNCATE parts_1",
                "INSERT INTO loose VALUES (2, " + GIANT + ")");
        awaitCaptured();

        List<Read> hot = read("hot");
        List<Read> marked =
                hot.stream().filter(change -> !change.headers().isEmpty()).toList();
        assertThat(hot).extracting(change -> change.text("op")).containsOnly("c", "u");
        assertThat(marked).isNotEmpty().allSatisfy(change -> assertThat(change.headers())
                .containsExactly("wherry.barrier"));
        assertThat(hot)
                .filteredOn(change -> change.text("op").equals("u"))
                .hasSize(2)
                .allSatisfy(change -> assertThat(change.row("after")).containsExactly(9, 1));

        List<Read> parts = read("parts");
        assertThat(parts).extracting(change -> change.text("op")).containsExactly("c", "c", "u");
        assertThat(parts.get(2).headers()).containsExactly("wherry.break");
        assertThat(parts.get(2).row("before")).isNull();
        assertThat(parts.get(2).row("after")).isNull();

        List<ConsumerRecord<byte[], byte[]>> giant = records(topic("loose")).stream()
                .filter(record -> record.headers().lastHeader("wherry.part") != null)
                .toList();
        assertThat(giant).hasSizeGreaterThan(1);
    }

    /** Rows of the load travel as COPY blocks, in their own topic. */
    @Test
    void loadedRowsAreInNoChangeTopic() {
        List<ConsumerRecord<byte[], byte[]>> load = records(migration.topics().load());
        assertThat(load).isNotEmpty().allSatisfy(record -> assertThat(
                        record.headers().lastHeader("wherry"))
                .isNotNull());
        assertThat(load.stream().map(LoadRecords::parse))
                .filteredOn(record -> record instanceof ChunkTrailer trailer
                        && trailer.table().table().equals("item"))
                .extracting(record -> ((ChunkTrailer) record).rows())
                .containsExactly(2L);
        assertThat(Arrays.asList("item", "loose", "hot", "parts"))
                .flatExtracting(OtherReadersTest::read)
                .noneMatch(change -> change.text("op").equals("r"));
    }

    private static String topic(String table) {
        return migration.topics().changes(new TableId("public", table));
    }

    /** All changes of the table, except those in parts. */
    private static List<Read> read(String table) {
        return records(topic(table)).stream()
                .filter(record -> record.headers().lastHeader("wherry.part") == null)
                .map(record -> new Read(record, decode(record.value())))
                .toList();
    }

    private static GenericRecord decode(byte[] bytes) {
        ConfluentSchemaRegistryCoder coder =
                new ConfluentSchemaRegistryCoder(new CachedSchemaRegistryClient(SharedBroker.registryUrl(), 10));
        try {
            ByteArrayInputStream in = new ByteArrayInputStream(bytes);
            GenericDatumReader<GenericRecord> reader = new GenericDatumReader<>(coder.readSchema(in));
            GenericRecord record = reader.read(null, DecoderFactory.get().directBinaryDecoder(in, null));
            assertThat(in.available()).isZero();
            return record;
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    private static List<Object> values(GenericRecord row) {
        List<Object> values = new ArrayList<>();
        for (Schema.Field field : row.getSchema().getFields()) {
            Object value = row.get(field.pos());
            values.add(value instanceof CharSequence ? value.toString() : value);
        }
        return values;
    }

    private static List<ConsumerRecord<byte[], byte[]>> records(String topic) {
        List<ConsumerRecord<byte[], byte[]>> records = new ArrayList<>();
        try (KafkaConsumer<byte[], byte[]> consumer = KafkaClients.consumer(migration, Map.of())) {
            List<TopicPartition> partitions = consumer.partitionsFor(topic).stream()
                    .map(p -> new TopicPartition(topic, p.partition()))
                    .toList();
            consumer.assign(partitions);
            consumer.seekToBeginning(partitions);
            Map<TopicPartition, Long> ends = consumer.endOffsets(partitions);
            while (partitions.stream().anyMatch(p -> consumer.position(p) < ends.get(p))) {
                consumer.poll(Duration.ofMillis(100)).forEach(records::add);
            }
        }
        return records;
    }

    /** Waits until everything that is committed is in Kafka. */
    private static void awaitCaptured() throws SQLException {
        Lsn beat = Heartbeat.emit(session);
        await().atMost(LIMIT).ignoreExceptions().until(() -> {
            try (TopicTail tail = new TopicTail(migration, migration.topics().position())) {
                ConsumerRecord<byte[], byte[]> last = tail.last();
                return last != null
                        && !beat.isAfter(Json.read(last, Position.class).commitLsn());
            }
        });
    }

    private static String query(String sql) throws SQLException {
        try (Statement statement = session.createStatement();
                ResultSet row = statement.executeQuery(sql)) {
            row.next();
            return row.getString(1);
        }
    }

    private static void execute(String... statements) throws SQLException {
        try (Statement statement = session.createStatement()) {
            for (String sql : statements) {
                statement.execute(sql);
            }
        }
    }
}
