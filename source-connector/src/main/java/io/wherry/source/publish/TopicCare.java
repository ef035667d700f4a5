package io.wherry.source.publish;

import io.wherry.contract.config.Migration;
import io.wherry.contract.error.Finding;
import io.wherry.contract.error.WherryException;
import io.wherry.contract.kafka.KafkaClients;
import io.wherry.contract.record.LoadPlan;
import io.wherry.contract.service.Interruption;
import io.wherry.source.control.ControlTopic;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeMap;
import java.util.concurrent.ExecutionException;
import java.util.stream.Collectors;
import org.apache.kafka.clients.admin.Admin;
import org.apache.kafka.clients.admin.TopicDescription;
import org.apache.kafka.common.KafkaException;
import org.apache.kafka.common.TopicPartitionInfo;

/**
 * What others have altered on the topics of a migration that has begun, so that a row or a rebuild would be lost, or no record can be
 * written. Changes nothing. An error is only what the source-connector cannot work with either.
 */
public final class TopicCare {
    /** Of a record with its headers; every value is cut into parts below it ({@code LargeValues}, {@code ChunkReader}). */
    private static final long LONGEST_RECORD = 600 * 1024;

    private final Migration migration;
    private final List<Finding> findings = new ArrayList<>();

    private TopicCare(Migration migration) {
        this.migration = migration;
    }

    /** Reads the topics that exist. What Wherry's role may not read is a finding too: the migration does not depend on this check. */
    public static List<Finding> check(Migration migration) {
        TopicCare care = new TopicCare(migration);
        try (Admin admin = KafkaClients.admin(migration)) {
            Set<String> existing = admin.listTopics().names().get();
            if (existing.contains(migration.topics().control())) {
                Map<String, Integer> wanted = care.wanted();
                wanted.keySet().retainAll(existing);
                care.topics(admin, wanted);
            }
        } catch (ExecutionException | KafkaException | WherryException e) {
            care.findings.add(Finding.warning(
                    "topics",
                    "could not be checked: " + e.getMessage(),
                    "Allow Wherry's role to describe its topics and their settings"));
        } catch (InterruptedException e) {
            throw Interruption.during("check topics", e);
        }
        return care.findings;
    }

    /** Topics with the number of partitions that are read. */
    private Map<String, Integer> wanted() {
        Map<String, Integer> wanted = new TreeMap<>();
        wanted.put(migration.topics().position(), 1);
        wanted.put(migration.topics().control(), 1);
        wanted.put(migration.topics().lastSeen(), 1);
        for (LoadPlan plan : ControlTopic.read(migration).plans()) {
            plan.tables().forEach(table -> wanted.put(table.topic(), table.partitions()));
            if (plan.lanes() > 0) {
                wanted.merge(migration.topics().load(), plan.lanes(), Math::max);
            }
        }
        return wanted;
    }

    private void topics(Admin admin, Map<String, Integer> wanted) throws InterruptedException, ExecutionException {
        Map<String, TopicDescription> found =
                admin.describeTopics(wanted.keySet()).allTopicNames().get();
        Map<String, Map<String, String>> settings = TopicSettings.read(admin, List.copyOf(wanted.keySet()));
        for (Map.Entry<String, Integer> topic : wanted.entrySet()) {
            records(admin, topic.getKey(), settings.get(topic.getKey()));
            partitions(topic.getKey(), topic.getValue(), found.get(topic.getKey()));
            replicas(topic.getKey(), settings.get(topic.getKey()), found.get(topic.getKey()));
        }
    }

    private void records(Admin admin, String topic, Map<String, String> settings)
            throws InterruptedException, ExecutionException {
        boolean position = topic.equals(migration.topics().position());
        Map<String, String> different =
                TopicSettings.different(position ? KafkaTopics.KEEP_LAST : KafkaTopics.KEEP_ALL, settings);
        if (!position && TopicSettings.isCompacted(settings) && TopicSettings.holds(admin, topic)) {
            // No command sets this right: the records that are gone would then not be noticed.
            findings.add(Finding.error(
                    "topic " + topic,
                    "has cleanup.policy=" + settings.get("cleanup.policy") + ", so records may be missing",
                    TopicGuard.START_AGAIN));
        } else if (!different.isEmpty()) {
            Map<String, String> now = new TreeMap<>(settings);
            now.keySet().retainAll(different.keySet());
            findings.add(Finding.warning(
                    "topic " + topic,
                    "has " + text(now) + ", so it may lose records that the target or a rebuild needs",
                    "The source-connector sets this right when it starts; or: " + alter(topic, text(different))));
        }
        long longest = Long.parseLong(settings.getOrDefault("max.message.bytes", "0"));
        if (!position && longest > 0 && longest < LONGEST_RECORD) {
            findings.add(Finding.warning(
                    "topic " + topic,
                    "has max.message.bytes=" + longest + ", and records of Wherry may have " + LONGEST_RECORD,
                    alter(topic, "max.message.bytes=1048588")));
        }
    }

    private void partitions(String topic, int wanted, TopicDescription found) {
        int exist = found.partitions().size();
        if (exist < wanted) {
            findings.add(Finding.warning(
                    "topic " + topic,
                    "has " + exist + " partitions, but " + wanted
                            + " were written to: the topic was deleted and re-created, without its records",
                    TopicGuard.START_AGAIN));
        } else if (exist > wanted) {
            boolean refused = Set.of(
                            migration.topics().position(), migration.topics().control())
                    .contains(topic);
            String problem = "has " + exist + " partitions, and " + wanted + " of them are written and read";
            findings.add(
                    refused
                            ? Finding.error("topic " + topic, problem + ", to keep its order", TopicGuard.START_AGAIN)
                            : Finding.warning(
                                    "topic " + topic, problem, "Leave the others empty; Kafka cannot take them away"));
        }
    }

    /** What {@code acks=all} waits for. */
    private void replicas(String topic, Map<String, String> settings, TopicDescription found) {
        int fewest = Integer.parseInt(settings.getOrDefault("min.insync.replicas", "1"));
        int copies = found.partitions().stream()
                .map(TopicPartitionInfo::replicas)
                .mapToInt(List::size)
                .min()
                .orElse(1);
        if (fewest > copies) {
            findings.add(Finding.error(
                    "topic " + topic,
                    "has min.insync.replicas=" + fewest + ", and " + copies
                            + " replicas, so the broker refuses every record",
                    alter(topic, "min.insync.replicas=" + Math.max(1, copies - 1))));
        } else if (fewest == 1 && copies > 2) {
            findings.add(Finding.warning(
                    "topic " + topic,
                    "has min.insync.replicas=1, so a record that one broker alone has confirmed may be lost with that broker",
                    alter(topic, "min.insync.replicas=2")));
        }
    }

    private String alter(String topic, String settings) {
        return "kafka-configs.sh --bootstrap-server "
                + migration.kafka().getOrDefault("bootstrap.servers", "…")
                + " --alter --entity-type topics --entity-name " + topic + " --add-config " + settings;
    }

    private static String text(Map<String, String> settings) {
        return new TreeMap<>(settings)
                .entrySet().stream()
                        .map(setting -> setting.getKey() + "=" + setting.getValue())
                        .collect(Collectors.joining(","));
    }
}
