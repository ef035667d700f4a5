package io.wherry.contract.record;

import io.wherry.contract.name.TableId;
import java.util.List;

/**
 * The source-connector's report about itself, written once a second; record of the status topic.
 *
 * @param phase {@code LOADING} or {@code STREAMING} (the load is complete in Kafka)
 * @param atMillis time of the report, ms since 1970
 * @param blockBytesPeak most bytes of load blocks held in memory at once
 * @param failed tables whose load has failed and waits for the operator's {@code retry}
 * @param replaced tables that differ from what was loaded under their name and are being re-loaded, each with the reason
 * @param problem why no changes are captured, with the remedy; null = they are captured
 * @param waitsFor what the source-connector waits for on the source, and which work of the applications the source refuses
 *     because of Wherry; each a line with the remedy, the worst first
 */
public record SourceStatus(
        String phase,
        long atMillis,
        long blockBytesPeak,
        List<Captured> tables,
        List<FailedLoad> failed,
        List<FailedLoad> replaced,
        String problem,
        List<String> waitsFor) {
    public SourceStatus {
        tables = List.copyOf(tables);
        waitsFor = waitsFor == null ? List.of() : List.copyOf(waitsFor);
        failed = failed == null ? List.of() : List.copyOf(failed);
        replaced = replaced == null ? List.of() : List.copyOf(replaced);
    }

    public SourceStatus(String phase, long atMillis, long blockBytesPeak, List<Captured> tables) {
        this(phase, atMillis, blockBytesPeak, tables, List.of(), List.of(), null, List.of());
    }

    /** @param reason what failed, with the remedy */
    public record FailedLoad(TableId table, String reason) {}

    /** Counts since the process started: rows read by the load, and changes written to Kafka. */
    public record Captured(TableId table, long rowsRead, long insert, long update, long delete, long truncate) {}
}
