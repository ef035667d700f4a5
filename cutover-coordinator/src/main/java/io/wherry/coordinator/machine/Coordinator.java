package io.wherry.coordinator.machine;

import io.wherry.contract.name.TableId;
import io.wherry.coordinator.cutover.CutoverResult;
import io.wherry.coordinator.watch.Pulse;
import java.sql.SQLException;
import java.util.List;
import java.util.Optional;
import java.util.concurrent.CompletionStage;

/** What others may ask of a coordinator of this process. */
public interface Coordinator {
    /** What stands where. */
    Status status();

    /** Signs of life of all three services. */
    Pulse pulse();

    /** Ends with the coordinator, exceptionally when the coordinator failed. */
    CompletionStage<Void> done();

    /**
     * Asks for the cutover; ends when it is completed, refused or aborted.
     *
     * @param dryRun only make the plan; nothing is changed
     */
    CompletionStage<CutoverResult> cutover(boolean dryRun);

    /** Gives up a cutover under way; false when there is none, or it is past the point of no return. */
    CompletionStage<Boolean> abort();

    /**
     * Lets tables go on whose load was given up or whose changes stopped.
     *
     * @param table by name; empty = all
     * @return the tables that are meant
     */
    List<TableId> retry(Optional<String> table) throws SQLException;

    /** Loads tables again from the beginning; all of them: under a new slot. Otherwise as {@link #retry}. */
    List<TableId> reload(Optional<String> table) throws SQLException;
}
