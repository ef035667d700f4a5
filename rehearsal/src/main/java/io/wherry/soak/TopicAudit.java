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
import java.util.Comparator;
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
 * Reads the records that came into the topics since the last audit. Within a partition, (generation, commit LSN, order) must rise
 * with every record. A record that repeats the values is a duplicate; a record with lower values is out of order.
 */
public final class TopicAudit {
    private final Migration migration;
    private final ConfluentRegistry registry;
    private final Map<TopicPartition, Progress> progress = new HashMap<>();
    private long records;

    private static final class Progress {
        final LargeValues.Joiner joiner = new LargeValues.Joiner();
        long next;
        Place place = new Place(0, 0, 0);
    }

    private record Place(int generation, long commitLsn, long order) implements Comparable<Place> {
        @Override
        public int compareTo(Place other) {
            return Comparator.comparingInt(Place::generation)
                    .thenComparing(Place::commitLsn, Long::compareUnsigned)
                    .thenComparingLong(Place::order)
                    .compare(this, other);
        }

        @Override
        public String toString() {
            return "(%d, %x, %d)".formatted(generation, commitLsn, order);
        }
    }

    /** @param migration with an address of the broker that no fault affects */
    public TopicAudit(Migration migration) {
        this.migration = migration;
        this.registry = new ConfluentRegistry(migration.registryUrl().orElseThrow());
    }

    /** Changes read since the start. */
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
        Place place;
        if (record.topic().equals(migration.topics().position())) {
            place = place(Json.read(record.value(), Position.class));
        } else {
            byte[] value = last.joiner.add(record);
            if (value == null) {
                return;
            }
            records++;
            GenericRecord source = (GenericRecord) decode(value).get(ChangeSchemas.SOURCE);
            place = new Place(
                    (int) source.get(ChangeSchemas.GENERATION), (long) source.get(ChangeSchemas.COMMIT_LSN), (long)
                            source.get(ChangeSchemas.ORDER));
        }
        if (place.compareTo(last.place) <= 0) {
            problems.add("%s-%d offset %d: change %s after %s"
                    .formatted(record.topic(), record.partition(), record.offset(), place, last.place));
        }
        last.place = place;
    }

    /** A position after the last whole source transaction, or one within the next. */
    private static Place place(Position position) {
        return position.part() == null
                ? new Place(position.generation(), position.commitLsn().value(), Long.MAX_VALUE)
                : new Place(
                        position.generation(),
                        position.part().commitLsn().value(),
                        position.part().order());
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
