package io.wherry.coordinator.machine;

import io.wherry.contract.config.Migration;
import io.wherry.contract.error.DataException;
import io.wherry.contract.name.Remedies;
import io.wherry.contract.name.TableId;
import io.wherry.contract.record.Order;
import io.wherry.coordinator.journal.State;
import io.wherry.coordinator.sql.Queries;
import io.wherry.coordinator.sql.Term;
import io.wherry.coordinator.watch.ControlTopicWriter;
import io.wherry.coordinator.watch.Progress;
import java.sql.Connection;
import java.sql.SQLException;
import java.util.List;
import java.util.Optional;
import java.util.Set;

/** Gives the operator's orders about tables: to the source-connector through the control topic, to the sink-applier through the target. */
public final class Orders {
    private static final String STOPPED =
            "SELECT stopped_because FROM wherry.relation WHERE stopped_because IS NOT NULL AND (schema_name, table_name) = (?, ?)";
    // Only if the reason is the one that was read: the table may have stopped again for another reason.
    private static final String CLEAR = "UPDATE wherry.relation SET stopped_because = NULL"
            + " WHERE (schema_name, table_name) = (?, ?) AND stopped_because = ?";

    private final Migration migration;
    private final Term term;
    private final Progress progress;

    public Orders(Migration migration, Term term, Progress progress) {
        this.migration = migration;
        this.term = term;
        this.progress = progress;
    }

    /**
     * Gives an order. Called by the coordinator's thread only: so no order is given while a cutover starts or is in progress.
     *
     * @param table by name; empty = all
     * @return the tables that the order concerns
     * @throws DataException when there is no such table, a cutover is in progress or the target serves
     * @throws SQLException also when the term has ended
     */
    public List<TableId> give(Order.Kind kind, Optional<String> table, State state) throws SQLException {
        Set<TableId> known = progress.planned();
        String operation = kind == Order.Kind.RETRY ? "retry" : "reload";
        List<TableId> meant = known.stream()
                .filter(id -> table.isEmpty() || table.get().equals(id.toString()))
                .sorted()
                .toList();
        if (meant.isEmpty()) {
            throw new DataException(
                    operation, table.orElse("tables"), "this migration has no such table", "See wherry tables");
        }
        if (!state.servedBy().equals("source")) {
            boolean passing = state.inWindow() || state == State.ABORTING;
            throw new DataException(
                    operation,
                    table.orElse("all tables"),
                    "the state is " + state,
                    passing
                            ? "Wait for the end of the cutover, or wherry abort"
                            : "The target serves; its tables can no longer be loaded or retried");
        }
        // Only a coordinator whose term lasts knows that no cutover is in progress.
        try (Connection target = term.open("order")) {
            if (kind == Order.Kind.RETRY) {
                for (TableId id : meant) {
                    retry(target, id, table.isPresent());
                }
            }
        }
        send(new Order(kind, table.isEmpty() ? null : meant.get(0), System.currentTimeMillis()));
        return meant;
    }

    /**
     * Lets a table continue, unless only a re-load fixes it. Counterexample: the table's topic was deleted and re-created; from the
     * table's checkpoint on, the new topic would continue as if no change was missing.
     *
     * @param named whether the operator named this table; then a refusal is reported
     */
    private static void retry(Connection target, TableId table, boolean named) throws SQLException {
        Optional<String> reason = Queries.string(target, STOPPED, table.schema(), table.table());
        if (reason.isPresent() && Remedies.onlyReload(reason.get())) {
            if (named) {
                throw new DataException(
                        "retry",
                        table.toString(),
                        "only a re-load fixes this table: " + reason.get(),
                        Remedies.reload(table));
            }
        } else if (reason.isPresent()) {
            Queries.update(target, CLEAR, table.schema(), table.table(), reason.get());
        }
    }

    private void send(Order order) {
        progress.giving(order);
        try (ControlTopicWriter control = new ControlTopicWriter(migration)) {
            control.write(Order.KEY, order);
        } catch (RuntimeException e) {
            progress.notGiven(order);
            throw e;
        }
    }
}
