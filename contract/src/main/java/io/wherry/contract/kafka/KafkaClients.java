package io.wherry.contract.kafka;

import io.wherry.contract.config.Migration;
import java.net.URL;
import java.time.Duration;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.concurrent.ExecutionException;
import org.apache.kafka.clients.admin.Admin;
import org.apache.kafka.clients.admin.Config;
import org.apache.kafka.clients.consumer.KafkaConsumer;
import org.apache.kafka.clients.producer.KafkaProducer;
import org.apache.kafka.common.config.ConfigResource;
import org.apache.kafka.common.utils.Time;

/** Kafka clients of a migration: the operator's properties first, then the settings that correctness requires. */
public final class KafkaClients {
    private static final Duration DEFAULT_LIMIT = Duration.ofMinutes(15);
    /** The largest value that the producer's setting can hold. */
    private static final Duration LONGEST_TRANSACTION = Duration.ofDays(24);

    static {
        requireSteadyTime();
    }

    private KafkaClients() {}

    /** Another class path order would bring back Kafka's own clock; with it, clients hang when the wall clock is set back. */
    private static void requireSteadyTime() {
        URL time = codeOf(Time.SYSTEM.getClass());
        if (!time.equals(codeOf(KafkaClients.class))) {
            throw new IllegalStateException("Kafka's clients use the clock of " + time
                    + ", which may go back: the contract must come before kafka-clients on the class path");
        }
    }

    private static URL codeOf(Class<?> type) {
        return type.getProtectionDomain().getCodeSource().getLocation();
    }

    /** @param settings that override the operator's */
    public static KafkaProducer<byte[], byte[]> producer(Migration migration, Map<String, Object> settings) {
        Map<String, Object> properties = new HashMap<>(migration.kafka());
        properties.put("enable.idempotence", true);
        properties.put("acks", "all");
        properties.putAll(settings);
        return new MeteredProducer(properties);
    }

    /**
     * A consumer that sees committed transactions only, never commits by itself and never guesses an offset. It never creates a
     * topic by asking for it: such a topic would have the broker's default number of partitions, not Wherry's.
     */
    public static KafkaConsumer<byte[], byte[]> consumer(Migration migration, Map<String, Object> settings) {
        Map<String, Object> properties = new HashMap<>(migration.kafka());
        properties.put("isolation.level", "read_committed");
        properties.put("enable.auto.commit", false);
        properties.put("auto.offset.reset", "none");
        properties.put("allow.auto.create.topics", false);
        properties.putAll(settings);
        return new MeteredConsumer(properties);
    }

    /** Without meters: Wherry's admin clients answer one question and close, before anybody would read their meters. */
    public static Admin admin(Migration migration) {
        return admin(migration, Map.of());
    }

    /** How long the broker allows a Kafka transaction to take, and so one source transaction, which must arrive whole. */
    public static Duration longestTransaction(Admin admin) throws InterruptedException, ExecutionException {
        String broker = admin.describeCluster().nodes().get().iterator().next().idString();
        ConfigResource resource = new ConfigResource(ConfigResource.Type.BROKER, broker);
        Config config = admin.describeConfigs(List.of(resource)).all().get().get(resource);
        return Optional.ofNullable(config.get("transaction.max.timeout.ms"))
                .map(entry -> Duration.ofMillis(Long.parseLong(entry.value())))
                .map(found -> found.compareTo(LONGEST_TRANSACTION) < 0 ? found : LONGEST_TRANSACTION)
                .orElse(DEFAULT_LIMIT);
    }

    /** @param settings that override the operator's */
    public static Admin admin(Migration migration, Map<String, Object> settings) {
        Map<String, Object> properties = new HashMap<>(migration.kafka());
        properties.putAll(settings);
        return Admin.create(properties);
    }
}
