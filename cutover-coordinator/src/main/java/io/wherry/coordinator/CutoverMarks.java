package io.wherry.coordinator;

import io.wherry.contract.Json;
import io.wherry.contract.KafkaClients;
import io.wherry.contract.Migration;
import io.wherry.contract.RetryableException;
import io.wherry.contract.TopicTail;
import java.nio.charset.StandardCharsets;
import java.util.Optional;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.atomic.AtomicReference;
import org.apache.kafka.clients.admin.Admin;
import org.apache.kafka.clients.admin.ListTopicsOptions;
import org.apache.kafka.common.KafkaException;

/** Reads and writes {@link CutoverMark}s. The writer is kept from a cutover's first mark on: in the window there is no time to make one. */
final class CutoverMarks implements AutoCloseable {
    private static final int ASK_MILLIS = 3_000;

    private final Migration migration;
    private ControlWriter writer;

    CutoverMarks(Migration migration) {
        this.migration = migration;
    }

    /** @throws RetryableException when Kafka does not take it in time */
    synchronized void write(CutoverMark mark) {
        if (writer == null) {
            writer = new ControlWriter(migration);
        }
        writer.write(CutoverMark.KEY, mark);
    }

    /**
     * The last one, empty before the first cutover.
     *
     * @throws RetryableException when Kafka cannot be asked
     */
    Optional<CutoverMark> last() {
        String topic = migration.topics().control();
        try (Admin admin = KafkaClients.admin(migration)) {
            if (!admin.listTopics(new ListTopicsOptions().timeoutMs(ASK_MILLIS))
                    .names()
                    .get()
                    .contains(topic)) {
                return Optional.empty();
            }
            AtomicReference<CutoverMark> last = new AtomicReference<>();
            try (TopicTail tail = new TopicTail(migration, topic)) {
                tail.readAll(record -> {
                    if (record.key() != null
                            && CutoverMark.KEY.equals(new String(record.key(), StandardCharsets.UTF_8))) {
                        last.set(Json.read(record.value(), CutoverMark.class));
                    }
                });
            }
            return Optional.ofNullable(last.get());
        } catch (ExecutionException | KafkaException e) {
            throw unreadable(topic, e);
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
            throw unreadable(topic, e);
        }
    }

    private static RetryableException unreadable(String topic, Exception cause) {
        return new RetryableException(
                "look for a cutover in topic",
                topic,
                String.valueOf(cause.getMessage()),
                "Look whether Kafka is up",
                cause);
    }

    @Override
    public synchronized void close() {
        if (writer != null) {
            writer.close();
            writer = null;
        }
    }
}
