package io.wherry.rehearsal.servers;

import java.util.List;
import java.util.Map;

/**
 * A Kafka broker and a registry that speaks Confluent's protocol.
 *
 * @param clientProperties what a client needs to connect and log in
 * @param registryUrl the base address for Confluent's clients
 * @param tools of the broker's version
 */
public record Broker(Map<String, String> clientProperties, String registryUrl, Tools tools) {
    /** Kafka's own tools. */
    public interface Tools {
        /** The command line of a tool that is connected to the broker. */
        List<String> command(String mainClass, String... arguments);
    }
}
