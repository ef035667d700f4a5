package io.wherry.coordinator.proof;

import io.wherry.contract.name.TableId;
import io.wherry.coordinator.recheck.Difference;
import io.wherry.coordinator.recheck.DirtyKeys;
import java.util.List;

/**
 * How far the proof of equality has come.
 *
 * @param tables by name
 * @param dirty keys that wait for their comparison
 * @param differences those that stand
 * @param rowsCompared rows of all passes since the proof began
 * @param oldestMillis age of the oldest table's proof; 0 while no table is proven
 */
public record ProofStatus(
        List<TableStatus> tables,
        DirtyKeys.Size dirty,
        List<Difference> differences,
        long rowsCompared,
        long oldestMillis) {
    public ProofStatus {
        tables = List.copyOf(tables);
        differences = List.copyOf(differences);
    }

    /**
     * One table.
     *
     * @param percent of the pass that runs, by the estimate of the catalog; 100 when none runs
     * @param unproven why the table is not proven; empty when it is
     * @param dirtyKeys keys of this table that wait
     * @param ageMillis since the pass began that proved the table; 0 when it is not proven
     * @param wholeNanos how long a comparison of all rows takes; 0 = unknown
     * @param knownMillis since the last pass began of which all findings are known, or that has failed; null = there is none
     * @param rowsEstimated of the table, by the source's statistics; -1 = never analysed
     * @param bytes of the table, by the source's catalog
     * @param pass the pass that runs; null = none
     */
    public record TableStatus(
            TableId table,
            boolean proven,
            int percent,
            String unproven,
            long dirtyKeys,
            long ageMillis,
            long wholeNanos,
            Long knownMillis,
            long rowsEstimated,
            long bytes,
            PassStatus pass) {}

    /**
     * A pass that runs.
     *
     * @param rows compared so far
     * @param runsMillis since it began, with its pauses
     */
    public record PassStatus(long rows, long runsMillis) {}

    /** Whether each table is proven. */
    public boolean proven() {
        return tables.stream().allMatch(TableStatus::proven);
    }
}
