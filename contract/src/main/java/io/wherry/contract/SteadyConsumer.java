package io.wherry.contract;

import java.time.Duration;
import java.util.Map;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.TimeUnit;
import org.apache.kafka.clients.consumer.ConsumerRecords;
import org.apache.kafka.clients.consumer.KafkaConsumer;
import org.apache.kafka.common.errors.WakeupException;
import org.apache.kafka.common.serialization.ByteArrayDeserializer;

/**
 * A consumer whose poll ends although the wall clock is set back. Kafka's client measures its time-outs by that clock: set back by
 * half an hour while a poll of 50 ms waits, the poll waits half an hour, if no record comes, and nobody who asks its thread to
 * stop is heard.
 */
final class SteadyConsumer extends KafkaConsumer<byte[], byte[]> {
    private static final long GRACE_MILLIS = 2_000;

    SteadyConsumer(Map<String, Object> properties) {
        super(properties, new ByteArrayDeserializer(), new ByteArrayDeserializer());
    }

    /** Empty, too, when it was ended by the monotonic clock. */
    @Override
    public ConsumerRecords<byte[], byte[]> poll(Duration timeout) {
        CompletableFuture<Void> over = new CompletableFuture<>();
        var unused = over.thenRun(this::wakeup);
        var timer = over.completeOnTimeout(null, timeout.toMillis() + GRACE_MILLIS, TimeUnit.MILLISECONDS);
        try {
            return super.poll(timeout);
        } catch (WakeupException e) {
            return ConsumerRecords.empty();
        } finally {
            timer.cancel(false);
        }
    }
}
