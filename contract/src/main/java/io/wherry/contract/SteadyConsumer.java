package io.wherry.contract;

import java.time.Duration;
import java.util.Map;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.TimeUnit;
import org.apache.kafka.clients.consumer.ConsumerRecords;
import org.apache.kafka.clients.consumer.KafkaConsumer;
import org.apache.kafka.common.errors.WakeupException;
import org.apache.kafka.common.serialization.ByteArrayDeserializer;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * A consumer whose poll ends although the wall clock is set back. Kafka's client measures its time-outs by that clock: set back by
 * half an hour while a poll of 50 ms waits, the poll waits half an hour, if no record comes, and nobody who asks its thread to
 * stop is heard.
 */
final class SteadyConsumer extends KafkaConsumer<byte[], byte[]> {
    private static final Logger LOG = LoggerFactory.getLogger(SteadyConsumer.class);
    private static final long GRACE_MILLIS = 2_000;

    SteadyConsumer(Map<String, Object> properties) {
        super(properties, new ByteArrayDeserializer(), new ByteArrayDeserializer());
    }

    /** Empty, too, when it was ended by the monotonic clock. */
    @Override
    public ConsumerRecords<byte[], byte[]> poll(Duration timeout) {
        Alarm alarm = new Alarm();
        CompletableFuture<Void> over = new CompletableFuture<>();
        var unused = over.thenRun(alarm::ring);
        var timer = over.completeOnTimeout(null, timeout.toMillis() + GRACE_MILLIS, TimeUnit.MILLISECONDS);
        ConsumerRecords<byte[], byte[]> records;
        try {
            records = super.poll(timeout);
        } catch (WakeupException e) {
            return ConsumerRecords.empty();
        } finally {
            timer.cancel(false);
            alarm.stop();
        }
        if (alarm.hasRung()) {
            silence();
        }
        return records;
    }

    /**
     * Takes back a wakeup that came when the poll had ended. It would end the next call of any kind, such as asking for a position:
     * a poll of thousands of partitions on a busy machine takes longer than it was given.
     */
    private void silence() {
        try {
            // Nothing is lost if it does not throw after all.
            ConsumerRecords<byte[], byte[]> more = super.poll(Duration.ZERO);
            more.partitions()
                    .forEach(partition ->
                            seek(partition, more.records(partition).get(0).offset()));
        } catch (WakeupException e) {
            LOG.debug("a poll took longer than it was given");
        }
    }

    private final class Alarm {
        private boolean over;
        private boolean rung;

        synchronized void ring() {
            if (!over) {
                rung = true;
                wakeup();
            }
        }

        synchronized void stop() {
            over = true;
        }

        synchronized boolean hasRung() {
            return rung;
        }
    }
}
