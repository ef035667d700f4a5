package io.wherry.rehearsal.capture;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.wherry.contract.config.Flow;
import io.wherry.contract.config.Migration;
import io.wherry.contract.config.MigrationFile;
import io.wherry.contract.error.DataException;
import io.wherry.contract.kafka.KafkaClients;
import io.wherry.contract.kafka.Positions;
import io.wherry.contract.name.TableId;
import io.wherry.contract.postgres.Lsn;
import io.wherry.contract.postgres.Timeline;
import io.wherry.contract.record.LoadPlan;
import io.wherry.rehearsal.fixture.SharedBroker;
import io.wherry.source.control.ChunkLayout;
import io.wherry.source.control.ColumnNumbers;
import io.wherry.source.control.ControlLog;
import io.wherry.source.control.ControlTopic;
import io.wherry.source.publish.KafkaTopics;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.Set;
import org.apache.kafka.clients.consumer.ConsumerRecord;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.assertj.core.api.ThrowableAssert.ThrowingCallable;
import org.junit.jupiter.api.Test;

class ControlTopicTest {
    private static final Random RANDOM = new Random(7);

    /**
     * Seen to fail with the plan in one record: "The request included a message larger than the max message size the server will
     * accept".
     */
    @Test
    void thePlanOfVeryManyTablesAndTheCutOfAVeryLargeOneAreAcceptedByTheBroker() {
        Migration migration = migration("longplan");
        KafkaTopics.ensure(Flow.first(migration), Set.of(), Map.of());
        List<LoadPlan.Table> tables = new ArrayList<>();
        for (int i = 0; i < 12_000; i++) {
            TableId table = new TableId("public", "t" + i + text());
            tables.add(new LoadPlan.Table(table, migration.topics().changes(table), 1, 1, i, i));
        }
        LoadPlan plan = new LoadPlan(1, 1, new Lsn(100), tables, 2, new Timeline("7", 1));
        List<String> bounds = new ArrayList<>();
        for (int i = 0; i < 100_000; i++) {
            bounds.add(text());
        }
        TableId large = new TableId("public", "large");
        ChunkLayout cut = new ChunkLayout(
                large, 1, 1, 1, List.of(), "", List.of("id"), "id", "text", bounds, 1, ColumnNumbers.NONE, List.of());
        try (ControlTopic control = new ControlTopic(migration)) {
            control.cut(List.of(cut));
            control.plan(plan);
            control.unloaded(new TableId("public", "other"));
            ControlLog memory = ControlTopic.read(migration);
            assertThat(memory.plans()).containsExactly(plan);
            assertThat(memory.plannedPartitions()).hasSize(12_000);
            assertThat(memory.partitions()).containsKey(large);
        } finally {
            SharedBroker.forget("longplan");
        }
    }

    /** Seen to fail without a check for missing parts: 'argument "src" is null', and the topic was not named. */
    @Test
    void aForeignRecordInTheControlTopicIsNotTakenForOneOfWherrys() throws Exception {
        Migration migration = migration("foreigncontrol");
        KafkaTopics.ensure(Flow.first(migration), Set.of(), Map.of());
        try {
            String topic = migration.topics().control();
            write(migration, topic, "somebody's", "not for us");
            assertThat(ControlTopic.read(migration).plans()).isEmpty();
            write(migration, topic, "plan", null);
            assertForeign(() -> ControlTopic.read(migration), topic + "-0 offset 1 (LoadPlan)");
            for (String key : List.of(
                    "plan",
                    "cut",
                    "chunk-loaded",
                    "partition",
                    "unloaded",
                    "slot-made",
                    "order",
                    "switched",
                    "source")) {
                for (String value : Arrays.asList(null, "null", "somebody's", "[]")) {
                    byte[] bytes = value == null ? null : value.getBytes(StandardCharsets.UTF_8);
                    assertForeign(
                            () -> new ControlLog()
                                    .see(new ConsumerRecord<>(
                                            topic, 0, 7, key.getBytes(StandardCharsets.UTF_8), bytes)),
                            topic + "-0 offset 7 (");
                }
            }
        } finally {
            SharedBroker.forget(migration.name());
        }
    }

    /** Seen to fail without a check for missing parts: a record without LSNs caused no exception. */
    @Test
    void aForeignRecordIsNotTakenForThePositionInKafka() throws Exception {
        Migration migration = migration("foreignposition");
        KafkaTopics.ensure(Flow.first(migration), Set.of(), Map.of());
        try {
            String topic = migration.topics().position();
            List<String> values = List.of("somebody's", "null", "{}", "{\"commitLsn\":\"0/1\"}");
            for (int i = 0; i < values.size(); i++) {
                write(migration, topic, "any", values.get(i));
                assertForeign(
                        () -> Positions.last(Flow.first(migration).groups().get(0)),
                        topic + "-0 offset " + i + " (Position)");
            }
        } finally {
            SharedBroker.forget(migration.name());
        }
    }

    private static void assertForeign(ThrowingCallable read, String record) {
        assertThatThrownBy(read)
                .isInstanceOf(DataException.class)
                .hasMessageContainingAll("read " + record, "not one of Wherry's records");
    }

    private static void write(Migration migration, String topic, String key, String value) throws Exception {
        try (var producer = KafkaClients.producer(migration, Map.of())) {
            producer.send(new ProducerRecord<>(
                            topic,
                            key.getBytes(StandardCharsets.UTF_8),
                            value == null ? null : value.getBytes(StandardCharsets.UTF_8)))
                    .get();
        }
    }

    private static Migration migration(String name) {
        return MigrationFile.parse("""
                name: %s
                source: {url: "jdbc:postgresql://127.0.0.1/none", user: "none"}
                target: {url: "jdbc:postgresql://127.0.0.1/none", user: "none"}
                """.formatted(name), Map.of())
                .withServers(SharedBroker.clientProperties(), "http://unused");
    }

    /** Text that does not compress well. */
    private static String text() {
        return Long.toHexString(RANDOM.nextLong()) + Long.toHexString(RANDOM.nextLong());
    }
}
