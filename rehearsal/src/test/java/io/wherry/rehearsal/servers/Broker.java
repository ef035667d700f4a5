package io.wherry.rehearsal.servers;

import java.util.Map;

/**
 * A Kafka broker and a registry that speaks Confluent's protocol.
 *
 * @param clientProperties what a client needs to connect and log in
 * @param registryUrl the base address for Confluent's clients
 */
public record Broker(Map<String, String> clientProperties, String registryUrl) {}
