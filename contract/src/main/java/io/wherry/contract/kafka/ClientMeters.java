package io.wherry.contract.kafka;

import io.micrometer.core.instrument.Metrics;
import io.micrometer.core.instrument.Tag;
import io.micrometer.core.instrument.binder.kafka.KafkaClientMetrics;
import io.wherry.contract.service.DaemonThreads;
import java.util.List;
import java.util.concurrent.Executors;
import java.util.concurrent.ScheduledExecutorService;
import org.apache.kafka.clients.consumer.Consumer;
import org.apache.kafka.clients.producer.Producer;

/** Makes the metrics of Kafka's clients meters of the process. */
final class ClientMeters {
    private static final List<Tag> NO_TAGS = List.of();
    /** One thread looks for new metrics of all clients; otherwise each client would have a thread of its own. */
    private static final ScheduledExecutorService TIMER =
            Executors.newSingleThreadScheduledExecutor(DaemonThreads.named("wherry-kafka-meters"));

    private ClientMeters() {}

    static KafkaClientMetrics of(Producer<?, ?> producer) {
        return bound(new KafkaClientMetrics(producer, NO_TAGS, TIMER));
    }

    static KafkaClientMetrics of(Consumer<?, ?> consumer) {
        return bound(new KafkaClientMetrics(consumer, NO_TAGS, TIMER));
    }

    private static KafkaClientMetrics bound(KafkaClientMetrics meters) {
        meters.bindTo(Metrics.globalRegistry);
        return meters;
    }
}
