package io.wherry.contract.kafka;

import io.wherry.contract.config.Migration;
import io.wherry.contract.error.WherryException;
import io.wherry.contract.service.Interruption;
import java.util.Collection;
import java.util.HashMap;
import java.util.Map;
import java.util.concurrent.ExecutionException;
import org.apache.kafka.clients.admin.Admin;
import org.apache.kafka.clients.admin.TopicDescription;
import org.apache.kafka.common.KafkaFuture;
import org.apache.kafka.common.errors.UnknownTopicOrPartitionException;

/** The ids by which Kafka distinguishes a topic from an earlier or later topic of the same name. */
public final class TopicIdentities {
    private TopicIdentities() {}

    /**
     * The ids of the topics that exist.
     *
     * @throws WherryException when Kafka does not answer
     */
    public static Map<String, String> of(Migration migration, Collection<String> topics) {
        Map<String, String> ids = new HashMap<>();
        try (Admin admin = KafkaClients.admin(migration)) {
            Map<String, KafkaFuture<TopicDescription>> found =
                    admin.describeTopics(topics).topicNameValues();
            for (Map.Entry<String, KafkaFuture<TopicDescription>> topic : found.entrySet()) {
                try {
                    ids.put(topic.getKey(), topic.getValue().get().topicId().toString());
                } catch (ExecutionException e) {
                    if (!(e.getCause() instanceof UnknownTopicOrPartitionException)) {
                        throw KafkaFailures.explain("find topic " + topic.getKey(), e);
                    }
                }
            }
        } catch (InterruptedException e) {
            throw Interruption.during("find topics", e);
        }
        return ids;
    }
}
