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

/** Gives the operator's orders about tables: to the source-connector by the control topic, to the sink-applier by the target. */
public final class Orders {
    private static final String STOPPED =
            "SELECT stopped_because FROM wherry.relation WHERE stopped_because IS NOT NULL AND (schema_name, table_name) = (?, ?)";
    // Of the reason that was read: it may have stopped again by another.
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
     * Gives one. By the coordinator's thread only: so none is given while a cutover begins or is under way.
     *
     * @param table by name; empty = all
     * @return the tables that are meant
     * @throws DataException when there is no such table, a cutover is under way or the target serves
     * @throws SQLException also when the term has ended
     */
    public List<TableId> give(Order.Kind kind, Optional<String> table, State state) throws SQLException {
        Set<TableId> known = progress.planned();
        String operation = kind == Order.Kind.RETRY ? "retry" : "load again";
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
                    passing ? "Wait for the end of the cutover, or wherry abort" : "The target serves: it is too late");
        }
        // Only a coordinator whose term goes on knows that no cutover is under way.
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
     * Lets a table go on, unless only a new load makes it right. Counterexample: its topic was deleted and created again; from its
     * checkpoint on the new topic goes on as if nothing was missing.
     *
     * @param named by the operator, who is told then
     */
    private static void retry(Connection target, TableId table, boolean named) throws SQLException {
        Optional<String> reason = Queries.string(target, STOPPED, table.schema(), table.table());
        if (reason.isPresent() && Remedies.onlyReload(reason.get())) {
            if (named) {
                throw new DataException(
                        "retry",
                        table.toString(),
                        "only a new load makes it right again: " + reason.get(),
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
