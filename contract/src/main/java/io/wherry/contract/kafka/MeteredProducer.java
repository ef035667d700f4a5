package io.wherry.contract.kafka;

import io.micrometer.core.instrument.binder.kafka.KafkaClientMetrics;
import java.time.Duration;
import java.util.Map;
import org.apache.kafka.clients.producer.KafkaProducer;
import org.apache.kafka.common.serialization.ByteArraySerializer;

/** A producer whose metrics are meters of the process until it is closed. */
final class MeteredProducer extends KafkaProducer<byte[], byte[]> {
    private final KafkaClientMetrics meters;

    MeteredProducer(Map<String, Object> properties) {
        super(properties, new ByteArraySerializer(), new ByteArraySerializer());
        meters = ClientMeters.of(this);
    }

    /** The method of the parent without a limit ends here too. */
    @Override
    public void close(Duration limit) {
        meters.close();
        super.close(limit);
    }
}
