package io.wherry.source;

import io.wherry.contract.Json;
import io.wherry.contract.KafkaClients;
import io.wherry.contract.LoadPlan;
import io.wherry.contract.Migration;
import io.wherry.contract.SourceStatus;
import io.wherry.contract.TableId;
import io.wherry.contract.TopicTail;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.concurrent.ExecutionException;
import org.apache.kafka.clients.consumer.ConsumerRecord;
import org.apache.kafka.clients.producer.KafkaProducer;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.apache.kafka.common.KafkaException;

/** What the source-connector remembers, as records of the control topic. Safe for use by several threads. */
final class ControlTopic implements AutoCloseable {
    private static final String SOURCE = "source";
    private static final String TABLE_LOADED = "table-loaded";
    private static final String LOADED = "loaded";
    private static final Duration CLOSE_WAIT = Duration.ofSeconds(2);

    /** Which database this migration reads: a server restored elsewhere or a second database must not pass for it. */
    record SourceIdentity(String systemIdentifier, String database) {}

    /**
     * Every chunk of the table is in Kafka.
     *
     * @param epoch of that load; 0 = what was loaded is void, the table is another one now
     * @param file number of the file that held the rows: another one later means that they were written anew
     */
    record TableLoaded(TableId table, int epoch, long file) {}

    /** Every table of the load plan is in Kafka. */
    record Loaded(int epoch) {}

    /**
     * What earlier runs left.
     *
     * @param loaded the load that is complete in Kafka, for the tables that have one
     */
    record Memory(Optional<SourceIdentity> source, List<LoadPlan> plans, Map<TableId, TableLoaded> loaded) {
        int lastEpoch() {
            return plans.stream().mapToInt(LoadPlan::epoch).max().orElse(0);
        }
    }

    private static final String STATUS = "status";

    private final String topic;
    private final String statusTopic;
    private final KafkaProducer<byte[], byte[]> producer;

    ControlTopic(Migration migration) {
        topic = migration.topics().control();
        statusTopic = migration.topics().status();
        producer = KafkaClients.producer(
                migration, Map.of("linger.ms", 0, "client.id", "wherry-" + migration.name() + "-control"));
    }

    /** Reads the topic from its beginning. */
    static Memory read(Migration migration) {
        List<LoadPlan> plans = new ArrayList<>();
        Map<TableId, TableLoaded> loaded = new HashMap<>();
        List<SourceIdentity> sources = new ArrayList<>();
        try (TopicTail tail = new TopicTail(migration, migration.topics().control())) {
            tail.readAll(record -> {
                switch (key(record)) {
                    case LoadPlan.KEY -> plans.add(Json.read(record.value(), LoadPlan.class));
                    case TABLE_LOADED -> {
                        TableLoaded table = Json.read(record.value(), TableLoaded.class);
                        loaded.put(table.table(), table);
                        loaded.values().removeIf(load -> load.epoch() == 0);
                    }
                    case SOURCE -> sources.add(Json.read(record.value(), SourceIdentity.class));
                    default -> {
                        // Completion is for others.
                    }
                }
            });
        } catch (KafkaException e) {
            throw KafkaFailures.explain("read the control topic", e);
        }
        return new Memory(sources.stream().findFirst(), List.copyOf(plans), Map.copyOf(loaded));
    }

    private static String key(ConsumerRecord<byte[], byte[]> record) {
        return record.key() == null ? "" : new String(record.key(), StandardCharsets.UTF_8);
    }

    void source(SourceIdentity identity) {
        write(SOURCE, identity);
    }

    void plan(LoadPlan plan) {
        write(LoadPlan.KEY, plan);
    }

    void tableLoaded(TableLoaded table) {
        write(TABLE_LOADED, table);
    }

    /** The table has to be loaded again. */
    void unloaded(TableId table) {
        tableLoaded(new TableLoaded(table, 0, 0));
    }

    void loaded(Loaded loaded) {
        write(LOADED, loaded);
    }

    void status(SourceStatus status) {
        write(statusTopic, STATUS, status);
    }

    private void write(String key, Object value) {
        write(topic, key, value);
    }

    private void write(String to, String key, Object value) {
        try {
            producer.send(new ProducerRecord<>(to, 0, key.getBytes(StandardCharsets.UTF_8), Json.write(value)))
                    .get();
        } catch (ExecutionException | KafkaException e) {
            throw KafkaFailures.explain("write to topic " + to, e);
        } catch (InterruptedException e) {
            throw Stopped.interrupted("write to the control topic", e);
        }
    }

    @Override
    public void close() {
        producer.close(CLOSE_WAIT);
    }
}
