package io.wherry.rehearsal;

import io.wherry.contract.record.Json;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.HashMap;
import java.util.HashSet;
import java.util.Map;
import java.util.Set;
import java.util.concurrent.ExecutionException;
import org.apache.kafka.clients.admin.Admin;

/** One broker and one registry for all tests of this JVM: migrations of different names share them without meeting. */
public final class SharedBroker {
    private static final ChildProcesses PROCESSES = new ChildProcesses();
    private static final EmbeddedRegistry REGISTRY;
    private static final EmbeddedKafka KAFKA;

    static {
        Path directory = PROCESSES.temporaryDirectory("wherry-broker");
        REGISTRY = EmbeddedRegistry.start(PROCESSES, directory.resolve("registry"));
        KAFKA = EmbeddedKafka.start(PROCESSES, directory.resolve("kafka"));
        REGISTRY.awaitReady();
    }

    private SharedBroker() {}

    /** For the clients of a migration. */
    public static Map<String, String> clientProperties() {
        return KAFKA.clientProperties();
    }

    /** What a migration's file says under {@code kafka}. */
    static String yaml() {
        return new String(Json.write(clientProperties()), StandardCharsets.UTF_8);
    }

    /** Deletes a migration's topics: thousands of them fill the broker's heap. */
    public static void forget(String migration) {
        try (Admin admin = Admin.create(new HashMap<String, Object>(clientProperties()))) {
            Set<String> topics = new HashSet<>(admin.listTopics().names().get());
            topics.removeIf(topic -> !topic.startsWith(migration + "."));
            admin.deleteTopics(topics).all().get();
        } catch (ExecutionException e) {
            throw new IllegalStateException("delete the topics of " + migration, e);
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
        }
    }

    static String registryUrl() {
        return REGISTRY.url();
    }
}
