package io.wherry.rehearsal;

import static org.assertj.core.api.Assertions.assertThat;

import io.wherry.contract.Barrier;
import io.wherry.contract.ChangeSchemas;
import io.wherry.contract.ConfluentRegistry;
import io.wherry.contract.Identifiers;
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
import io.wherry.contract.TableId;
import io.wherry.contract.TableShape;
import io.wherry.contract.TableShape.Column;
import io.wherry.contract.TopicTail;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.sql.Connection;
import java.sql.PreparedStatement;
import java.sql.ResultSet;
import java.sql.SQLException;
import java.sql.Statement;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Comparator;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.SortedMap;
import java.util.TreeMap;
import java.util.function.Consumer;
import java.util.stream.Collectors;
import java.util.zip.CRC32C;
import org.apache.avro.Schema;
import org.apache.avro.generic.GenericDatumReader;
import org.apache.avro.generic.GenericRecord;
import org.apache.avro.io.DecoderFactory;
import org.apache.kafka.clients.consumer.ConsumerRecord;
import org.apache.kafka.clients.consumer.KafkaConsumer;
import org.apache.kafka.common.TopicPartition;
import org.postgresql.PGConnection;
import org.postgresql.copy.CopyIn;

/**
 * Rebuilds tables from the topics alone, a row at a time, in schema {@code replay} of the same database: the plainest
 * possible reading of the contract, to hold the source-connector to it.
 */
final class TopicReplay {
    private final Migration migration;
    private final Connection database;
    private final ConfluentRegistry registry;
    private final Map<TableId, LoadPlan.Table> tables = new HashMap<>();
    private final Map<TableId, LoadPlan> plans = new HashMap<>();
    private int changes;
    private int barriers;

    TopicReplay(Migration migration, Connection database) {
        this.migration = migration;
        this.database = database;
        this.registry = new ConfluentRegistry(migration);
        try (TopicTail control = new TopicTail(migration, migration.topics().control())) {
            control.readAll(record -> {
                if (new String(record.key(), StandardCharsets.UTF_8).equals(LoadPlan.KEY)) {
                    LoadPlan plan = Json.read(record.value(), LoadPlan.class);
                    for (LoadPlan.Table table : plan.tables()) {
                        tables.put(table.id(), table);
                        plans.put(table.id(), plan);
                    }
                }
            });
        }
    }

    Set<TableId> tables() {
        return tables.keySet();
    }

    int changes() {
        return changes;
    }

    int barriers() {
        return barriers;
    }

    /** Whether what was replayed is what the table of the same database holds. */
    void assertSameRows(TableId table) throws SQLException {
        String difference = "SELECT count(*) FROM ((SELECT t::text FROM %1$s t EXCEPT ALL SELECT t::text FROM %2$s t)"
                + " UNION ALL (SELECT t::text FROM %2$s t EXCEPT ALL SELECT t::text FROM %1$s t)) d";
        try (Statement statement = database.createStatement();
                ResultSet row = statement.executeQuery(difference.formatted(table.quoted(), copy(table)))) {
            row.next();
            assertThat(row.getLong(1)).as("rows of %s that differ", table).isZero();
        }
    }

    void replay() throws SQLException {
        execute("CREATE SCHEMA replay");
        for (TableId table : tables.keySet()) {
            execute("CREATE TABLE " + copy(table) + " (LIKE " + table.quoted() + ")");
        }
        replayLoad();
        for (LoadPlan.Table table : tables.values()) {
            replayChanges(table);
        }
    }

    static String copy(TableId table) {
        return "replay." + Identifiers.quote(table.table());
    }

    private void replayLoad() {
        Set<String> done = new HashSet<>();
        Map<Integer, ChunkHeader> open = new HashMap<>();
        Map<Integer, ByteArrayOutputStream> bytes = new HashMap<>();
        read(migration.topics().load(), record -> {
            LoadRecord load = LoadRecords.parse(record);
            int lane = record.partition();
            if (load instanceof ChunkHeader header) {
                open.put(lane, header);
                bytes.put(lane, new ByteArrayOutputStream());
            } else if (load instanceof Block block) {
                bytes.get(lane).writeBytes(block.bytes());
            } else if (load instanceof ChunkTrailer trailer) {
                ChunkHeader header = open.get(lane);
                boolean current = plans.get(header.table()).epoch() == header.epoch();
                if (current && done.add(header.table() + " " + header.chunk())) {
                    applyChunk(header, bytes.get(lane).toByteArray(), trailer);
                }
            }
        });
        int planned = tables.values().stream().mapToInt(LoadPlan.Table::chunks).sum();
        assertThat(done).hasSize(planned);
    }

    private void applyChunk(ChunkHeader header, byte[] bytes, ChunkTrailer trailer) {
        CRC32C digest = new CRC32C();
        digest.update(bytes);
        assertThat((int) digest.getValue()).isEqualTo(trailer.crc32c());
        assertThat((long) bytes.length).isEqualTo(trailer.bytes());
        String columns = header.columns().stream().map(Identifiers::quote).collect(Collectors.joining(", "));
        try {
            CopyIn copy = database.unwrap(PGConnection.class)
                    .getCopyAPI()
                    .copyIn("COPY " + copy(header.table()) + " (" + columns + ") FROM STDIN (FORMAT "
                            + (header.binary() ? "binary" : "text") + ")");
            copy.writeToCopy(bytes, 0, bytes.length);
            assertThat(copy.endCopy()).isEqualTo(trailer.rows());
        } catch (SQLException e) {
            throw new AssertionError(header.toString(), e);
        }
    }

    /** The order of a table's changes, whatever partition they are in. */
    private record Place(int generation, long lsn, long order) implements Comparable<Place> {
        @Override
        public int compareTo(Place other) {
            return Comparator.comparingInt(Place::generation)
                    .thenComparingLong(Place::lsn)
                    .thenComparingLong(Place::order)
                    .compare(this, other);
        }
    }

    private void replayChanges(LoadPlan.Table table) {
        Map<Integer, LargeValues.Joiner> joiners = new HashMap<>();
        Map<Integer, Place> last = new HashMap<>();
        SortedMap<Place, byte[]> found = new TreeMap<>();
        Map<Lsn, Place> sections = new HashMap<>();
        Map<Place, Integer> copies = new HashMap<>();
        read(table.topic(), record -> {
            byte[] value = joiners.computeIfAbsent(record.partition(), p -> new LargeValues.Joiner())
                    .add(record);
            if (value == null) {
                return;
            }
            GenericRecord source = (GenericRecord) decode(schema(value), value).get(ChangeSchemas.SOURCE);
            Place place = new Place(
                    (int) source.get(ChangeSchemas.GENERATION), (long) source.get(ChangeSchemas.COMMIT_LSN), (long)
                            source.get(ChangeSchemas.ORDER));
            Place before = last.put(record.partition(), place);
            assertThat(before == null || before.compareTo(place) < 0)
                    .as("%s: %s after %s", table.id(), place, before)
                    .isTrue();
            byte[] other = found.put(place, value);
            Lsn section = Barrier.section(record);
            if (section != null
                    && section.value() == place.lsn()
                    && sections.computeIfAbsent(section, s -> place).equals(place)) {
                copies.merge(place, 1, Integer::sum);
                assertThat(other == null || Arrays.equals(other, value)).isTrue();
            } else {
                assertThat(other).as("%s twice: %s", table.id(), place).isNull();
            }
        });
        assertThat(copies.values()).as("a barrier is in every partition").allMatch(n -> n == table.partitions());
        barriers += copies.size();
        changes += found.size();
        Lsn snapshot = plans.get(table.id()).snapshotLsn();
        found.forEach((place, value) -> {
            if (new Lsn(place.lsn()).isAfter(snapshot)) {
                GenericRecord change = decode(schema(value), value);
                try {
                    apply(ChangeSchemas.shape(schema(value)), change);
                } catch (SQLException e) {
                    throw new AssertionError(change.toString().substring(0, 200), e);
                }
            }
        });
    }

    private Schema schema(byte[] value) {
        return registry.byId(ByteBuffer.wrap(value, 1, 4).getInt());
    }

    private static GenericRecord decode(Schema schema, byte[] value) {
        try {
            return new GenericDatumReader<GenericRecord>(schema)
                    .read(null, DecoderFactory.get().binaryDecoder(value, 5, value.length - 5, null));
        } catch (IOException e) {
            throw new AssertionError(e);
        }
    }

    private void apply(TableShape shape, GenericRecord change) throws SQLException {
        GenericRecord before = (GenericRecord) change.get(ChangeSchemas.BEFORE);
        GenericRecord after = (GenericRecord) change.get(ChangeSchemas.AFTER);
        List<String> unchanged = ((List<?>) change.get(ChangeSchemas.UNCHANGED))
                .stream().map(Object::toString).toList();
        List<Object> values = new ArrayList<>();
        String table = copy(shape.id());
        switch (change.get(ChangeSchemas.OP).toString().charAt(0)) {
            case ChangeSchemas.TRUNCATE -> update("TRUNCATE " + table, values, -1);
            case ChangeSchemas.DELETE -> update("DELETE FROM " + table + where(shape, before, values), values, 1);
            case ChangeSchemas.CREATE -> {
                String placeholders = shape.columns().stream()
                        .map(c -> value(c, after, values))
                        .collect(Collectors.joining(", "));
                update("INSERT INTO " + table + " VALUES (" + placeholders + ")", values, 1);
            }
            default -> {
                String set = shape.columns().stream()
                        .filter(c -> !unchanged.contains(ChangeSchemas.avroName(c.name())))
                        .map(c -> Identifiers.quote(c.name()) + " = " + value(c, after, values))
                        .collect(Collectors.joining(", "));
                update(
                        "UPDATE " + table + " SET " + set + where(shape, before == null ? after : before, values),
                        values,
                        1);
            }
        }
    }

    private String where(TableShape shape, GenericRecord row, List<Object> values) {
        boolean keyless = shape.identity().isEmpty();
        String match = shape.columns().stream()
                .filter(c -> keyless || shape.identity().contains(c.name()))
                .map(c -> Identifiers.quote(c.name()) + " IS NOT DISTINCT FROM " + value(c, row, values))
                .collect(Collectors.joining(" AND "));
        String table = copy(shape.id());
        return " WHERE ctid = (SELECT ctid FROM " + table + " WHERE " + match + " LIMIT 1)";
    }

    private static Object field(Column column, GenericRecord row) {
        return row.getSchema().getFields().stream()
                .filter(field -> column.name().equals(field.getProp("wherry.column")))
                .findFirst()
                .map(field -> row.get(field.pos()))
                .orElse(null);
    }

    private static String value(Column column, GenericRecord row, List<Object> values) {
        Object value = field(column, row);
        values.add(value == null ? null : value.toString());
        return "?::text::" + column.type().quoted();
    }

    private void update(String sql, List<Object> values, int expected) throws SQLException {
        try (PreparedStatement statement = database.prepareStatement(sql)) {
            for (int i = 0; i < values.size(); i++) {
                statement.setObject(i + 1, values.get(i));
            }
            int rows = statement.executeUpdate();
            if (expected >= 0) {
                assertThat(rows).as(sql).isEqualTo(expected);
            }
        }
    }

    private void read(String topic, Consumer<ConsumerRecord<byte[], byte[]>> each) {
        try (KafkaConsumer<byte[], byte[]> consumer = KafkaClients.consumer(migration, Map.of())) {
            List<TopicPartition> partitions = consumer.partitionsFor(topic).stream()
                    .map(p -> new TopicPartition(topic, p.partition()))
                    .toList();
            consumer.assign(partitions);
            consumer.seekToBeginning(partitions);
            Map<TopicPartition, Long> ends = consumer.endOffsets(partitions);
            while (partitions.stream().anyMatch(p -> consumer.position(p) < ends.get(p))) {
                consumer.poll(Duration.ofMillis(100)).forEach(each);
            }
        }
    }

    private void execute(String sql) throws SQLException {
        try (Statement statement = database.createStatement()) {
            statement.execute(sql);
        }
    }
}
