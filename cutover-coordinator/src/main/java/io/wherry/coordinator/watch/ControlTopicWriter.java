package io.wherry.coordinator.watch;

import io.wherry.contract.config.Migration;
import io.wherry.contract.error.RetryableException;
import io.wherry.contract.kafka.KafkaClients;
import io.wherry.contract.record.Json;
import java.nio.charset.StandardCharsets;
import java.util.Map;
import java.util.concurrent.ExecutionException;
import org.apache.kafka.clients.producer.KafkaProducer;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.apache.kafka.common.KafkaException;

/** Writes Wherry's records to the control topic, or to another small one. */
public final class ControlTopicWriter implements AutoCloseable {
    private static final int SEND_MILLIS = 10_000;

    private final String topic;
    private final KafkaProducer<byte[], byte[]> producer;

    /** Opens a writer; the topic must exist. */
    public ControlTopicWriter(Migration migration) {
        this(migration, migration.topics().control());
    }

    /** Opens a writer to another of Wherry's topics; the topic must exist. */
    ControlTopicWriter(Migration migration, String topic) {
        this.topic = topic;
        producer = KafkaClients.producer(
                migration,
                Map.of(
                        "max.block.ms",
                        SEND_MILLIS,
                        "request.timeout.ms",
                        SEND_MILLIS / 2,
                        "delivery.timeout.ms",
                        SEND_MILLIS,
                        "linger.ms",
                        0));
    }

    /**
     * Returns when every in-sync replica has the record.
     *
     * @throws RetryableException when that takes more than ten seconds
     */
    public void write(String key, Object value) {
        try {
            producer.send(new ProducerRecord<>(topic, 0, key.getBytes(StandardCharsets.UTF_8), Json.write(value)))
                    .get();
        } catch (ExecutionException | KafkaException e) {
            throw new RetryableException("write to topic", topic, e.getMessage(), "Check that Kafka is reachable", e);
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
            throw new RetryableException("write to topic", topic, "interrupted", "", e);
        }
    }

    @Override
    public void close() {
        producer.close();
    }
}
