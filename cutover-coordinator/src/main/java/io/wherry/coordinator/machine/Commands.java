package io.wherry.coordinator.machine;

import io.wherry.contract.error.RetryableException;
import io.wherry.contract.error.WherryException;
import io.wherry.contract.name.TableId;
import io.wherry.contract.record.Order;
import io.wherry.coordinator.cutover.CutoverResult;
import io.wherry.coordinator.cutover.CutoverRun;
import io.wherry.coordinator.cutover.Force;
import java.sql.SQLException;
import java.util.List;
import java.util.Optional;
import java.util.Set;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionStage;

/** What the operator may ask for. Each command runs on the coordinator's thread. Safe for use by several threads. */
record Commands(
        Inbox inbox, Callers callers, Control control, CutoverAdmission admission, CutoverRun run, Orders orders) {

    CompletionStage<CutoverResult> cutover(boolean dryRun, Set<Force> forced) {
        CompletableFuture<CutoverResult> result = callers.add();
        admission.ask(result, dryRun, forced);
        return result;
    }

    CompletionStage<Boolean> abort() {
        CompletableFuture<Boolean> result = callers.add();
        inbox.ask(
                () -> {
                    boolean possible = control.state().inWindow();
                    if (possible) {
                        run.giveUp("aborted by the operator");
                    }
                    result.complete(possible);
                },
                why -> result.complete(false));
        return result;
    }

    CompletionStage<List<TableId>> order(Order.Kind kind, Optional<String> table) {
        CompletableFuture<List<TableId>> result = callers.add();
        inbox.ask(
                () -> {
                    try {
                        result.complete(orders.give(kind, table, control.state()));
                    } catch (SQLException | WherryException e) {
                        result.completeExceptionally(e);
                    }
                },
                why -> result.completeExceptionally(
                        new RetryableException("order", table.orElse("all tables"), why, "Ask again")));
        return result;
    }
}
