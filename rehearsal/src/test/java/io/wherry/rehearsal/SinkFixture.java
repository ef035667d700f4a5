package io.wherry.rehearsal;

import static org.assertj.core.api.Assertions.assertThat;
import static org.awaitility.Awaitility.await;

import io.wherry.contract.Catalog;
import io.wherry.contract.Catalog.CatalogColumn;
import io.wherry.contract.ChangeSchemas;
import io.wherry.contract.Json;
import io.wherry.contract.KafkaClients;
import io.wherry.contract.LargeValues;
import io.wherry.contract.LoadPlan;
import io.wherry.contract.LoadRecords;
import io.wherry.contract.LoadRecords.Block;
import io.wherry.contract.LoadRecords.ChunkHeader;
import io.wherry.contract.LoadRecords.ChunkTrailer;
import io.wherry.contract.LoadRecords.LoadRecord;
import io.wherry.contract.Lsn;
import io.wherry.contract.TableId;
import io.wherry.contract.TableShape;
import io.wherry.contract.TableShape.Column;
import io.wherry.contract.TargetState;
import io.wherry.sink.SinkApplier;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.sql.SQLException;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.concurrent.ExecutionException;
import java.util.zip.CRC32C;
import org.apache.avro.Schema;
import org.apache.avro.generic.GenericData;
import org.apache.avro.generic.GenericDatumWriter;
import org.apache.avro.generic.GenericRecord;
import org.apache.avro.io.BinaryEncoder;
import org.apache.avro.io.EncoderFactory;
import org.apache.kafka.clients.admin.Admin;
import org.apache.kafka.clients.admin.NewTopic;
import org.apache.kafka.clients.consumer.KafkaConsumer;
import org.apache.kafka.clients.producer.KafkaProducer;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.apache.kafka.common.TopicPartition;

/** Stands in for the source-connector and the coordinator around a sink-applier: writes their records, reads the target. */
final class SinkFixture extends SinkTarget implements AutoCloseable {
    /** A column that an event does not carry. */
    static final Object UNCHANGED = new Object();

    final MemoryRegistry registry = new MemoryRegistry();
    private final Optional<SharedServer> shared;
    private final KafkaProducer<byte[], byte[]> producer;
    private final Map<TableId, TableShape> shapes = new HashMap<>();
    private final Map<TableId, List<String>> types = new HashMap<>();
    private final List<SinkApplier> sinks = new ArrayList<>();

    /** On a server that other tests use before and after. */
    SinkFixture(SharedServer server, String name, int workers) throws SQLException {
        this(server.take(), Optional.of(server), name, workers);
    }

    /** On a server that the test may stop. */
    SinkFixture(EmbeddedPostgres postgres, String name, int workers) throws SQLException {
        this(postgres, Optional.empty(), name, workers);
    }

    private SinkFixture(EmbeddedPostgres postgres, Optional<SharedServer> shared, String name, int workers)
            throws SQLException {
        super(postgres, name, workers);
        this.shared = shared;
        producer = KafkaClients.producer(migration, Map.of("transactional.id", name));
        producer.initTransactions();
        createTopics(List.of(
                new NewTopic(migration.topics().control(), 1, (short) 1),
                new NewTopic(migration.topics().load(), 2, (short) 1)));
    }

    /** Makes tables as the coordinator would, and the journal's first row. */
    void prepareTarget(String... statements) throws SQLException {
        for (String sql : statements) {
            execute(sql);
        }
        TargetState.create(target());
        execute("INSERT INTO wherry.journal (state) VALUES ('LOADING')");
        for (Catalog.Table table : Catalog.tables(target())) {
            shapes.put(table.id(), table.shape());
            types.put(
                    table.id(),
                    table.columns().stream().map(CatalogColumn::definition).toList());
            createTopics(List.of(new NewTopic(migration.topics().changes(table.id()), 1, (short) 1)));
        }
    }

    /** Describes a table's later events and chunks otherwise than it is. */
    void describe(String table, TableShape shape, List<String> definitions) {
        shapes.put(id(table), shape);
        types.put(id(table), definitions);
    }

    SinkApplier startSink() {
        SinkApplier sink = new SinkApplier(migration, registry);
        sinks.add(sink);
        sink.start();
        return sink;
    }

    /** Says that each named table is loaded in so many chunks under a snapshot at LSN 0/64. */
    void plan(int epoch, int chunks, String... tables) {
        List<LoadPlan.Table> planned = new ArrayList<>();
        for (String table : tables) {
            planned.add(new LoadPlan.Table(id(table), migration.topics().changes(id(table)), 1, chunks, -1, 0));
        }
        plan(epoch, planned);
    }

    void plan(int epoch, List<LoadPlan.Table> planned) {
        inTransaction(List.of(new ProducerRecord<>(
                migration.topics().control(),
                LoadPlan.KEY.getBytes(StandardCharsets.UTF_8),
                Json.write(new LoadPlan(epoch, new Lsn(100), planned)))));
    }

    ChunkHeader header(String table, int epoch, int chunk) {
        List<String> columns =
                shapes.get(id(table)).columns().stream().map(Column::name).toList();
        return new ChunkHeader(id(table), epoch, chunk, new Lsn(100), false, columns, types.get(id(table)), List.of());
    }

    ChunkTrailer trailer(ChunkHeader header, long rows, byte[] content) {
        CRC32C crc = new CRC32C();
        crc.update(content);
        return new ChunkTrailer(
                header.table(), header.epoch(), header.chunk(), rows, content.length, (int) crc.getValue());
    }

    /** Sends a chunk of text COPY to a lane, one line a row, in blocks of seven bytes. */
    void chunk(int lane, String table, int epoch, int chunk, String... lines) {
        byte[] content =
                lines.length == 0 ? new byte[0] : (String.join("\n", lines) + "\n").getBytes(StandardCharsets.UTF_8);
        ChunkHeader header = header(table, epoch, chunk);
        List<LoadRecord> records = new ArrayList<>();
        records.add(header);
        for (int from = 0; from < content.length; from += 7) {
            records.add(new Block(java.util.Arrays.copyOfRange(content, from, Math.min(content.length, from + 7))));
        }
        records.add(trailer(header, lines.length, content));
        load(lane, records);
    }

    /** The table's columns, as events carry them. */
    List<Column> columns(String table) {
        return shapes.get(id(table)).columns();
    }

    void load(int lane, List<LoadRecord> records) {
        inTransaction(records.stream()
                .map(record -> LoadRecords.record(migration.topics().load(), lane, record))
                .toList());
    }

    /** Opens tables for changes once their load is complete, as the coordinator does. */
    void ready(String... tables) throws SQLException {
        for (String table : tables) {
            await().atMost(LIMIT).until(() -> {
                String loaded = query("SELECT count(*) = 1 FROM wherry.relation r WHERE table_name = '"
                        + id(table).table()
                        + "' AND chunks = (SELECT count(*) FROM wherry.chunk c WHERE c.table_name = r.table_name"
                        + " AND c.load_epoch = r.load_epoch)");
                return loaded.equals("t");
            });
            execute("UPDATE wherry.relation SET ready_at = now() WHERE table_name = '"
                    + id(table).table() + "'");
        }
    }

    /** One source transaction; events made by {@link #insert} and its like. */
    void commit(long lsn, Event... events) {
        List<ProducerRecord<byte[], byte[]>> records = new ArrayList<>();
        for (Event event : events) {
            records.addAll(LargeValues.split(
                    new ProducerRecord<>(migration.topics().changes(event.table()), 0, null, encode(event, lsn))));
        }
        inTransaction(records);
    }

    /** What somebody else may write: of a value larger than a record, its first part alone. */
    void commitFirstPart(long lsn, Event event) {
        inTransaction(LargeValues.split(
                        new ProducerRecord<>(migration.topics().changes(event.table()), 0, null, encode(event, lsn)))
                .subList(0, 1));
    }

    /** A row event. */
    record Event(TableId table, String op, Object[] before, Object[] after) {}

    static Event insert(String table, Object... after) {
        return new Event(id(table), ChangeSchemas.CREATE, null, after);
    }

    static Event update(String table, Object... after) {
        return new Event(id(table), ChangeSchemas.UPDATE, null, after);
    }

    static Event update(String table, Object[] before, Object[] after) {
        return new Event(id(table), ChangeSchemas.UPDATE, before, after);
    }

    static Event delete(String table, Object... before) {
        return new Event(id(table), ChangeSchemas.DELETE, before, null);
    }

    static Event truncate(String table) {
        return new Event(id(table), ChangeSchemas.TRUNCATE, null, null);
    }

    private byte[] encode(Event event, long lsn) {
        TableShape shape = shapes.get(event.table());
        Schema schema = ChangeSchemas.value(shape);
        GenericRecord envelope = new GenericData.Record(schema);
        envelope.put(ChangeSchemas.BEFORE, row(schema, event.before()));
        envelope.put(ChangeSchemas.AFTER, row(schema, event.after()));
        envelope.put(ChangeSchemas.OP, event.op());
        GenericRecord source =
                new GenericData.Record(schema.getField(ChangeSchemas.SOURCE).schema());
        source.put(ChangeSchemas.COMMIT_LSN, lsn);
        source.put(ChangeSchemas.ORDER, 0L);
        source.put(ChangeSchemas.TX_ID, 1L);
        source.put(ChangeSchemas.COMMIT_MILLIS, 0L);
        envelope.put(ChangeSchemas.SOURCE, source);
        ByteArrayOutputStream out = new ByteArrayOutputStream();
        out.write(0);
        out.writeBytes(ByteBuffer.allocate(4)
                .putInt(registry.register(shape.id().toString(), schema))
                .array());
        try {
            BinaryEncoder encoder = EncoderFactory.get().directBinaryEncoder(out, null);
            new GenericDatumWriter<GenericRecord>(schema).write(envelope, encoder);
        } catch (IOException e) {
            throw new AssertionError("memory does not fail", e);
        }
        return out.toByteArray();
    }

    private static GenericRecord row(Schema envelope, Object[] values) {
        if (values == null) {
            return null;
        }
        Schema schema =
                envelope.getField(ChangeSchemas.BEFORE).schema().getTypes().get(1);
        GenericRecord row = new GenericData.Record(schema);
        for (int i = 0; i < schema.getFields().size(); i++) {
            Schema union = schema.getFields().get(i).schema();
            boolean absent = i >= values.length || values[i] == UNCHANGED;
            row.put(i, absent ? new GenericData.EnumSymbol(union.getTypes().get(2), "UNCHANGED") : values[i]);
        }
        return row;
    }

    /** Waits until every checkpoint of changes is at the committed end of its partition: the coordinator's drain. */
    void awaitDrained(String... tables) {
        List<TopicPartition> partitions = java.util.Arrays.stream(tables)
                .map(table -> new TopicPartition(migration.topics().changes(id(table)), 0))
                .toList();
        // High watermarks: a commit returns before its markers are everywhere, and the ends that committed readers see
        // may
        // still lie before the rows just committed.
        try (KafkaConsumer<byte[], byte[]> consumer =
                KafkaClients.consumer(migration, Map.of("isolation.level", "read_uncommitted"))) {
            consumer.assign(partitions);
            Map<TopicPartition, Long> ends = consumer.endOffsets(partitions);
            await().atMost(LIMIT).untilAsserted(() -> {
                for (Map.Entry<TopicPartition, Long> end : ends.entrySet()) {
                    assertThat(Long.parseLong(query("SELECT next_offset FROM wherry.checkpoint WHERE topic = '"
                                    + end.getKey().topic() + "'")))
                            .as(() -> end.getKey() + ", stopped: " + stopped())
                            .isGreaterThanOrEqualTo(end.getValue());
                }
            });
        }
    }

    private String stopped() {
        try {
            return query("SELECT coalesce(string_agg(stopped_because, '; '), 'no') FROM wherry.relation");
        } catch (SQLException e) {
            throw new AssertionError(e);
        }
    }

    static TableId id(String table) {
        return new TableId("public", table);
    }

    private void inTransaction(List<ProducerRecord<byte[], byte[]>> records) {
        producer.beginTransaction();
        records.forEach(record -> {
            var unused = producer.send(record);
        });
        producer.commitTransaction();
    }

    private void createTopics(List<NewTopic> topics) {
        try (Admin admin = KafkaClients.admin(migration)) {
            admin.createTopics(topics).all().get();
        } catch (InterruptedException | ExecutionException e) {
            throw new AssertionError("topics cannot be made", e);
        }
    }

    @Override
    public void close() throws SQLException {
        sinks.forEach(SinkApplier::close);
        producer.close();
        disconnect();
        SharedBroker.forget(migration.name());
        shared.ifPresent(server -> server.clean(true));
    }
}
