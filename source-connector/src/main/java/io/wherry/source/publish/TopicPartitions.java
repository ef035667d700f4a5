package io.wherry.source.publish;

import io.wherry.contract.error.DataException;
import java.util.HashMap;
import java.util.Map;
import java.util.concurrent.ExecutionException;
import org.apache.kafka.clients.admin.Admin;
import org.apache.kafka.clients.admin.OffsetSpec;
import org.apache.kafka.clients.admin.TopicDescription;
import org.apache.kafka.common.TopicPartition;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/** How many partitions of a change topic are written and read, if a user has created or altered the topic. */
final class TopicPartitions {
    private static final Logger LOG = LoggerFactory.getLogger(TopicPartitions.class);

    private TopicPartitions() {}

    /**
     * @param exist number of partitions of the topic
     * @param wanted number by the load plan, or by the configuration if there is no plan yet
     * @param planned whether {@code wanted} is the number of the plan
     * @throws DataException when the topic has fewer partitions than the plan: it was re-created
     */
    static int used(String topic, int exist, int wanted, boolean planned) {
        if (exist < wanted && planned) {
            throw new DataException(
                    "use topic",
                    topic,
                    "it has " + exist + " partitions, but " + wanted
                            + " were written to: the topic was deleted and re-created, without its records",
                    TopicGuard.START_AGAIN);
        }
        if (exist != wanted) {
            LOG.warn("topic {} has {} partitions; {} are used", topic, exist, Math.min(exist, wanted));
        }
        return Math.min(exist, wanted);
    }

    /**
     * Checks the partitions that are not read.
     *
     * @param used number of partitions of each topic that are read
     * @throws DataException when another partition holds records
     */
    static void requireRestEmpty(Admin admin, Map<String, TopicDescription> found, Map<String, Integer> used)
            throws InterruptedException, ExecutionException {
        Map<TopicPartition, OffsetSpec> rest = new HashMap<>();
        used.forEach((topic, count) -> {
            for (int i = count; i < found.get(topic).partitions().size(); i++) {
                rest.put(new TopicPartition(topic, i), OffsetSpec.latest());
            }
        });
        if (rest.isEmpty()) {
            return;
        }
        for (var partition : admin.listOffsets(rest).all().get().entrySet()) {
            if (partition.getValue().offset() > 0) {
                throw new DataException(
                        "use topic",
                        partition.getKey().topic(),
                        "partition " + partition.getKey().partition()
                                + " holds records, but by the load plan only "
                                + used.get(partition.getKey().topic())
                                + " are read: these records would be lost",
                        TopicGuard.START_AGAIN);
            }
        }
    }
}
