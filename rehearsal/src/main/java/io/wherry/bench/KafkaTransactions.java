package io.wherry.bench;

import io.wherry.contract.config.Migration;
import io.wherry.contract.kafka.KafkaClients;
import io.wherry.contract.record.Json;
import io.wherry.contract.record.Position;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import org.apache.kafka.clients.consumer.ConsumerRecord;
import org.apache.kafka.clients.consumer.KafkaConsumer;
import org.apache.kafka.common.TopicPartition;

/**
 * The source-connector's Kafka transactions of some time, as the position topic tells.
 *
 * @param ages of the last source transaction of each, from its commit until the source-connector began to end the Kafka transaction,
 *     ns; the resolution is 1 ms
 */
record KafkaTransactions(long[] ages) {
    private static final Duration POLL = Duration.ofSeconds(1);

    /**
     * Reads those that ended in between.
     *
     * @param from ms since 1970
     * @param to ms since 1970
     */
    static KafkaTransactions between(Migration migration, long from, long to) {
        TopicPartition partition = new TopicPartition(migration.topics().position(), 0);
        List<Long> ages = new ArrayList<>();
        try (KafkaConsumer<byte[], byte[]> consumer = KafkaClients.consumer(migration, Map.of())) {
            consumer.assign(List.of(partition));
            consumer.seekToBeginning(List.of(partition));
            long end = consumer.endOffsets(List.of(partition)).get(partition);
            while (consumer.position(partition) < end) {
                for (ConsumerRecord<byte[], byte[]> record : consumer.poll(POLL)) {
                    if (record.timestamp() >= from && record.timestamp() < to) {
                        long committed = Json.read(record, Position.class).commitMillis();
                        ages.add(Math.max(0, record.timestamp() - committed) * 1_000_000);
                    }
                }
            }
        }
        return new KafkaTransactions(ages.stream().mapToLong(Long::longValue).toArray());
    }
}
