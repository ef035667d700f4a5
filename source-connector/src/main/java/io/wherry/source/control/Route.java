package io.wherry.source.control;

import io.wherry.contract.name.TableId;

/**
 * Where a table's changes go.
 *
 * @param partitions of the topic
 */
public record Route(TableId id, String topic, int partitions) {}
