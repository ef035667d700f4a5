package io.wherry.contract;

import java.util.List;

/**
 * What the source-connector says of itself once a second; record of the status topic.
 *
 * @param phase {@code LOADING} or {@code STREAMING} (the load is complete in Kafka)
 * @param atMillis time of the report, ms since 1970
 * @param blockBytesPeak most bytes of load blocks held in memory at once
 */
public record SourceStatus(String phase, long atMillis, long blockBytesPeak, List<Captured> tables) {
    /** Counts since the process began: rows read by the load, and changes put into Kafka. */
    public record Captured(TableId table, long rowsRead, long insert, long update, long delete, long truncate) {}
}
