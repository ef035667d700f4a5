package io.wherry.rehearsal;

import static org.assertj.core.api.Assertions.assertThat;
import static org.awaitility.Awaitility.await;

import io.wherry.contract.Catalog;
import io.wherry.contract.Catalog.CatalogColumn;
import io.wherry.contract.ChangeSchemas;
import io.wherry.contract.Endpoint;
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
import io.wherry.contract.Migration;
import io.wherry.contract.Sessions;
import io.wherry.contract.TableId;
import io.wherry.contract.TableShape;
import io.wherry.contract.TableShape.Column;
import io.wherry.contract.TargetState;
import io.wherry.sink.SinkApplier;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.sql.Connection;
import java.sql.DriverManager;
import java.sql.ResultSet;
import java.sql.SQLException;
import java.sql.Statement;
import java.time.Duration;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.concurrent.ExecutionException;
import java.util.stream.Collectors;
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
import org.postgresql.PGConnection;

/** Stands in for the source-connector and the coordinator around a sink-applier: writes their records, reads the target. */
final class SinkFixture implements AutoCloseable {
    /** A column that an event does not carry. */
    static final Object UNCHANGED = new Object();

    private static final Duration LIMIT = Duration.ofSeconds(30);

    final Migration migration;
    final MemoryRegistry registry = new MemoryRegistry();
    /** Of the changes that are committed from now on. */
    int generation = ChangeSchemas.FIRST_GENERATION;

    private Connection target;
    private final KafkaProducer<byte[], byte[]> producer;
    private final Map<TableId, TableShape> shapes = new HashMap<>();
    private final Map<TableId, List<String>> types = new HashMap<>();
    private final List<SinkApplier> sinks = new ArrayList<>();

    SinkFixture(EmbeddedPostgres postgres, Map<String, String> kafka, String name, int workers) throws SQLException {
        try (Connection connection = DriverManager.getConnection(
                        postgres.jdbcUrl("postgres"), postgres.superuser(), postgres.password());
                Statement statement = connection.createStatement()) {
            statement.execute("CREATE DATABASE " + name);
        }
        Endpoint endpoint = new Endpoint(postgres.jdbcUrl(name), postgres.superuser(), postgres.password());
        migration = new Migration(
                name,
                endpoint,
                endpoint,
                Migration.TargetSchemaMode.CREATE,
                new Migration.Tables(List.of("*"), List.of()),
                kafka,
                Optional.of("http://unused"),
                new Migration.Load(2),
                new Migration.Apply(workers, Map.of()),
                new Migration.Cutover(
                        Duration.ofSeconds(2),
                        Duration.ofSeconds(30),
                        Duration.ofSeconds(10),
                        Migration.FenceMode.NO_LOGIN,
                        new Migration.Switch.None()),
                new Migration.Http("127.0.0.1", 0, Optional.empty()));
        connect();
        producer = KafkaClients.producer(migration, Map.of("transactional.id", name));
        producer.initTransactions();
        createTopics(List.of(
                new NewTopic(migration.topics().control(), 1, (short) 1),
                new NewTopic(migration.topics().load(), 2, (short) 1)));
    }

    void connect() throws SQLException {
        target = Sessions.open(migration, migration.target(), "test");
    }

    void disconnect() throws SQLException {
        target.close();
    }

    /** Makes tables as the coordinator would, and the journal's first row. */
    void prepareTarget(String... statements) throws SQLException {
        for (String sql : statements) {
            execute(sql);
        }
        TargetState.create(target);
        execute("INSERT INTO wherry.journal (state) VALUES ('LOADING')");
        for (Catalog.Table table : Catalog.tables(target)) {
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

    /** Sends what COPY gives for a query as a chunk. */
    void copyChunk(int lane, String table, int epoch, int chunk, boolean binary, String query) throws SQLException {
        ByteArrayOutputStream content = new ByteArrayOutputStream();
        long rows;
        try {
            rows = target.unwrap(PGConnection.class)
                    .getCopyAPI()
                    .copyOut("COPY (" + query + ") TO STDOUT (FORMAT " + (binary ? "binary" : "text") + ")", content);
        } catch (IOException e) {
            throw new AssertionError("memory does not fail", e);
        }
        ChunkHeader header = header(table, epoch, chunk);
        header = new ChunkHeader(header.table(), epoch, chunk, header.snapshotLsn(), binary, header.columns());
        load(lane, List.of(header, new Block(content.toByteArray()), trailer(header, rows, content.toByteArray())));
    }

    /** The result's rows as events carry them: booleans and integers as such, everything else as the server's text. */
    List<Object[]> rows(String table, String from) throws SQLException {
        List<Column> columns = shapes.get(id(table)).columns();
        List<Object[]> result = new ArrayList<>();
        String fields = columns.stream()
                .map(c -> "CASE WHEN " + c.name() + " IS NULL THEN NULL ELSE format('%s', " + c.name() + ") END")
                .collect(Collectors.joining(", "));
        try (Statement statement = target.createStatement();
                ResultSet row = statement.executeQuery("SELECT " + fields + " FROM " + from)) {
            while (row.next()) {
                Object[] values = new Object[columns.size()];
                for (int i = 0; i < values.length; i++) {
                    String text = row.getString(i + 1);
                    values[i] = text == null
                            ? null
                            : switch (ChangeSchemas.encoding(columns.get(i).type())) {
                                case BOOLEAN -> text.equals("t");
                                case INT -> Integer.valueOf(text);
                                case LONG -> Long.valueOf(text);
                                default -> text;
                            };
                }
                result.add(values);
            }
        }
        return result;
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
    record Event(TableId table, char op, Object[] before, Object[] after) {}

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
        envelope.put(ChangeSchemas.OP, String.valueOf(event.op()));
        envelope.put(ChangeSchemas.READ_MILLIS, 0L);
        envelope.put(ChangeSchemas.UNCHANGED, unchanged(shape, event.after()));
        GenericRecord source =
                new GenericData.Record(schema.getField(ChangeSchemas.SOURCE).schema());
        for (Schema.Field field : source.getSchema().getFields()) {
            source.put(
                    field.pos(),
                    switch (field.schema().getType()) {
                        case STRING -> "any";
                        case UNION -> null;
                        default -> 1L;
                    });
        }
        source.put(ChangeSchemas.GENERATION, generation);
        source.put(ChangeSchemas.COMMIT_LSN, lsn);
        source.put(ChangeSchemas.ORDER, 0L);
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

    private static List<String> unchanged(TableShape shape, Object[] after) {
        List<String> fields = new ArrayList<>();
        for (int i = 0; after != null && i < shape.columns().size(); i++) {
            if (i >= after.length || after[i] == UNCHANGED) {
                fields.add(ChangeSchemas.avroName(shape.columns().get(i).name()));
            }
        }
        return fields;
    }

    private static GenericRecord row(Schema envelope, Object[] values) {
        if (values == null) {
            return null;
        }
        Schema schema =
                envelope.getField(ChangeSchemas.BEFORE).schema().getTypes().get(1);
        GenericRecord row = new GenericData.Record(schema);
        for (int i = 0; i < values.length; i++) {
            row.put(i, values[i] == UNCHANGED ? null : values[i]);
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

    void execute(String sql) throws SQLException {
        try (Statement statement = target.createStatement()) {
            statement.execute(sql);
        }
    }

    /** The result's rows, columns joined by '|', rows by line feeds. */
    String query(String sql) throws SQLException {
        try (Statement statement = target.createStatement();
                ResultSet rows = statement.executeQuery(sql)) {
            List<String> lines = new ArrayList<>();
            while (rows.next()) {
                List<String> values = new ArrayList<>();
                for (int i = 1; i <= rows.getMetaData().getColumnCount(); i++) {
                    values.add(String.valueOf(rows.getString(i)));
                }
                lines.add(String.join("|", values));
            }
            return String.join("\n", lines);
        }
    }

    void awaitQuery(String sql, String expected) {
        await().atMost(LIMIT).untilAsserted(() -> assertThat(query(sql)).isEqualTo(expected));
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
        target.close();
    }
}
