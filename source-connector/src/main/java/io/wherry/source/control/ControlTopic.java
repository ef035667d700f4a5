package io.wherry.source.control;

import io.wherry.contract.config.Migration;
import io.wherry.contract.error.WherryException;
import io.wherry.contract.kafka.KafkaClients;
import io.wherry.contract.kafka.KafkaFailures;
import io.wherry.contract.kafka.TopicTail;
import io.wherry.contract.name.TableId;
import io.wherry.contract.postgres.Lsn;
import io.wherry.contract.postgres.Timeline;
import io.wherry.contract.record.Generations;
import io.wherry.contract.record.Json;
import io.wherry.contract.record.LargeValues;
import io.wherry.contract.record.LoadPlan;
import io.wherry.contract.record.SourceStatus;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import org.apache.kafka.clients.producer.KafkaProducer;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.apache.kafka.common.KafkaException;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/** What the source-connector remembers, as records of the control topic. Safe for use by several threads. */
public final class ControlTopic implements AutoCloseable {
    private static final Logger LOG = LoggerFactory.getLogger(ControlTopic.class);
    static final String SOURCE = "source";
    static final String UNLOADED = "unloaded";
    static final String CUT = "cut";
    public static final String CHUNK_LOADED = "chunk-loaded";
    static final String SLOT_MADE = "slot-made";
    static final String PARTITION = "partition";
    private static final String LOADED = "loaded";
    private static final Duration CLOSE_WAIT = Duration.ofSeconds(2);

    /** Which database this migration reads: neither a server that was restored elsewhere nor a second database may replace it. */
    public record SourceIdentity(int generation, String systemIdentifier, String database) {
        public SourceIdentity {
            Generations.require(generation);
        }
    }

    /** What was loaded of the table is void: the name now belongs to another table. */
    record Unloaded(TableId table) {}

    /** Every table of the load plan is in Kafka. */
    public record Loaded(int epoch) {}

    /** A chunk is in Kafka. The record is in the Kafka transaction that holds the trailer of the chunk. */
    public record ChunkLoaded(TableId table, int epoch, int chunk) {}

    /**
     * A slot replaced a slot that could not be used any more.
     *
     * @param generation of the flow, from 1
     * @param snapshotLsn the last commit LSN that the snapshot at the start of the slot holds
     * @param timeline of the server that created the slot
     */
    public record SlotMade(int generation, Lsn snapshotLsn, Timeline timeline) {
        public SlotMade {
            Generations.require(generation);
        }
    }

    /** A partition that was added to a whole table after the load of the table, without rows that the stream does not hold. */
    public record PartitionSeen(TableId root, ChunkLayout.Part part) {}

    private static final String STATUS = "status";

    private final String topic;
    private final String statusTopic;
    private final KafkaProducer<byte[], byte[]> producer;
    private final KafkaProducer<byte[], byte[]> statusProducer;

    /**
     * Fences an earlier source-connector. Counterexample without the fence: the earlier one is paused just before it writes its load
     * plan. Another one takes over, reads the topic and writes a plan. The first one continues, and two plans of one epoch name
     * different snapshots.
     */
    public ControlTopic(Migration migration) {
        topic = migration.topics().control();
        statusTopic = migration.topics().status();
        String id = migration.topics().controlTransactionalId();
        Map<String, Object> settings =
                Map.of("linger.ms", 0, "compression.type", "lz4", "max.request.size", 16 << 20, "client.id", id);
        statusProducer = KafkaClients.producer(migration, settings);
        Map<String, Object> transactional = new HashMap<>(settings);
        transactional.put("transactional.id", id);
        producer = KafkaClients.producer(migration, transactional);
        try {
            producer.initTransactions();
        } catch (KafkaException e) {
            close();
            throw KafkaFailures.explain("write the control topic", e);
        }
    }

    /** Reads the topic from its beginning. */
    public static ControlLog read(Migration migration) {
        try (TopicTail tail = new TopicTail(migration, migration.topics().control())) {
            return read(tail);
        }
    }

    /**
     * Whether a cutover has switched to the target; false also when the topic cannot be read. Must be called after a failure: the
     * coordinator first writes that record, and then fences the producers.
     */
    public static boolean hasSwitched(Migration migration) {
        try {
            return read(migration).switched().isPresent();
        } catch (WherryException | KafkaException e) {
            LOG.debug("Cannot read whether a cutover has switched", e);
            return false;
        }
    }

    /** As {@link #read(Migration)}; later records can then be polled from the tail. */
    public static ControlLog read(TopicTail tail) {
        ControlLog memory = new ControlLog();
        try {
            tail.readAll(memory::see);
        } catch (KafkaException e) {
            throw KafkaFailures.explain("read the control topic", e);
        }
        return memory;
    }

    public void source(SourceIdentity identity) {
        write(SOURCE, identity);
    }

    public void plan(LoadPlan plan) {
        write(LoadPlan.KEY, plan);
    }

    /** Writes all cuts in one transaction: one transaction for each of thousands of tables would take minutes. */
    public void cut(List<ChunkLayout> cuts) {
        if (!cuts.isEmpty()) {
            writeAll(CUT, cuts);
        }
    }

    public void slotMade(SlotMade made) {
        write(SLOT_MADE, made);
    }

    /** The table must be re-loaded. */
    public void unloaded(TableId table) {
        write(UNLOADED, new Unloaded(table));
    }

    public void partitions(List<PartitionSeen> seen) {
        if (!seen.isEmpty()) {
            writeAll(PARTITION, seen);
        }
    }

    public void loaded(Loaded loaded) {
        write(LOADED, loaded);
    }

    /** Does not wait: a report that does not arrive must not end a load, because its snapshot would be lost. */
    public void status(SourceStatus status) {
        try {
            var ignored = statusProducer.send(record(statusTopic, STATUS, status), (metadata, e) -> notReported(e));
        } catch (KafkaException e) {
            notReported(e);
        }
    }

    private static void notReported(Exception failure) {
        if (failure != null) {
            LOG.debug("A report did not arrive: {}", failure.toString());
        }
    }

    private void write(String key, Object value) {
        writeAll(key, List.of(value));
    }

    /** A long record, such as the plan of many tables or the cut of a large table, is split into parts that the broker accepts. */
    private synchronized void writeAll(String key, List<?> values) {
        try {
            producer.beginTransaction();
            for (Object value : values) {
                // If a record cannot be sent, the commit fails.
                for (ProducerRecord<byte[], byte[]> part : LargeValues.split(record(topic, key, value))) {
                    var ignored = producer.send(part);
                }
            }
            producer.commitTransaction();
        } catch (KafkaException | IllegalStateException e) {
            // IllegalStateException: the broker has not answered an earlier commit.
            throw KafkaFailures.explain("write to topic " + topic, e);
        }
    }

    private static ProducerRecord<byte[], byte[]> record(String topic, String key, Object value) {
        return new ProducerRecord<>(topic, 0, key.getBytes(StandardCharsets.UTF_8), Json.write(value));
    }

    @Override
    public void close() {
        producer.close(CLOSE_WAIT);
        statusProducer.close(CLOSE_WAIT);
    }
}
