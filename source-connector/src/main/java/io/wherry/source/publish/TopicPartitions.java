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

/** How many partitions of a change topic are written and read, when others have made or altered it. */
final class TopicPartitions {
    private static final Logger LOG = LoggerFactory.getLogger(TopicPartitions.class);

    private TopicPartitions() {}

    /**
     * @param exist what the topic has
     * @param wanted what the load plan says, or the configuration where there is no plan yet
     * @param planned whether it is the plan that says so
     * @throws DataException when the topic has fewer than the plan says: it is another topic than the one that was written to
     */
    static int used(String topic, int exist, int wanted, boolean planned) {
        if (exist < wanted && planned) {
            throw new DataException(
                    "use topic",
                    topic,
                    "it has " + exist + " partitions, and " + wanted
                            + " were written to: it was deleted and re-created, without what it held",
                    TopicGuard.ANEW);
        }
        if (exist != wanted) {
            LOG.warn("topic {} has {} partitions; {} are used", topic, exist, Math.min(exist, wanted));
        }
        return Math.min(exist, wanted);
    }

    /**
     * Of partitions that nobody reads.
     *
     * @param used partitions of each topic that are read
     * @throws DataException when one of the others holds records
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
                                + " holds records, and the load plan says that only "
                                + used.get(partition.getKey().topic()) + " are read: they would be lost",
                        TopicGuard.ANEW);
            }
        }
    }
}
