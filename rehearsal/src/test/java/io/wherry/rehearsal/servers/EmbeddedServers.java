package io.wherry.rehearsal.servers;

import io.wherry.embedded.ChildProcesses;
import io.wherry.embedded.EmbeddedKafka;
import io.wherry.embedded.EmbeddedPostgres;
import io.wherry.embedded.EmbeddedRegistry;
import java.nio.file.Path;
import java.util.Map;

/** Servers that are processes of this machine. */
final class EmbeddedServers implements TestServers {
    private final ChildProcesses processes = new ChildProcesses();

    EmbeddedServers() {}

    @Override
    public EmbeddedPostgres postgres(String name, int major, Map<String, String> settings) {
        TestExtension.install(major);
        Path directory = processes.temporaryDirectory("wherry-" + name);
        return EmbeddedPostgres.start(processes, major, directory, settings);
    }

    @Override
    public Broker broker() {
        Path directory = processes.temporaryDirectory("wherry-broker");
        EmbeddedRegistry registry = EmbeddedRegistry.start(processes, directory.resolve("registry"));
        EmbeddedKafka kafka = EmbeddedKafka.start(processes, directory.resolve("kafka"));
        registry.awaitReady();
        return new Broker(kafka.clientProperties(), registry.url(), kafka::tool);
    }

    @Override
    public Path temporaryDirectory(String prefix) {
        return processes.temporaryDirectory(prefix);
    }

    @Override
    public void close() {
        processes.close();
    }
}
