package io.wherry.source.publish;

import io.wherry.contract.config.Flow;
import io.wherry.contract.config.Migration;
import io.wherry.contract.error.DataException;
import io.wherry.contract.error.WherryException;
import io.wherry.contract.kafka.KafkaClients;
import io.wherry.contract.kafka.KafkaFailures;
import io.wherry.contract.name.TableId;
import io.wherry.contract.service.Interruption;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Collection;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.ExecutionException;
import org.apache.kafka.clients.admin.Admin;
import org.apache.kafka.clients.admin.ListTopicsOptions;
import org.apache.kafka.clients.admin.NewTopic;
import org.apache.kafka.clients.admin.TopicDescription;
import org.apache.kafka.common.KafkaException;
import org.apache.kafka.common.errors.TopicExistsException;
import org.apache.kafka.common.errors.UnknownTopicOrPartitionException;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/** Creates the topics of the migration, and reads their layout. */
public final class KafkaTopics {
    private static final short BROKER_DEFAULT = -1;
    /** A target could not be rebuilt from a change topic that lacks its oldest records, or that is compacted. */
    static final Map<String, String> KEEP_ALL =
            Map.of("cleanup.policy", "delete", "retention.ms", "-1", "retention.bytes", "-1");
    /** Only the last position counts, and it must never expire. */
    static final Map<String, String> KEEP_LAST = Map.of("cleanup.policy", "compact");
    /** A report a second for days would fill the disk, and only the newest reports are read. */
    private static final Map<String, String> KEEP_AN_HOUR =
            Map.of("cleanup.policy", "delete", "retention.ms", "3600000", "segment.ms", "600000");

    /**
     * The topics in Kafka.
     *
     * @param lanes partitions of the load topic
     * @param partitions of each table's change topic
     * @param transactionTimeout longest Kafka transaction that the broker allows
     */
    public record Layout(int lanes, Map<TableId, Integer> partitions, Duration transactionTimeout) {}

    /** A broker writes a record for each topic, partition and setting, and refuses a request that needs 10,000 records. */
    private static final int MOST_AT_ONCE = 250;

    private static final int DESCRIBE_ATTEMPTS = 30;
    private static final long BETWEEN_MILLIS = 1000;
    private static final int LOOK_MILLIS = 5000;
    private static final Logger LOG = LoggerFactory.getLogger(KafkaTopics.class);

    private KafkaTopics() {}

    /**
     * Creates the missing topics, and makes sure that the existing topics keep their records.
     *
     * @param planned partitions of each table by its last load plan. For such a table neither the configuration nor the topic counts,
     *     because readers use the plan. Counterexample: a user changes a topic from one partition to three. A source-connector that
     *     starts distributes the changes over three partitions, and the sink-applier reads one
     * @throws DataException when a topic is not as the migration needs it
     */
    public static Layout ensure(Flow flow, Collection<TableId> tables, Map<TableId, Integer> planned) {
        Migration migration = flow.migration();
        Map<String, NewTopic> wanted = wanted(migration, tables, planned);
        want(wanted, migration.topics().position(), flow.groups().size(), KEEP_LAST);
        try (Admin admin = KafkaClients.admin(migration)) {
            List<NewTopic> existing = create(admin, wanted.values());
            TopicSettings.correct(admin, existing);
            Map<String, TopicDescription> found = describe(admin, wanted.keySet());
            requirePartitions(
                    found, migration.topics().position(), flow.groups().size());
            requirePartitions(found, migration.topics().control(), 1);
            ensureLastSeen(admin, migration);
            Map<TableId, Integer> partitions = new HashMap<>();
            Map<String, Integer> used = new HashMap<>();
            for (TableId table : tables) {
                String topic = migration.topics().changes(table);
                int count = TopicPartitions.used(
                        topic,
                        partitions(found, topic),
                        wantedPartitions(migration, table, planned),
                        planned.containsKey(table));
                partitions.put(table, count);
                used.put(topic, count);
            }
            TopicPartitions.requireRestEmpty(admin, found, used);
            TopicCare.check(migration).forEach(finding -> LOG.warn("{}", finding.explained()));
            return new Layout(
                    partitions(found, migration.topics().load()),
                    Map.copyOf(partitions),
                    KafkaClients.longestTransaction(admin));
        } catch (ExecutionException | KafkaException e) {
            throw KafkaFailures.explain("create topics", e);
        } catch (InterruptedException e) {
            throw Interruption.during("create topics", e);
        }
    }

    /** The migration does not depend on this topic: a role that may not create topics goes on, and a rebuild says what is missing. */
    private static void ensureLastSeen(Admin admin, Migration migration) throws InterruptedException {
        Map<String, NewTopic> wanted = new HashMap<>();
        want(wanted, migration.topics().lastSeen(), 1, KEEP_ALL);
        try {
            TopicSettings.correct(admin, create(admin, wanted.values()));
        } catch (ExecutionException | KafkaException | WherryException e) {
            LOG.warn(
                    "Topic {} cannot be created, or does not keep its records; a rebuild from the topics needs it: {}",
                    migration.topics().lastSeen(),
                    e.getMessage());
        }
    }

    /** Whether a topic exists; also false when the broker does not answer within seconds. */
    public static boolean exists(Migration migration, String topic) {
        try (Admin admin = KafkaClients.admin(migration)) {
            return admin.listTopics(new ListTopicsOptions().timeoutMs(LOOK_MILLIS))
                    .names()
                    .get()
                    .contains(topic);
        } catch (ExecutionException | KafkaException e) {
            LOG.debug("Kafka does not list its topics", e);
            return false;
        } catch (InterruptedException e) {
            throw Interruption.during("list topics", e);
        }
    }

    /** Sets the settings by which topics keep their records. A missing topic is not created. */
    static void keepRecords(Migration migration, Collection<TableId> tables) {
        Map<String, NewTopic> wanted = wanted(migration, tables, Map.of());
        try (Admin admin = KafkaClients.admin(
                migration, Map.of("default.api.timeout.ms", LOOK_MILLIS, "request.timeout.ms", LOOK_MILLIS))) {
            wanted.keySet().retainAll(admin.listTopics().names().get());
            TopicSettings.correct(admin, List.copyOf(wanted.values()));
        } catch (ExecutionException | KafkaException e) {
            throw KafkaFailures.explain("check topics", e);
        } catch (InterruptedException e) {
            throw Interruption.during("check topics", e);
        }
    }

    private static Map<String, NewTopic> wanted(
            Migration migration, Collection<TableId> tables, Map<TableId, Integer> planned) {
        Map<String, NewTopic> wanted = new HashMap<>();
        want(wanted, migration.topics().position(), 1, KEEP_LAST);
        want(wanted, migration.topics().control(), 1, KEEP_ALL);
        want(wanted, migration.topics().status(), 1, KEEP_AN_HOUR);
        want(wanted, migration.topics().load(), migration.load().readers(), KEEP_ALL);
        for (TableId table : tables) {
            want(wanted, migration.topics().changes(table), wantedPartitions(migration, table, planned), KEEP_ALL);
        }
        return wanted;
    }

    private static int wantedPartitions(Migration migration, TableId table, Map<TableId, Integer> planned) {
        Integer known = planned.get(table);
        return known == null ? migration.apply().partitions().getOrDefault(table.toString(), 1) : known;
    }

    private static void want(Map<String, NewTopic> wanted, String name, int partitions, Map<String, String> settings) {
        Map<String, String> all = new HashMap<>(settings);
        // By the broker's clock: the broker refuses a record if the producer's clock is more than an hour ahead (Kafka
        // documentation, message.timestamp.after.max.ms).
        all.put("message.timestamp.type", "LogAppendTime");
        wanted.put(name, new NewTopic(name, partitions, BROKER_DEFAULT).configs(all));
    }

    /** @return the topics that existed before */
    private static List<NewTopic> create(Admin admin, Collection<NewTopic> topics)
            throws InterruptedException, ExecutionException {
        var existing = admin.listTopics().names().get();
        List<NewTopic> missing = new ArrayList<>(topics);
        missing.removeIf(topic -> existing.contains(topic.name()));
        for (int from = 0; from < missing.size(); from += MOST_AT_ONCE) {
            List<NewTopic> some = missing.subList(from, Math.min(missing.size(), from + MOST_AT_ONCE));
            for (var result : admin.createTopics(some).values().values()) {
                try {
                    result.get();
                } catch (ExecutionException e) {
                    // A broker that did not answer the first request in time may have created the topic.
                    if (!(e.getCause() instanceof TopicExistsException)) {
                        throw e;
                    }
                }
            }
        }
        List<NewTopic> before = new ArrayList<>(topics);
        before.removeAll(missing);
        return before;
    }

    /** Waits until the broker knows the new topics: for thousands of topics this takes some time. */
    private static Map<String, TopicDescription> describe(Admin admin, Collection<String> topics)
            throws InterruptedException, ExecutionException {
        for (int attempt = 1; ; attempt++) {
            try {
                return admin.describeTopics(topics).allTopicNames().get();
            } catch (ExecutionException e) {
                if (!(e.getCause() instanceof UnknownTopicOrPartitionException) || attempt == DESCRIBE_ATTEMPTS) {
                    throw e;
                }
            }
            Thread.sleep(BETWEEN_MILLIS);
        }
    }

    private static int partitions(Map<String, TopicDescription> found, String topic) {
        return found.get(topic).partitions().size();
    }

    private static void requirePartitions(Map<String, TopicDescription> found, String topic, int wanted) {
        if (partitions(found, topic) != wanted) {
            throw new DataException(
                    "use topic",
                    topic,
                    "it has " + partitions(found, topic) + " partitions and must have " + wanted
                            + ", to keep its order",
                    "If the topic belongs to no running migration, delete it; Wherry then creates it again");
        }
    }
}
