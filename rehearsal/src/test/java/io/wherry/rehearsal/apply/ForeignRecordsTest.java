package io.wherry.rehearsal.apply;

import static io.wherry.rehearsal.fixture.SinkFixture.id;
import static io.wherry.rehearsal.fixture.SinkFixture.insert;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.wherry.contract.kafka.KafkaClients;
import io.wherry.rehearsal.fixture.SharedServer;
import io.wherry.rehearsal.fixture.SinkFixture;
import io.wherry.sink.SinkApplier;
import java.io.ByteArrayOutputStream;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.util.List;
import java.util.Map;
import java.util.concurrent.TimeUnit;
import org.apache.avro.Schema;
import org.apache.kafka.clients.admin.Admin;
import org.apache.kafka.clients.admin.RecordsToDelete;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.header.internals.RecordHeader;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** Another program writes a foreign record into one of Wherry's topics, by mistake. */
class ForeignRecordsTest {
    private static final String ITEMS = "SELECT id, body FROM public.item ORDER BY id";

    /** The layout of records before columns were unions of two branches. */
    private static final String EARLIER = """
            {"type": "record", "name": "Envelope", "namespace": "io.wherry.change",
             "wherry.schema": "public", "wherry.table": "item", "wherry.identity": ["id"], "fields": [
              {"name": "before", "type": ["null", {"type": "record", "name": "Row", "fields": [
                {"name": "id", "wherry.column": "id", "wherry.type": "pg_catalog.int4",
                 "type": ["null", "int", {"type": "enum", "name": "Unchanged", "symbols": ["UNCHANGED"]}]},
                {"name": "body", "wherry.column": "body", "wherry.type": "pg_catalog.text",
                 "type": ["null", "string", "Unchanged"]}]}]},
              {"name": "after", "type": ["null", "Row"]},
              {"name": "op", "type": "string"},
              {"name": "source", "type": {"type": "record", "name": "Source", "fields": [
                {"name": "commit_lsn", "type": "long"}, {"name": "order", "type": "long"},
                {"name": "tx_id", "type": "long"}, {"name": "ts_ms", "type": "long"}]}}]}
            """;

    @Test
    void aForeignRecordInAChangeTopicStopsItsTableAlone() throws Exception {
        try (SinkFixture sink = begun("foreign_change")) {
            sink.startSink();
            sink.plan(1, 1, "item", "other");
            sink.chunk(0, "item", 1, 0, "1\tloaded");
            sink.chunk(0, "other", 1, 0, "1\tloaded");
            sink.ready("item", "other");
            sink.commit(101, insert("item", 2, "before"));
            sink.awaitDrained("item");
            String topic = sink.migration.topics().changes(id("item"));
            long offset = write(sink, topic, null, "{\"id\": 3, \"body\": \"somebody's\"}", null);
            sink.commit(102, insert("item", 4, "after"), insert("other", 2, "after"));
            sink.awaitDrained("other");
            sink.awaitQuery(
                    "SELECT split_part(stopped_because, '. ', 1) FROM wherry.relation WHERE stopped_because IS NOT"
                            + " NULL",
                    "read change " + topic + "-0 offset " + offset + ": not in the registry's wire format");
            assertThat(sink.query(ITEMS)).isEqualTo("1|loaded\n2|before");
            assertThat(sink.query("SELECT id, body FROM public.other ORDER BY id"))
                    .isEqualTo("1|loaded\n2|after");

            // The remedy in the message.
            try (Admin admin = KafkaClients.admin(sink.migration)) {
                admin.deleteRecords(Map.of(new TopicPartition(topic, 0), RecordsToDelete.beforeOffset(offset + 1)))
                        .all()
                        .get();
            }
            sink.plan(2, 1, "item");
            sink.chunk(0, "item", 2, 0, "1\tloaded", "2\tbefore", "5\tagain");
            sink.ready("item");
            sink.awaitDrained("item");
            assertThat(sink.query(ITEMS)).isEqualTo("1|loaded\n2|before\n4|after\n5|again");
        }
    }

    @Test
    void aRecordOfAnEarlierVersionStopsItsTable() throws Exception {
        try (SinkFixture sink = begun("earlier_change")) {
            sink.startSink();
            sink.plan(1, 1, "item");
            sink.chunk(0, "item", 1, 0, "1\tloaded");
            sink.ready("item");
            Schema earlier = new Schema.Parser().parse(EARLIER);
            ByteArrayOutputStream body = new ByteArrayOutputStream();
            body.writeBytes(ByteBuffer.allocate(5)
                    .putInt(1, sink.registry.register("item", earlier))
                    .array());
            // No row before; after: 2 and UNCHANGED; u; commit LSN, order, transaction and time.
            body.writeBytes(new byte[] {0, 2, 2, 4, 4, 0, 2, 'u', 100, 2, 2, 2});
            write(sink, sink.migration.topics().changes(id("item")), body.toByteArray());
            sink.awaitQuery(
                    "SELECT split_part(stopped_because, '. ', 1) FROM wherry.relation WHERE stopped_because IS NOT"
                            + " NULL",
                    "read schema public.item: an earlier version of Wherry registered the schema, and this version does"
                            + " not read such records");
            assertThat(sink.query(ITEMS)).isEqualTo("1|loaded");
        }
    }

    @Test
    void aChangeOfAnotherGenerationStopsItsTable() throws Exception {
        try (SinkFixture sink = begun("later_change")) {
            sink.startSink();
            sink.plan(1, 1, "item");
            sink.chunk(0, "item", 1, 0, "1\tloaded");
            sink.ready("item");
            sink.generation = 2;
            sink.commit(101, insert("item", 2, "of another generation"));
            sink.awaitQuery(
                    "SELECT stopped_because LIKE '%: its generation is 2%' FROM wherry.relation WHERE stopped_because"
                            + " IS NOT NULL",
                    "t");
            assertThat(sink.query(ITEMS)).isEqualTo("1|loaded");
        }
    }

    /**
     * Seen to fail without a check for missing parts: the last record was skipped, the errors of the others did not name the
     * record.
     */
    @ParameterizedTest
    @CsvSource({
        "none, , anything, 'a record that is not Wherry''s (kind '''')'",
        "empty, H, {}, '(ChunkHeader): not one of Wherry''s records: Cannot construct'",
        "block, B, , 'a record that is not Wherry''s (kind ''B'')'",
        "trailer, T, null, '(ChunkTrailer): not one of Wherry''s records: the record is empty'"
    })
    void aForeignRecordInTheLoadTopicIsNotLoaded(String what, String kind, String value, String message)
            throws Exception {
        try (SinkFixture sink = begun("foreign_load_" + what)) {
            SinkApplier applier = sink.startSink();
            sink.plan(1, 2, "item");
            sink.chunk(0, "item", 1, 0, "1\tloaded");
            sink.awaitQuery(ITEMS, "1|loaded");
            // Within an unfinished chunk.
            sink.load(0, List.of(sink.header("item", 1, 1)));
            long offset = write(sink, sink.migration.topics().load(), null, value, kind);
            assertEnds(applier, sink.migration.topics().load() + "-0 offset " + offset, message);
            assertThat(sink.query(ITEMS)).isEqualTo("1|loaded");
            assertThat(sink.query("SELECT count(*) FROM wherry.chunk")).isEqualTo("1");
        }
    }

    @ParameterizedTest
    @CsvSource({"empty, {}, Cannot construct", "none, , the record is empty"})
    void aForeignRecordInTheControlTopicIsNotTakenForALoadPlan(String what, String value, String message)
            throws Exception {
        try (SinkFixture sink = begun("foreign_plan_" + what)) {
            write(sink, sink.migration.topics().control(), "somebody's", "not for us", null);
            SinkApplier applier = sink.startSink();
            sink.plan(1, 1, "item");
            sink.chunk(0, "item", 1, 0, "1\tloaded");
            sink.awaitQuery(ITEMS, "1|loaded");
            long offset = write(sink, sink.migration.topics().control(), "plan", value, null);
            assertEnds(applier, sink.migration.topics().control() + "-0 offset " + offset, message);
            assertThat(sink.query(ITEMS)).isEqualTo("1|loaded");
            assertThat(sink.query("SELECT count(*) FROM wherry.relation")).isEqualTo("1");
        }
    }

    private static void assertEnds(SinkApplier applier, String... message) {
        assertThatThrownBy(() -> applier.done().toCompletableFuture().get(1, TimeUnit.MINUTES))
                .hasMessageContainingAll(message);
    }

    private static SinkFixture begun(String name) throws Exception {
        SinkFixture sink = new SinkFixture(SharedServer.target(15), name, 1);
        sink.prepareTarget(
                "CREATE TABLE public.item (id int PRIMARY KEY, body text)",
                "CREATE TABLE public.other (id int PRIMARY KEY, body text)");
        return sink;
    }

    /** @return the record's offset */
    private static long write(SinkFixture sink, String topic, String key, String value, String kind) throws Exception {
        ProducerRecord<byte[], byte[]> record = new ProducerRecord<>(topic, 0, bytes(key), bytes(value));
        if (kind != null) {
            record.headers().add(new RecordHeader("wherry", bytes(kind)));
        }
        try (var producer = KafkaClients.producer(sink.migration, Map.of())) {
            return producer.send(record).get().offset();
        }
    }

    private static void write(SinkFixture sink, String topic, byte[] value) throws Exception {
        try (var producer = KafkaClients.producer(sink.migration, Map.of())) {
            producer.send(new ProducerRecord<>(topic, 0, null, value)).get();
        }
    }

    private static byte[] bytes(String text) {
        return text == null ? null : text.getBytes(StandardCharsets.UTF_8);
    }
}
