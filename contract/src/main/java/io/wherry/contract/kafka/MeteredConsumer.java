package io.wherry.contract.kafka;

import io.micrometer.core.instrument.binder.kafka.KafkaClientMetrics;
import java.util.Map;
import org.apache.kafka.clients.consumer.CloseOptions;
import org.apache.kafka.clients.consumer.KafkaConsumer;
import org.apache.kafka.common.serialization.ByteArrayDeserializer;

/** A consumer whose metrics are meters of the process until it is closed. */
final class MeteredConsumer extends KafkaConsumer<byte[], byte[]> {
    private final KafkaClientMetrics meters;

    MeteredConsumer(Map<String, Object> properties) {
        super(properties, new ByteArrayDeserializer(), new ByteArrayDeserializer());
        meters = ClientMeters.of(this);
    }

    @Override
    public void close() {
        meters.close();
        super.close();
    }

    @Override
    public void close(CloseOptions options) {
        meters.close();
        super.close(options);
    }
}
