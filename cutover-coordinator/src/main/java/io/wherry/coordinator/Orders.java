package io.wherry.coordinator;

import io.wherry.contract.DataException;
import io.wherry.contract.Migration;
import io.wherry.contract.Order;
import io.wherry.contract.Sessions;
import io.wherry.contract.TableId;
import java.sql.Connection;
import java.sql.SQLException;
import java.util.List;
import java.util.Optional;
import java.util.Set;

/** Gives the operator's orders about tables: to the source-connector by the control topic, to the sink-applier by the target. */
final class Orders {
    private static final String CLEAR = "UPDATE wherry.relation SET stopped_because = NULL"
            + " WHERE stopped_because IS NOT NULL AND (schema_name, table_name) = (?, ?)";

    private final Migration migration;

    Orders(Migration migration) {
        this.migration = migration;
    }

    /**
     * @param table by name; empty = all
     * @param known all tables of the migration
     * @return the tables that are meant
     * @throws DataException when there is no such table, or it is too late
     */
    List<TableId> give(Order.Kind kind, Optional<String> table, Set<TableId> known, State state) throws SQLException {
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
            throw new DataException(operation, table.orElse("all tables"), "the state is " + state, "It is too late");
        }
        if (kind == Order.Kind.RETRY) {
            try (Connection target = Sessions.open(migration, migration.target(), "retry")) {
                for (TableId id : meant) {
                    Queries.update(target, CLEAR, id.schema(), id.table());
                }
            }
        }
        send(new Order(kind, table.isEmpty() ? null : meant.get(0), System.currentTimeMillis()));
        return meant;
    }

    private void send(Order order) {
        try (ControlWriter control = new ControlWriter(migration)) {
            control.write(Order.KEY, order);
        }
    }
}
