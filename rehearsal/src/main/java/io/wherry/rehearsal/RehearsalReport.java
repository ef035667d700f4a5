package io.wherry.rehearsal;

import java.util.List;

/**
 * The result of a rehearsal. The names are part of the public contract.
 *
 * @param bytesLoaded of COPY streams
 * @param loadSeconds from the first chunk applied to the last
 * @param rowsDifferent rows that differed between source and target in the comparison before the switch
 * @param schemaDifferences statements of {@code pg_dump --schema-only} on one side only
 * @param acknowledgedWrites transactions whose commit the server confirmed to the writers, before and after the switch
 * @param writeGapMillis longest time between two acknowledged writes at the switch
 * @param lagP50Millis of heartbeats, from the source to the last checkpoint on the target
 * @param blockBytesPeak most bytes of load blocks held in memory at once
 */
public record RehearsalReport(
        int sourceVersion,
        int targetVersion,
        long seed,
        String outcome,
        long rowsLoaded,
        long bytesLoaded,
        double loadSeconds,
        double indexSeconds,
        long changesApplied,
        int tablesCompared,
        long rowsCompared,
        long rowsDifferent,
        List<String> schemaDifferences,
        long acknowledgedWrites,
        long acknowledgedWritesLost,
        long refusedWrites,
        long writesInDoubt,
        long writeGapMillis,
        Long lagP50Millis,
        Long lagP99Millis,
        long blockBytesPeak,
        double totalSeconds,
        List<StateSeconds> states) {

    /** How long the migration was in a state. */
    public record StateSeconds(String state, double seconds) {}

    /** Whether nothing was lost, nothing differs, and the traffic runs on the target. */
    public boolean succeeded() {
        return outcome.equals("COMPLETED")
                && rowsDifferent == 0
                && schemaDifferences.isEmpty()
                && acknowledgedWritesLost == 0;
    }
}
