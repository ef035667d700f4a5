package io.wherry.contract;

import java.net.URL;
import java.util.HashMap;
import java.util.Map;
import org.apache.kafka.clients.admin.Admin;
import org.apache.kafka.clients.consumer.KafkaConsumer;
import org.apache.kafka.clients.producer.KafkaProducer;
import org.apache.kafka.common.serialization.ByteArrayDeserializer;
import org.apache.kafka.common.serialization.ByteArraySerializer;
import org.apache.kafka.common.utils.Time;

/** Kafka clients of a migration: the operator's properties first, then what correctness demands. */
public final class KafkaClients {
    static {
        requireSteadyTime();
    }

    private KafkaClients() {}

    /** Another order of the class path would bring back clients that stand still when the wall clock is set back. */
    private static void requireSteadyTime() {
        URL time = codeOf(Time.SYSTEM.getClass());
        if (!time.equals(codeOf(KafkaClients.class))) {
            throw new IllegalStateException("Kafka's clients have the clock of " + time
                    + ", which may go back: the contract must stand before kafka-clients on the class path");
        }
    }

    private static URL codeOf(Class<?> type) {
        return type.getProtectionDomain().getCodeSource().getLocation();
    }

    /** @param settings override the operator's */
    public static KafkaProducer<byte[], byte[]> producer(Migration migration, Map<String, Object> settings) {
        Map<String, Object> properties = new HashMap<>(migration.kafka());
        properties.put("enable.idempotence", true);
        properties.put("acks", "all");
        properties.putAll(settings);
        return new KafkaProducer<>(properties, new ByteArraySerializer(), new ByteArraySerializer());
    }

    /**
     * A consumer that sees committed transactions only, never commits by itself, never guesses an offset, and never brings a
     * topic into being by asking for it: such a topic would have the broker's default partitions, not ours.
     */
    public static KafkaConsumer<byte[], byte[]> consumer(Migration migration, Map<String, Object> settings) {
        Map<String, Object> properties = new HashMap<>(migration.kafka());
        properties.put("isolation.level", "read_committed");
        properties.put("enable.auto.commit", false);
        properties.put("auto.offset.reset", "none");
        properties.put("allow.auto.create.topics", false);
        properties.putAll(settings);
        return new KafkaConsumer<>(properties, new ByteArrayDeserializer(), new ByteArrayDeserializer());
    }

    public static Admin admin(Migration migration) {
        return admin(migration, Map.of());
    }

    /** @param settings override the operator's */
    public static Admin admin(Migration migration, Map<String, Object> settings) {
        Map<String, Object> properties = new HashMap<>(migration.kafka());
        properties.putAll(settings);
        return Admin.create(properties);
    }
}
