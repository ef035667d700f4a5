package io.wherry.coordinator.machine;

import io.wherry.coordinator.journal.Journal;
import io.wherry.coordinator.journal.State;
import io.wherry.coordinator.proof.ProofStatus;
import io.wherry.coordinator.recheck.Difference;
import io.wherry.coordinator.watch.Lag;
import io.wherry.coordinator.watch.SlotStatus;
import io.wherry.coordinator.watch.TableLag;
import java.util.List;

/**
 * The status of a migration; its JSON names are public and stable.
 *
 * @param state one of {@link State}
 * @param servedBy {@code source}, {@code target}, or {@code none} within the window
 * @param waitsFor what must happen before the next state; empty = nothing
 * @param slot what is kept for the replication slot, and how long the slot will last
 * @param lastAbort how the last cutover was aborted; null = it was not, or another one has started
 * @param proof how far both sides are proven equal
 * @param nextSteps what the operator can do now
 */
public record Status(
        String name,
        State state,
        String servedBy,
        String waitsFor,
        Lag lag,
        SlotStatus slot,
        List<TableStatus> tables,
        Journal.LastAbort lastAbort,
        ProofView proof,
        List<String> nextSteps) {
    public Status {
        tables = List.copyOf(tables);
        nextSteps = List.copyOf(nextSteps);
    }

    /**
     * How far both sides are proven equal.
     *
     * @param tables that are compared
     * @param proven of these, tables of which every row is equal or waits among the dirty keys
     * @param dirtyKeys rows that changed and wait for their comparison
     * @param rowsCompared since the proof began
     * @param oldestMillis age of the oldest table's proof, ms
     * @param differences rows that differ and are not on their way, one line each, without values
     * @param unproven the other tables, each with the reason
     * @param waitsFor why there is no proof; empty = there is one
     * @param stopped whether the operator has stopped the proof
     */
    public record ProofView(
            int tables,
            int proven,
            long dirtyKeys,
            long rowsCompared,
            long oldestMillis,
            List<String> differences,
            List<String> unproven,
            String waitsFor,
            boolean stopped) {
        public static final ProofView NONE = none("");

        public ProofView {
            differences = List.copyOf(differences);
            unproven = List.copyOf(unproven);
        }

        static ProofView none(String why) {
            return new ProofView(0, 0, 0, 0, 0, List.of(), List.of(), why, false);
        }

        static ProofView of(ProofStatus status, boolean stopped) {
            return new ProofView(
                    status.tables().size(),
                    (int) status.tables().stream()
                            .filter(ProofStatus.TableStatus::proven)
                            .count(),
                    status.dirty().keys(),
                    status.rowsCompared(),
                    status.oldestMillis(),
                    status.differences().stream().map(Difference::explained).toList(),
                    status.tables().stream()
                            .filter(table -> !table.proven())
                            .map(table -> table.table() + ": " + table.unproven() + " (" + table.percent() + " %)")
                            .toList(),
                    "",
                    stopped);
        }
    }

    /** Changes by kind, rows. */
    public record Counts(long insert, long update, long delete) {}

    /**
     * @param state {@code WAITING}, {@code LOADING}, {@code INDEXING}, {@code APPLYING}, {@code FAILED} (its load has failed) or
     *     {@code STOPPED} (an event contradicts the target)
     * @param rowsEstimated by the source's statistics; null = unknown
     * @param captured changes put into Kafka since the source-connector started
     * @param applied changes applied to the target
     * @param lag between Kafka and the target
     * @param verified whether the last comparison found both sides equal; null = never compared
     * @param error why the table has stopped; null = it has not stopped
     */
    public record TableStatus(
            String table,
            String state,
            long rowsLoaded,
            Long rowsEstimated,
            Counts captured,
            Counts applied,
            TableLag lag,
            Boolean verified,
            String error) {
        TableStatus withUnknownLag() {
            return new TableStatus(
                    table, state, rowsLoaded, rowsEstimated, captured, applied, TableLag.UNKNOWN, verified, error);
        }
    }
}
