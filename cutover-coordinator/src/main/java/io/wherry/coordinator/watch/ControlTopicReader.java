package io.wherry.coordinator.watch;

import io.wherry.contract.config.Migration;
import io.wherry.contract.error.RetryableException;
import io.wherry.contract.kafka.KafkaClients;
import io.wherry.contract.kafka.TopicTail;
import java.nio.charset.StandardCharsets;
import java.util.Optional;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.atomic.AtomicReference;
import org.apache.kafka.clients.admin.Admin;
import org.apache.kafka.clients.admin.ListTopicsOptions;
import org.apache.kafka.common.KafkaException;

/** Reads records of ours from the control topic. */
public final class ControlTopicReader {
    private static final int ASK_MILLIS = 3_000;

    private ControlTopicReader() {}

    /**
     * The last record with this key; empty when there is none, or no topic yet.
     *
     * @throws RetryableException when Kafka cannot be asked
     */
    public static Optional<byte[]> last(Migration migration, String key) {
        String topic = migration.topics().control();
        try (Admin admin = KafkaClients.admin(migration)) {
            if (!admin.listTopics(new ListTopicsOptions().timeoutMs(ASK_MILLIS))
                    .names()
                    .get()
                    .contains(topic)) {
                return Optional.empty();
            }
            AtomicReference<byte[]> last = new AtomicReference<>();
            try (TopicTail tail = new TopicTail(migration, topic)) {
                tail.readAll(record -> {
                    if (record.key() != null && key.equals(new String(record.key(), StandardCharsets.UTF_8))) {
                        last.set(record.value());
                    }
                });
            }
            return Optional.ofNullable(last.get());
        } catch (ExecutionException | KafkaException e) {
            throw unreadable(topic, key, e);
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
            throw unreadable(topic, key, e);
        }
    }

    private static RetryableException unreadable(String topic, String key, Exception cause) {
        return new RetryableException(
                "read the last " + key + " of topic",
                topic,
                String.valueOf(cause.getMessage()),
                "Check that the broker is reachable",
                cause);
    }
}
