package io.wherry.rehearsal.capture;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.awaitility.Awaitility.await;

import io.wherry.contract.config.CaptureGroup;
import io.wherry.contract.config.Flow;
import io.wherry.contract.config.Migration;
import io.wherry.contract.config.MigrationFile;
import io.wherry.contract.error.DataException;
import io.wherry.contract.kafka.KafkaClients;
import io.wherry.contract.kafka.Positions;
import io.wherry.contract.kafka.SchemaRegistry;
import io.wherry.contract.name.TableId;
import io.wherry.contract.postgres.Lsn;
import io.wherry.contract.postgres.Timeline;
import io.wherry.contract.record.ChangeSchemas;
import io.wherry.contract.record.Json;
import io.wherry.contract.record.Position;
import io.wherry.contract.service.Failpoints;
import io.wherry.rehearsal.fixture.SharedBroker;
import io.wherry.source.control.Route;
import io.wherry.source.decode.RowMark;
import io.wherry.source.decode.RowPlace;
import io.wherry.source.decode.SourceTransactions;
import io.wherry.source.publish.ChangePublisher;
import io.wherry.source.publish.KafkaTopics;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.OptionalInt;
import java.util.Set;
import org.apache.avro.Schema;
import org.apache.avro.SchemaBuilder;
import org.apache.avro.generic.GenericDatumWriter;
import org.apache.avro.generic.GenericRecord;
import org.apache.avro.generic.GenericRecordBuilder;
import org.apache.avro.io.BinaryEncoder;
import org.apache.avro.io.EncoderFactory;
import org.apache.kafka.clients.consumer.KafkaConsumer;
import org.apache.kafka.clients.producer.KafkaProducer;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.apache.kafka.common.TopicPartition;
import org.junit.jupiter.api.Test;

/**
 * Kafka transactions that end otherwise than their source transactions. The broker drops the marker of a transaction, and the
 * transaction stays open: here, a producer never ends its transaction. Or a source transaction takes long, and comes in parts.
 */
class OpenTransactionsTest {
    private static final TableId TABLE = new TableId("public", "t");
    private static final Timeline TIMELINE = new Timeline("7", 1);
    private static final byte[] KEY = {1};

    private static final Schema SOURCE = SchemaBuilder.record("source")
            .fields()
            .requiredLong(ChangeSchemas.COMMIT_LSN)
            .requiredLong(ChangeSchemas.ORDER)
            .endRecord();
    private static final Schema CHANGE = SchemaBuilder.record("change")
            .fields()
            .name(ChangeSchemas.SOURCE)
            .type(SOURCE)
            .noDefault()
            .endRecord();

    /** Seen to fail without the fix: positions [10, 20] and the change of 20 were not visible, whatever was committed. */
    @Test
    void aTransactionThatTheBrokerLeftOpenHidesNoLaterTransaction() throws Exception {
        Migration migration = migration("leftopen");
        String topic = migration.topics().changes(TABLE);
        KafkaTopics.ensure(Flow.first(migration), Set.of(TABLE), Map.of());
        try (KafkaProducer<byte[], byte[]> hanging = hanging(migration)) {
            commit(migration, topic, 10);
            hanging.send(new ProducerRecord<>(topic, 0, KEY, change(20))).get();
            hanging.send(new ProducerRecord<>(migration.topics().position(), 0, KEY, position(20)))
                    .get();
            hanging.flush();

            commit(migration, topic, 20);

            assertThat(visible(migration, migration.topics().position()))
                    .extracting(value ->
                            Json.read(value, Position.class).commitLsn().value())
                    .containsExactly(10L, 20L);
            assertThat(visible(migration, topic)).hasSize(2);
        } finally {
            SharedBroker.forget(migration.name());
        }
    }

    /** The slot does not send these changes again. */
    @Test
    void aCommittedChangeWhoseMarkerIsLostIsNotAborted() throws Exception {
        Migration migration = migration("lostmarker");
        String topic = migration.topics().changes(TABLE);
        KafkaTopics.ensure(Flow.first(migration), Set.of(TABLE), Map.of());
        try (KafkaProducer<byte[], byte[]> hanging = hanging(migration)) {
            hanging.send(new ProducerRecord<>(topic, 0, KEY, change(10))).get();
            hanging.flush();

            positionOnly(migration, 10);
            assertThatThrownBy(() -> publisher(migration, topic))
                    .isInstanceOf(DataException.class)
                    .hasMessageContainingAll(topic + "-0 offset 0", "0/A");
        } finally {
            SharedBroker.forget(migration.name());
        }
    }

    /** As while the server decodes rows of other tables for an hour. The broker would end the transaction after eight seconds. */
    @Test
    void aSourceTransactionThatPausesIsCommittedInPartsAndContinuesAfterTheLast() throws Exception {
        Migration migration = migration("pausing");
        String topic = migration.topics().changes(TABLE);
        KafkaTopics.ensure(Flow.first(migration), Set.of(TABLE), Map.of());
        CaptureGroup group = Flow.first(migration).groups().get(0);
        Route route = new Route(TABLE, topic, 1);
        RowPlace first = new RowPlace(50, 1, 1);
        try {
            try (ChangePublisher publisher = publisher(migration, topic, Duration.ofSeconds(8))) {
                assertThat(publisher.begin(100, 0)).isEqualTo(SourceTransactions.Start.WHOLE);
                publisher.row(first, route, 0, KEY, change(100), RowMark.NONE);
                await("committed without another row").until(() -> {
                    publisher.quiet();
                    return Positions.last(group).isPresent();
                });
                assertThat(Positions.last(group).orElseThrow().part())
                        .isEqualTo(new Position.Part(new Lsn(100), new Lsn(50), 1, 1));
                assertThat(Positions.cover(group.flow(), new Lsn(100))).isFalse();
                publisher.row(new RowPlace(50, 2, 2), route, 0, KEY, change(100), RowMark.NONE);
            }
            try (ChangePublisher publisher = publisher(migration, topic)) {
                assertThat(publisher.begin(100, 0).after()).contains(first);
                publisher.row(new RowPlace(50, 2, 2), route, 0, KEY, change(100), RowMark.NONE);
                publisher.commit(100, 101);
                assertThat(publisher.awaitCommitted(new Lsn(101), Duration.ofMinutes(1)))
                        .isTrue();
            }
            assertThat(visible(migration, topic)).hasSize(2);
            assertThat(Positions.cover(group.flow(), new Lsn(100))).isTrue();
        } finally {
            SharedBroker.forget(migration.name());
        }
    }

    /** Sent again, such a row would be taken for one that Kafka holds, and be lost. */
    @Test
    void aRowThatComesBehindTheLastPartStopsTheStream() throws Exception {
        Migration migration = migration("behind");
        String topic = migration.topics().changes(TABLE);
        KafkaTopics.ensure(Flow.first(migration), Set.of(TABLE), Map.of());
        Route route = new Route(TABLE, topic, 1);
        try (ChangePublisher publisher = publisher(migration, topic, Duration.ofSeconds(8))) {
            publisher.begin(100, 0);
            publisher.row(new RowPlace(50, 1, 1), route, 0, KEY, change(100), RowMark.NONE);
            await("a part").until(() -> {
                publisher.quiet();
                return Positions.last(Flow.first(migration).groups().get(0)).isPresent();
            });
            assertThatThrownBy(() -> publisher.row(new RowPlace(49, 1, 2), route, 0, KEY, change(100), RowMark.NONE))
                    .isInstanceOf(DataException.class)
                    .hasMessageContaining("the source sent the row of 0/31 after that of 0/32");
            assertThatThrownBy(() -> publisher.commit(100, 101)).isInstanceOf(DataException.class);
        } finally {
            SharedBroker.forget(migration.name());
        }
    }

    /** Only a position, as if the change's partition had had no leader. */
    private static void positionOnly(Migration migration, long lsn) throws Exception {
        try (KafkaProducer<byte[], byte[]> producer = KafkaClients.producer(migration, Map.of())) {
            producer.send(new ProducerRecord<>(migration.topics().position(), 0, KEY, position(lsn)))
                    .get();
        }
    }

    private static KafkaProducer<byte[], byte[]> hanging(Migration migration) {
        KafkaProducer<byte[], byte[]> producer =
                KafkaClients.producer(migration, Map.of("transactional.id", migration.name() + "-hanging"));
        producer.initTransactions();
        producer.beginTransaction();
        return producer;
    }

    private static void commit(Migration migration, String topic, long lsn) throws InterruptedException {
        try (ChangePublisher publisher = publisher(migration, topic)) {
            assertThat(publisher.begin(lsn, 0)).isEqualTo(SourceTransactions.Start.WHOLE);
            publisher.row(new RowPlace(lsn - 1, 1, 1), new Route(TABLE, topic, 1), 0, KEY, change(lsn), RowMark.NONE);
            publisher.commit(lsn, lsn + 1);
            assertThat(publisher.awaitCommitted(new Lsn(lsn + 1), Duration.ofMinutes(1)))
                    .isTrue();
        }
    }

    private static ChangePublisher publisher(Migration migration, String topic) {
        return publisher(migration, topic, Duration.ofMinutes(1));
    }

    private static ChangePublisher publisher(Migration migration, String topic, Duration transactionTimeout) {
        return new ChangePublisher(
                Flow.first(migration).groups().get(0),
                new OneSchema(),
                List.of(topic),
                TIMELINE,
                transactionTimeout,
                Failpoints.NONE);
    }

    private record OneSchema() implements SchemaRegistry {
        @Override
        public int register(String subject, Schema schema) {
            return 1;
        }

        @Override
        public Schema byId(int id) {
            return CHANGE;
        }

        @Override
        public OptionalInt latest(String subject) {
            return OptionalInt.of(1);
        }
    }

    private static byte[] position(long lsn) {
        return Json.write(new Position(new Lsn(lsn), new Lsn(lsn + 1), 0, TIMELINE));
    }

    private static byte[] change(long lsn) {
        ByteArrayOutputStream bytes = new ByteArrayOutputStream();
        bytes.writeBytes(ByteBuffer.allocate(5).putInt(1, 1).array());
        BinaryEncoder encoder = EncoderFactory.get().binaryEncoder(bytes, null);
        GenericRecord source = new GenericRecordBuilder(SOURCE)
                .set(ChangeSchemas.COMMIT_LSN, lsn)
                .set(ChangeSchemas.ORDER, 1L)
                .build();
        try {
            new GenericDatumWriter<GenericRecord>(CHANGE)
                    .write(
                            new GenericRecordBuilder(CHANGE)
                                    .set(ChangeSchemas.SOURCE, source)
                                    .build(),
                            encoder);
            encoder.flush();
        } catch (IOException e) {
            throw new IllegalStateException(e);
        }
        return bytes.toByteArray();
    }

    private static List<byte[]> visible(Migration migration, String topic) {
        List<byte[]> values = new ArrayList<>();
        TopicPartition partition = new TopicPartition(topic, 0);
        try (KafkaConsumer<byte[], byte[]> consumer = KafkaClients.consumer(migration, Map.of())) {
            consumer.assign(List.of(partition));
            consumer.seekToBeginning(List.of(partition));
            long end = consumer.endOffsets(List.of(partition)).get(partition);
            while (consumer.position(partition) < end) {
                consumer.poll(Duration.ofMillis(200)).forEach(record -> values.add(record.value()));
            }
        }
        return values;
    }

    private static Migration migration(String name) {
        return MigrationFile.parse("""
                name: %s
                source: {url: "jdbc:postgresql://127.0.0.1/none", user: "none"}
                target: {url: "jdbc:postgresql://127.0.0.1/none", user: "none"}
                """.formatted(name), Map.of())
                .withServers(SharedBroker.clientProperties(), "http://unused");
    }
}
