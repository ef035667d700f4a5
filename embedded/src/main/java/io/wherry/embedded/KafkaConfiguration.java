package io.wherry.embedded;

import java.nio.file.Path;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;

/** The configuration of a broker of one node and of its clients. */
final class KafkaConfiguration {
    static final String JAAS = "sasl.jaas.config";
    private static final String USER = "wherry";

    private final int port;
    private final int controllerPort;
    private final Optional<EmbeddedKafka.Proxied> proxied;
    private final String secret;
    private final Path data;

    /** @param data directory of the topics */
    KafkaConfiguration(
            int port, int controllerPort, Optional<EmbeddedKafka.Proxied> proxied, String secret, Path data) {
        this.port = port;
        this.controllerPort = controllerPort;
        this.proxied = proxied;
        this.secret = secret;
        this.data = data;
    }

    /** The broker's properties. */
    Map<String, String> broker() {
        Map<String, String> properties = new LinkedHashMap<>();
        properties.put("process.roles", "broker,controller");
        properties.put("node.id", "1");
        String broker = "BROKER://127.0.0.1:" + port;
        properties.put(
                "listeners",
                broker + ",CONTROLLER://127.0.0.1:" + controllerPort
                        + proxied.map(p -> ",PROXIED://127.0.0.1:" + p.port()).orElse(""));
        properties.put(
                "advertised.listeners",
                broker
                        + proxied.map(p -> ",PROXIED://127.0.0.1:" + p.proxyPort())
                                .orElse(""));
        properties.put(
                "listener.security.protocol.map",
                "BROKER:SASL_PLAINTEXT,CONTROLLER:SASL_PLAINTEXT,PROXIED:SASL_PLAINTEXT");
        properties.put("sasl.enabled.mechanisms", "PLAIN");
        properties.put("sasl.mechanism.inter.broker.protocol", "PLAIN");
        properties.put("sasl.mechanism.controller.protocol", "PLAIN");
        for (String listener : List.of("broker", "controller", "proxied")) {
            properties.put(
                    "listener.name." + listener + ".plain.sasl.jaas.config",
                    login(" user_" + USER + "=\"" + secret + "\""));
        }
        properties.put("inter.broker.listener.name", "BROKER");
        properties.put("controller.listener.names", "CONTROLLER");
        properties.put("controller.quorum.voters", "1@127.0.0.1:" + controllerPort);
        properties.put("log.dirs", data.toString());
        properties.put("offsets.topic.replication.factor", "1");
        properties.put("offsets.topic.num.partitions", "4");
        properties.put("transaction.state.log.replication.factor", "1");
        properties.put("transaction.state.log.min.isr", "1");
        properties.put("transaction.state.log.num.partitions", "4");
        // The first records of a transaction wait until the transaction before has its markers: a few ms. By default
        // the broker looks again after 20 ms.
        properties.put("add.partitions.to.txn.retry.backoff.ms", "2");
        properties.put("group.initial.rebalance.delay.ms", "0");
        properties.put("auto.create.topics.enable", "false");
        properties.put("log.retention.ms", "-1");
        properties.put("log.retention.bytes", "-1");
        // One Kafka transaction may span a source transaction of hours; the default limit is 15 minutes.
        properties.put("transaction.max.timeout.ms", "86400000");
        // By default, the cleaner allocates 128 MiB at the start; it has only the two internal topics to clean.
        properties.put("log.cleaner.dedupe.buffer.size", "4194304");
        properties.put("num.network.threads", "2");
        properties.put("num.io.threads", "4");
        // After a kill, the restarted broker is refused until the session of the killed one (9 s by default) has
        // ended.
        properties.put("broker.session.timeout.ms", "4000");
        properties.put("broker.heartbeat.interval.ms", "500");
        return properties;
    }

    /** The properties that a client needs to connect and log in. */
    Map<String, String> client() {
        Map<String, String> properties = new LinkedHashMap<>();
        properties.put("bootstrap.servers", "127.0.0.1:" + port);
        properties.put("security.protocol", "SASL_PLAINTEXT");
        properties.put("sasl.mechanism", "PLAIN");
        properties.put(JAAS, login(""));
        return properties;
    }

    private String login(String accepted) {
        return "org.apache.kafka.common.security.plain.PlainLoginModule required username=\"" + USER + "\" password=\""
                + secret + "\"" + accepted + ";";
    }
}
