package io.wherry.source.load;

import io.wherry.contract.config.Migration;
import io.wherry.source.control.ControlTopic;
import io.wherry.source.publish.KafkaTopics;

/**
 * Where a load is written in Kafka.
 *
 * @param layout lanes of the load topic, and partitions of the tables' topics
 * @param control holds the plans, and what is loaded
 * @param requireLock fails when another source-connector acts
 */
public record LoadTopics(KafkaTopics.Layout layout, ControlTopic control, Runnable requireLock) {
    /** Opens a lane, and fences an earlier source-connector there. */
    LaneProducer open(Migration migration, int lane) {
        return new LaneProducer(migration, lane, layout.transactionTimeout(), requireLock);
    }
}
