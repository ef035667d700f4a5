package io.wherry.source.publish;

import io.wherry.contract.error.DataException;
import java.util.ArrayList;
import java.util.Collection;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import java.util.concurrent.ExecutionException;
import java.util.stream.Collectors;
import org.apache.kafka.clients.admin.Admin;
import org.apache.kafka.clients.admin.AlterConfigOp;
import org.apache.kafka.clients.admin.Config;
import org.apache.kafka.clients.admin.ConfigEntry;
import org.apache.kafka.clients.admin.NewTopic;
import org.apache.kafka.clients.admin.OffsetSpec;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.config.ConfigResource;
import org.apache.kafka.common.errors.ClusterAuthorizationException;
import org.apache.kafka.common.errors.TopicAuthorizationException;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Which records an existing topic keeps. A topic that a user created or altered may remove its records after the broker's seven days,
 * or keep only the last record of each key.
 */
final class TopicSettings {
    private static final Logger LOG = LoggerFactory.getLogger(TopicSettings.class);
    private static final String POLICY = "cleanup.policy";
    private static final String COMPACT = "compact";
    private static final String RETENTION = "retention.ms";
    private static final String KEPT = "-1";
    private static final int MOST_AT_ONCE = 250;

    private TopicSettings() {}

    /**
     * Sets what differs.
     *
     * @param topics with the settings that they must have
     * @throws DataException when a topic was compacted, so that records may be missing, or when Wherry may not alter it
     */
    static void correct(Admin admin, List<NewTopic> topics) throws InterruptedException, ExecutionException {
        for (int from = 0; from < topics.size(); from += MOST_AT_ONCE) {
            some(admin, topics.subList(from, Math.min(topics.size(), from + MOST_AT_ONCE)));
        }
    }

    private static void some(Admin admin, List<NewTopic> topics) throws InterruptedException, ExecutionException {
        List<ConfigResource> resources =
                topics.stream().map(topic -> resource(topic.name())).toList();
        Map<ConfigResource, Config> found =
                admin.describeConfigs(resources).all().get();
        Map<ConfigResource, Collection<AlterConfigOp>> changes = new HashMap<>();
        for (NewTopic topic : topics) {
            Map<String, String> different = different(topic.configs(), values(found.get(resource(topic.name()))));
            if (different.containsKey(POLICY)
                    && KEPT.equals(topic.configs().get(RETENTION))
                    && compacted(found.get(resource(topic.name())))
                    && holds(admin, topic.name())) {
                throw new DataException(
                        "use topic",
                        topic.name(),
                        "it has cleanup.policy="
                                + found.get(resource(topic.name())).get(POLICY).value()
                                + ", so records may be missing",
                        TopicGuard.START_AGAIN);
            }
            if (!different.isEmpty()) {
                LOG.warn("topic {}: setting {}, so that the topic keeps its records", topic.name(), different);
                changes.put(
                        resource(topic.name()),
                        different.entrySet().stream()
                                .map(e -> new AlterConfigOp(
                                        new ConfigEntry(e.getKey(), e.getValue()), AlterConfigOp.OpType.SET))
                                .toList());
            }
        }
        alter(admin, changes);
    }

    private static void alter(Admin admin, Map<ConfigResource, Collection<AlterConfigOp>> changes)
            throws InterruptedException, ExecutionException {
        try {
            admin.incrementalAlterConfigs(changes).all().get();
        } catch (ExecutionException e) {
            if (!(e.getCause() instanceof TopicAuthorizationException)
                    && !(e.getCause() instanceof ClusterAuthorizationException)) {
                throw e;
            }
            var first = changes.entrySet().iterator().next();
            String settings = first.getValue().stream()
                    .map(op -> op.configEntry().name() + "=" + op.configEntry().value())
                    .collect(Collectors.joining(","));
            throw new DataException(
                    "use topic",
                    first.getKey().name(),
                    "it would not keep its records, and Wherry may not alter it",
                    "kafka-configs.sh --alter --entity-type topics --entity-name "
                            + first.getKey().name() + " --add-config " + settings,
                    e);
        }
    }

    /** All settings of the topics, which must exist. */
    static Map<String, Map<String, String>> read(Admin admin, List<String> topics)
            throws InterruptedException, ExecutionException {
        Map<String, Map<String, String>> settings = new HashMap<>();
        for (int from = 0; from < topics.size(); from += MOST_AT_ONCE) {
            List<ConfigResource> some = topics.subList(from, Math.min(topics.size(), from + MOST_AT_ONCE)).stream()
                    .map(TopicSettings::resource)
                    .toList();
            admin.describeConfigs(some)
                    .all()
                    .get()
                    .forEach((topic, config) -> settings.put(topic.name(), values(config)));
        }
        return settings;
    }

    /** The settings that must change. */
    static Map<String, String> different(Map<String, String> wanted, Map<String, String> found) {
        Map<String, String> different = new TreeMap<>(wanted);
        different.entrySet().removeIf(setting -> setting.getValue().equals(found.get(setting.getKey())));
        return different;
    }

    private static boolean compacted(Config config) {
        return isCompacted(values(config));
    }

    /** Whether only the last record of each key is kept. */
    static boolean isCompacted(Map<String, String> settings) {
        return settings.getOrDefault(POLICY, "").contains(COMPACT);
    }

    private static Map<String, String> values(Config config) {
        Map<String, String> values = new HashMap<>();
        config.entries().forEach(entry -> values.put(entry.name(), entry.value()));
        return values;
    }

    /** Whether the topic had a record at any time. */
    static boolean holds(Admin admin, String topic) throws InterruptedException, ExecutionException {
        Map<TopicPartition, OffsetSpec> ends = new HashMap<>();
        var description =
                admin.describeTopics(List.of(topic)).allTopicNames().get().get(topic);
        description.partitions().forEach(p -> ends.put(new TopicPartition(topic, p.partition()), OffsetSpec.latest()));
        return new ArrayList<>(admin.listOffsets(ends).all().get().values())
                .stream().anyMatch(end -> end.offset() > 0);
    }

    private static ConfigResource resource(String topic) {
        return new ConfigResource(ConfigResource.Type.TOPIC, topic);
    }
}
