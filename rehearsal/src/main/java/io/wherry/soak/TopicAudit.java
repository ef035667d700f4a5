package io.wherry.soak;

import io.wherry.contract.config.Migration;
import io.wherry.contract.kafka.ConfluentRegistry;
import io.wherry.contract.kafka.KafkaClients;
import io.wherry.contract.record.ChangeSchemas;
import io.wherry.contract.record.Json;
import io.wherry.contract.record.LargeValues;
import io.wherry.contract.record.Position;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Collection;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import org.apache.avro.Schema;
import org.apache.avro.generic.GenericDatumReader;
import org.apache.avro.generic.GenericRecord;
import org.apache.avro.io.DecoderFactory;
import org.apache.kafka.clients.consumer.ConsumerRecord;
import org.apache.kafka.clients.consumer.KafkaConsumer;
import org.apache.kafka.common.TopicPartition;

/**
 * Reads what came into the topics since the last look: within a partition (commit LSN, order) must rise with every record.
 * One that stands still is a duplicate, one that falls is out of order.
 */
public final class TopicAudit {
    private final Migration migration;
    private final ConfluentRegistry registry;
    private final Map<TopicPartition, Progress> progress = new HashMap<>();
    private long records;

    private static final class Progress {
        final LargeValues.Joiner joiner = new LargeValues.Joiner();
        long next;
        long commitLsn;
        long order;
    }

    /** @param migration with an address of the broker that no fault concerns */
    public TopicAudit(Migration migration) {
        this.migration = migration;
        this.registry = new ConfluentRegistry(migration.registryUrl().orElseThrow());
    }

    /** Changes seen since the beginning. */
    long records() {
        return records;
    }

    /** @return one line for each record that does not rise */
    public List<String> look(Collection<String> changeTopics) {
        List<String> problems = new ArrayList<>();
        List<String> topics = new ArrayList<>(changeTopics);
        topics.add(migration.topics().position());
        try (KafkaConsumer<byte[], byte[]> consumer = KafkaClients.consumer(migration, Map.of())) {
            List<TopicPartition> partitions = topics.stream()
                    .flatMap(topic -> consumer.partitionsFor(topic).stream())
                    .map(p -> new TopicPartition(p.topic(), p.partition()))
                    .toList();
            consumer.assign(partitions);
            partitions.forEach(p -> consumer.seek(p, progress.computeIfAbsent(p, key -> new Progress()).next));
            Map<TopicPartition, Long> ends = consumer.endOffsets(partitions);
            while (partitions.stream().anyMatch(p -> consumer.position(p) < ends.get(p))) {
                consumer.poll(Duration.ofMillis(100)).forEach(record -> check(record, problems));
            }
            partitions.forEach(p -> progress.get(p).next = consumer.position(p));
        }
        return problems;
    }

    private void check(ConsumerRecord<byte[], byte[]> record, List<String> problems) {
        Progress last = progress.get(new TopicPartition(record.topic(), record.partition()));
        long commitLsn;
        long order;
        if (record.topic().equals(migration.topics().position())) {
            commitLsn = Json.read(record.value(), Position.class).commitLsn().value();
            order = 0;
        } else {
            byte[] value = last.joiner.add(record);
            if (value == null) {
                return;
            }
            records++;
            GenericRecord source = (GenericRecord) decode(value).get(ChangeSchemas.SOURCE);
            commitLsn = (long) source.get(ChangeSchemas.COMMIT_LSN);
            order = (long) source.get(ChangeSchemas.ORDER);
        }
        if (commitLsn < last.commitLsn || commitLsn == last.commitLsn && order <= last.order) {
            problems.add("%s-%d offset %d: change (%x, %d) after (%x, %d)"
                    .formatted(
                            record.topic(),
                            record.partition(),
                            record.offset(),
                            commitLsn,
                            order,
                            last.commitLsn,
                            last.order));
        }
        last.commitLsn = commitLsn;
        last.order = order;
    }

    private GenericRecord decode(byte[] value) {
        Schema schema = registry.byId(ByteBuffer.wrap(value, 1, 4).getInt());
        try {
            return new GenericDatumReader<GenericRecord>(schema)
                    .read(null, DecoderFactory.get().binaryDecoder(value, 5, value.length - 5, null));
        } catch (IOException e) {
            throw new IllegalStateException("not a record of schema " + schema.getFullName(), e);
        }
    }
}
