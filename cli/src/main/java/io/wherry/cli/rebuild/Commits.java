package io.wherry.cli.rebuild;

import io.wherry.contract.config.Migration;
import io.wherry.contract.kafka.KafkaClients;
import io.wherry.contract.kafka.KafkaFailures;
import io.wherry.contract.kafka.SchemaRegistry;
import io.wherry.contract.kafka.TopicTail;
import io.wherry.contract.postgres.Lsn;
import io.wherry.contract.record.ChangeSchemas;
import io.wherry.contract.record.Json;
import io.wherry.contract.record.LargeValues;
import io.wherry.contract.record.Position;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.ByteBuffer;
import java.time.Duration;
import java.time.Instant;
import java.util.Collection;
import java.util.HashMap;
import java.util.HashSet;
import java.util.Map;
import java.util.Objects;
import java.util.Optional;
import java.util.Set;
import java.util.SortedMap;
import java.util.TreeMap;
import org.apache.avro.Schema;
import org.apache.avro.generic.GenericDatumReader;
import org.apache.avro.generic.GenericRecord;
import org.apache.avro.io.DecoderFactory;
import org.apache.kafka.clients.consumer.ConsumerRecord;
import org.apache.kafka.clients.consumer.KafkaConsumer;
import org.apache.kafka.clients.consumer.OffsetAndTimestamp;
import org.apache.kafka.common.KafkaException;
import org.apache.kafka.common.TopicPartition;

/**
 * Finds the source commit that a moment means. The position topic has one commit for each Kafka transaction; of the one Kafka
 * transaction that the moment falls into, the changes themselves have all commits.
 */
final class Commits {
    private static final Duration POLL = Duration.ofMillis(200);
    /** The clock of the source-connector may have been set back a little between two records. */
    private static final long MARGIN_MILLIS = 60_000;

    private final Migration migration;
    private final SchemaRegistry registry;
    private final Moment moment;
    private Found low;
    private Found high;
    private long lowRecordMillis;
    private final SortedMap<Lsn, Long> between = new TreeMap<>();

    /** @param millis time of the commit on the source's clock, ms since 1970 */
    private record Found(Lsn commit, long millis) {}

    /**
     * The last commit that the moment includes.
     *
     * @param cut no commit that the moment includes comes after it, and every other commit does
     */
    record Last(Lsn commit, long millis, Lsn cut) {}

    Commits(Migration migration, SchemaRegistry registry, Moment moment) {
        this.migration = migration;
        this.registry = registry;
        this.moment = moment;
    }

    /**
     * The last commit at or before the moment; empty when the topics begin after it.
     *
     * @param partitions of the change topics
     * @throws Refusal when the topics may not hold everything up to the moment
     */
    Optional<Last> find(Collection<TopicPartition> partitions) throws Refusal {
        try {
            try (TopicTail tail = new TopicTail(migration, migration.topics().position())) {
                tail.readAll(this::position);
            }
            if (low == null) {
                return Optional.empty();
            }
            if (high == null) {
                if (moment instanceof Moment.OfLsn wanted && wanted.lsn().equals(low.commit())) {
                    return Optional.of(new Last(low.commit(), low.millis(), low.commit()));
                }
                throw new Refusal(
                        "--until",
                        "the topics reach to commit " + low.commit() + " of " + Instant.ofEpochMilli(low.millis())
                                + " only",
                        "Name an earlier moment, or none");
            }
            changes(partitions);
        } catch (KafkaException e) {
            throw KafkaFailures.explain("find the commit of --until", e);
        }
        Found last = low;
        Lsn cut = new Lsn(high.commit().value() - 1);
        for (Map.Entry<Lsn, Long> commit : between.entrySet()) {
            if (moment.isBefore(commit.getKey(), commit.getValue())) {
                cut = new Lsn(commit.getKey().value() - 1);
                break;
            }
            last = new Found(commit.getKey(), commit.getValue());
        }
        return Optional.of(new Last(last.commit(), last.millis(), cut));
    }

    private void position(ConsumerRecord<byte[], byte[]> row) {
        Position position = Json.read(row, Position.class);
        if (high != null || position.commitLsn().equals(Lsn.ZERO)) {
            return;
        }
        Found found = new Found(position.commitLsn(), position.commitMillis());
        if (moment.isBefore(found.commit(), found.millis())) {
            high = found;
        } else {
            low = found;
            lowRecordMillis = row.timestamp();
        }
    }

    /** Reads the commits after the low position up to the high one. */
    private void changes(Collection<TopicPartition> partitions) {
        try (KafkaConsumer<byte[], byte[]> consumer =
                KafkaClients.consumer(migration, Map.of("max.poll.records", 64))) {
            Map<TopicPartition, Long> times = new HashMap<>();
            partitions.forEach(partition -> times.put(partition, lowRecordMillis - MARGIN_MILLIS));
            Map<TopicPartition, OffsetAndTimestamp> from = new HashMap<>(consumer.offsetsForTimes(times));
            from.values().removeIf(Objects::isNull);
            Map<TopicPartition, Long> ends = consumer.endOffsets(from.keySet());
            Map<TopicPartition, LargeValues.Joiner> joiners = new HashMap<>();
            consumer.assign(from.keySet());
            from.forEach((partition, offset) -> consumer.seek(partition, offset.offset()));
            Set<TopicPartition> open = new HashSet<>(from.keySet());
            while (!open.isEmpty()) {
                for (ConsumerRecord<byte[], byte[]> record : consumer.poll(POLL)) {
                    TopicPartition partition = new TopicPartition(record.topic(), record.partition());
                    if (!open.contains(partition) || !joiners.containsKey(partition) && isRest(record)) {
                        continue;
                    }
                    byte[] value = joiners.computeIfAbsent(partition, p -> new LargeValues.Joiner())
                            .add(record);
                    if (value != null && isBeyond(value)) {
                        open.remove(partition);
                    }
                }
                open.removeIf(partition -> consumer.position(partition) >= ends.get(partition));
                Set<TopicPartition> read = new HashSet<>(consumer.assignment());
                read.removeAll(open);
                consumer.pause(read);
            }
        }
    }

    /** Whether the record is a part of a value whose first part came before the place where reading began. */
    private static boolean isRest(ConsumerRecord<byte[], byte[]> record) {
        return LargeValues.isPart(record) && LargeValues.bytesBegun(record) == 0;
    }

    private boolean isBeyond(byte[] value) {
        Schema schema = registry.byId(ByteBuffer.wrap(value, 1, 4).getInt());
        GenericRecord source;
        try {
            source = (GenericRecord) new GenericDatumReader<GenericRecord>(schema)
                    .read(null, DecoderFactory.get().binaryDecoder(value, 5, value.length - 5, null))
                    .get(ChangeSchemas.SOURCE);
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
        Lsn commit = new Lsn((long) source.get(ChangeSchemas.COMMIT_LSN));
        if (commit.isAfter(high.commit())) {
            return true;
        }
        if (commit.isAfter(low.commit())) {
            between.put(commit, (long) source.get(ChangeSchemas.COMMIT_MILLIS));
        }
        return false;
    }
}
