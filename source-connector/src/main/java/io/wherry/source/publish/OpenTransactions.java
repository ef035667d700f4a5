package io.wherry.source.publish;

import io.wherry.contract.config.Migration;
import io.wherry.contract.error.DataException;
import io.wherry.contract.kafka.KafkaClients;
import io.wherry.contract.kafka.KafkaFailures;
import io.wherry.contract.kafka.SchemaRegistry;
import io.wherry.contract.postgres.Lsn;
import io.wherry.contract.record.ChangeSchemas;
import io.wherry.contract.record.Json;
import io.wherry.contract.record.LargeValues;
import io.wherry.contract.record.Position;
import io.wherry.contract.service.Interruption;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.time.Duration;
import java.util.Collection;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.TreeMap;
import java.util.concurrent.ExecutionException;
import org.apache.avro.Schema;
import org.apache.avro.generic.GenericDatumReader;
import org.apache.avro.generic.GenericRecord;
import org.apache.avro.io.DecoderFactory;
import org.apache.kafka.clients.admin.AbortTransactionSpec;
import org.apache.kafka.clients.admin.Admin;
import org.apache.kafka.clients.admin.ListOffsetsOptions;
import org.apache.kafka.clients.admin.ListOffsetsResult.ListOffsetsResultInfo;
import org.apache.kafka.clients.admin.OffsetSpec;
import org.apache.kafka.clients.admin.ProducerState;
import org.apache.kafka.clients.consumer.ConsumerRecord;
import org.apache.kafka.clients.consumer.KafkaConsumer;
import org.apache.kafka.common.IsolationLevel;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.errors.AuthorizationException;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Transactions that the broker has ended and that are still open in a partition. The broker drops the marker that ends a transaction
 * in a partition without a leader, as after a crash of the only replica (Kafka 4.3.1, TransactionMarkerChannelManager: "these
 * partitions are likely deleted already and hence can be skipped"). Readers see neither its records nor any after them, until the
 * producer's next transaction ends both.
 *
 * <p>Counterexample: position 7 is committed, its marker is dropped, and the publisher starts again. It reads position 6 and the slot
 * sends 7 again. The next commit makes 7 visible twice.
 */
final class OpenTransactions {
    private static final Logger LOG = LoggerFactory.getLogger(OpenTransactions.class);
    private static final Duration POLL = Duration.ofMillis(200);

    private OpenTransactions() {}

    /** Place of a change: commit LSN of its source transaction, and its number within that transaction. */
    private record Place(Lsn commitLsn, long order) {
        /** The last change that the position covers. */
        static Place of(Position position) {
            return position.part() == null
                    ? new Place(position.commitLsn(), Long.MAX_VALUE)
                    : new Place(position.part().commitLsn(), position.part().order());
        }
    }

    /**
     * Aborts them, for the slot sends their changes again. To be called when every earlier publisher is fenced.
     *
     * @param topics to which the changes go
     * @param reached the last position that is visible
     * @throws DataException when the slot does not send them again, or Kafka does not allow it
     */
    static void abort(
            Migration migration, SchemaRegistry registry, Collection<String> topics, Optional<Position> reached) {
        Set<String> all = new HashSet<>(topics);
        all.add(migration.topics().position());
        try (Admin admin = KafkaClients.admin(migration)) {
            Map<TopicPartition, Long> open = open(admin, all);
            if (open.isEmpty()) {
                return;
            }
            LOG.warn("Kafka has ended transactions that are still open in {}; aborting them there", open.keySet());
            if (reached.isPresent()) {
                requireSentAgain(migration, registry, open, reached.get());
            }
            for (Map.Entry<TopicPartition, Long> partition : open.entrySet()) {
                abort(admin, partition.getKey(), partition.getValue());
            }
        } catch (ExecutionException e) {
            throw KafkaFailures.explain("look for open transactions", e);
        } catch (InterruptedException e) {
            throw Interruption.during("look for open transactions", e);
        }
    }

    /** Partitions that hold more than readers of committed records see, with the offset where that begins. */
    private static Map<TopicPartition, Long> open(Admin admin, Collection<String> topics)
            throws ExecutionException, InterruptedException {
        Map<TopicPartition, OffsetSpec> asked = new HashMap<>();
        admin.describeTopics(topics).allTopicNames().get().forEach((topic, description) -> description
                .partitions()
                .forEach(
                        partition -> asked.put(new TopicPartition(topic, partition.partition()), OffsetSpec.latest())));
        Map<TopicPartition, ListOffsetsResultInfo> visible = ends(admin, asked, IsolationLevel.READ_COMMITTED);
        Map<TopicPartition, ListOffsetsResultInfo> there = ends(admin, asked, IsolationLevel.READ_UNCOMMITTED);
        Map<TopicPartition, Long> open = new HashMap<>();
        visible.forEach((partition, end) -> {
            if (end.offset() < there.get(partition).offset()) {
                open.put(partition, end.offset());
            }
        });
        return open;
    }

    private static Map<TopicPartition, ListOffsetsResultInfo> ends(
            Admin admin, Map<TopicPartition, OffsetSpec> asked, IsolationLevel isolation)
            throws ExecutionException, InterruptedException {
        return admin.listOffsets(asked, new ListOffsetsOptions(isolation)).all().get();
    }

    private static void requireSentAgain(
            Migration migration, SchemaRegistry registry, Map<TopicPartition, Long> open, Position reached) {
        Map<String, Place> committed = new TreeMap<>();
        try (KafkaConsumer<byte[], byte[]> consumer =
                KafkaClients.consumer(migration, Map.of("isolation.level", "read_uncommitted"))) {
            open.forEach((partition, from) -> {
                Optional<Place> first = first(migration, registry, consumer, partition, from);
                if (first.isPresent()
                        && reached.covers(first.get().commitLsn(), first.get().order())) {
                    committed.put(partition + " offset " + from, first.get());
                }
            });
        }
        if (!committed.isEmpty()) {
            throw new DataException(
                    "stream changes",
                    String.join(", ", committed.keySet()),
                    "Kafka has committed these changes, up to " + reached.newestCommit()
                            + ", and lost the marker that makes them visible",
                    "An administrator of Kafka aborts each: kafka-transactions.sh --bootstrap-server … abort --topic …"
                            + " --partition … --start-offset …; then start again, and wherry reload --table for each of these"
                            + " tables");
        }
    }

    /**
     * Place of the first change from this offset on, or of the last change that the first position covers. Empty when there are
     * parts of a value only: their transaction was never committed.
     */
    private static Optional<Place> first(
            Migration migration,
            SchemaRegistry registry,
            KafkaConsumer<byte[], byte[]> consumer,
            TopicPartition partition,
            long from) {
        consumer.assign(List.of(partition));
        consumer.seek(partition, from);
        long end = consumer.endOffsets(List.of(partition)).get(partition);
        LargeValues.Joiner joiner = new LargeValues.Joiner();
        while (consumer.position(partition) < end) {
            for (ConsumerRecord<byte[], byte[]> record : consumer.poll(POLL).records(partition)) {
                if (partition.topic().equals(migration.topics().position())) {
                    return Optional.of(Place.of(Json.read(record, Position.class)));
                }
                byte[] value = joiner.add(record);
                if (value != null) {
                    return Optional.of(place(registry, value));
                }
            }
        }
        return Optional.empty();
    }

    private static Place place(SchemaRegistry registry, byte[] value) {
        Schema schema = registry.byId(ByteBuffer.wrap(value, 1, Integer.BYTES).getInt());
        try {
            GenericRecord change = new GenericDatumReader<GenericRecord>(schema)
                    .read(null, DecoderFactory.get().binaryDecoder(value, 5, value.length - 5, null));
            GenericRecord source = (GenericRecord) change.get(ChangeSchemas.SOURCE);
            return new Place(
                    new Lsn((long) source.get(ChangeSchemas.COMMIT_LSN)), (long) source.get(ChangeSchemas.ORDER));
        } catch (IOException e) {
            throw new IllegalStateException("not a record of schema " + schema.getFullName(), e);
        }
    }

    private static void abort(Admin admin, TopicPartition partition, long from)
            throws ExecutionException, InterruptedException {
        try {
            for (ProducerState producer : admin.describeProducers(List.of(partition))
                    .partitionResult(partition)
                    .get()
                    .activeProducers()) {
                if (producer.currentTransactionStartOffset().isPresent()) {
                    admin.abortTransaction(new AbortTransactionSpec(
                                    partition,
                                    producer.producerId(),
                                    (short) producer.producerEpoch(),
                                    producer.coordinatorEpoch().orElse(0)))
                            .all()
                            .get();
                }
            }
        } catch (ExecutionException e) {
            if (e.getCause() instanceof AuthorizationException) {
                throw new DataException(
                        "abort the open transaction of",
                        partition.toString(),
                        "Kafka refuses: " + e.getCause().getMessage(),
                        "An administrator of Kafka runs: kafka-transactions.sh --bootstrap-server … abort --topic "
                                + partition.topic() + " --partition " + partition.partition() + " --start-offset "
                                + from,
                        e);
            }
            throw e;
        }
    }
}
