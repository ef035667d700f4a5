package io.wherry.rehearsal;

import java.nio.file.Path;

/** One broker and one registry for all tests of this JVM: migrations of different names share them without meeting. */
final class SharedBroker {
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

    static String bootstrapServers() {
        return KAFKA.bootstrapServers();
    }

    static String registryUrl() {
        return REGISTRY.url();
    }
}
