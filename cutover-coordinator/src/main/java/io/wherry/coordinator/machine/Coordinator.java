package io.wherry.coordinator.machine;

import io.wherry.contract.name.TableId;
import io.wherry.coordinator.cutover.CutoverResult;
import io.wherry.coordinator.cutover.Force;
import io.wherry.coordinator.proof.ProofControl;
import io.wherry.coordinator.watch.Pulse;
import java.sql.SQLException;
import java.util.List;
import java.util.Optional;
import java.util.Set;
import java.util.concurrent.CompletionStage;

/** What other parts of this process may ask of its coordinator. */
public interface Coordinator {
    /** The present status. */
    Status status();

    /** Signs of life of all three services. */
    Pulse pulse();

    /** Why only a restart of this process would help; empty = every service in this process works. */
    Optional<String> hangs();

    /** Ends with the coordinator, exceptionally when the coordinator failed. */
    CompletionStage<Void> done();

    /**
     * Asks for the cutover; ends when it is completed, refused or aborted.
     *
     * @param dryRun only make the plan; nothing is changed
     * @param forced what does not prevent the cutover
     */
    CompletionStage<CutoverResult> cutover(boolean dryRun, Set<Force> forced);

    /** As {@link #cutover(boolean, Set)}, with nothing forced. */
    default CompletionStage<CutoverResult> cutover(boolean dryRun) {
        return cutover(dryRun, Set.of());
    }

    /** Aborts a cutover in progress; false if there is none, or if it is past the point of no return. */
    CompletionStage<Boolean> abort();

    /**
     * Lets tables continue whose load has failed or whose changes have stopped.
     *
     * @param table by name; empty = all
     * @return the tables that the order concerns
     */
    List<TableId> retry(Optional<String> table) throws SQLException;

    /** Re-loads tables from the beginning; if all tables, then under a new slot. Otherwise as {@link #retry}. */
    List<TableId> reload(Optional<String> table) throws SQLException;

    /** The proof that both sides hold the same rows. */
    ProofControl proof();
}
