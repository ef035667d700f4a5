package io.wherry.source.load;

import io.wherry.source.control.CaptureCounts;

/**
 * What is kept beyond each single load, and reported. Each part is safe for use by several threads.
 *
 * @param counts rows read of each table
 * @param budget bytes handed to Kafka and not yet acknowledged
 * @param failed tables whose load failed
 */
public record LoadLedger(CaptureCounts counts, BlockBudget budget, FailedTables failed) {}
