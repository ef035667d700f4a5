package io.wherry.source;

import io.wherry.contract.name.TableId;

/**
 * Where a table's changes go.
 *
 * @param partitions of the topic
 */
record Route(TableId id, String topic, int partitions) {}
