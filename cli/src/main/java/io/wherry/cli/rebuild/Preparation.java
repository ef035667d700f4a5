package io.wherry.cli.rebuild;

import io.wherry.contract.config.Flow;
import io.wherry.contract.config.Migration.TargetSchemaMode;
import io.wherry.contract.error.DataException;
import io.wherry.contract.name.TableId;
import io.wherry.contract.postgres.Sessions;
import io.wherry.contract.postgres.TargetState;
import io.wherry.contract.record.SchemaEvent;
import io.wherry.coordinator.dump.DatabaseEntries;
import io.wherry.coordinator.dump.DdlStore;
import io.wherry.coordinator.dump.DeferredDdl.Ddl;
import io.wherry.coordinator.dump.DeferredDdl.Stage;
import io.wherry.coordinator.journal.Journal;
import io.wherry.coordinator.schema.SchemaCopy;
import io.wherry.coordinator.sql.Queries;
import java.sql.Connection;
import java.sql.SQLException;
import java.sql.Savepoint;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.List;
import java.util.Optional;
import java.util.Set;
import java.util.stream.Collectors;

/**
 * Makes the tables on an empty target by what was done on the first one, in the same order, and keeps the rest for later. One
 * transaction: after a crash there is all of it or nothing.
 */
final class Preparation {
    private static final Set<Stage> AT_SWITCH = Set.of(Stage.SWITCH, Stage.AFTER);

    private final Flow flow;
    private final Goal goal;
    private final boolean reduces;
    private final Set<SchemaEvent> relaxed = new HashSet<>();

    Preparation(Flow flow, Goal goal) {
        this.flow = flow;
        this.goal = goal;
        this.reduces = goal.isPart() && flow.migration().schema() == TargetSchemaMode.CREATE;
    }

    /**
     * @throws DataException when the target refuses a statement; then nothing is changed
     * @throws Refusal when a chosen table needs another one; then nothing is changed
     */
    void run(List<SchemaEvent> events) throws SQLException, Refusal {
        String path = events.get(0).searchPath();
        try (Connection target =
                Sessions.openForSchema(flow.migration(), flow.to(), Rebuild.PURPOSE + "schema", path)) {
            target.setAutoCommit(false);
            try {
                TargetState.create(target);
                Queries.update(
                        target,
                        "INSERT INTO wherry.migration (name, source_system, deferred) VALUES (?, '', '')",
                        goal.owner());
                Set<TableId> before = Part.tables(target);
                for (SchemaEvent event : events) {
                    apply(target, event);
                }
                List<String> leftOut = reduces ? new Part(target, goal.ids()).reduce(before) : List.of();
                List<Ddl> followed = new ArrayList<>();
                for (SchemaEvent event : Followed.net(events)) {
                    if (!relaxed.contains(event) && isHere(target, event)) {
                        followed.add(Followed.ddl(event, followed.size() + 1));
                    }
                }
                DdlStore.append(target, followed);
                requireTables(target);
                Journal.first(target, flow.generation());
                Store.begin(target, goal);
                Store.leaveOut(target, leftOut);
                target.commit();
            } catch (SQLException e) {
                if (Sessions.state(e).matches("08.*|57.*|53.*|40.*")) {
                    throw e;
                }
                throw new DataException(
                        "make the schema on",
                        flow.to().toString(),
                        e.getMessage(),
                        "Nothing was changed. Make this database accept the statement; roles and extensions of the first"
                                + " target must exist here too",
                        e);
            }
        }
    }

    /** Whether one of the event's tables is among the chosen ones. */
    private boolean isHere(Connection target, SchemaEvent event) throws SQLException {
        for (TableId table : event.tables()) {
            if (!reduces || exists(target, table)) {
                return true;
            }
        }
        return false;
    }

    /** Otherwise the load of the table would wait for good. */
    private void requireTables(Connection target) throws SQLException {
        for (Goal.Table table : goal.tables()) {
            if (!exists(target, table.id())) {
                throw new DataException(
                        "make table",
                        table.id().toString(),
                        "the schema in the control topic does not have the table",
                        "Nothing was changed. Let the coordinator run until the table is on the first target");
            }
        }
    }

    private static boolean exists(Connection target, TableId table) throws SQLException {
        return Queries.truth(target, "SELECT pg_catalog.to_regclass(?) IS NOT NULL", table.quoted());
    }

    private void apply(Connection target, SchemaEvent event) throws SQLException {
        switch (event.kind()) {
            case CREATED, EXISTING -> {
                SchemaCopy.create(target, event.script());
                DdlStore.append(target, plan(target, event));
            }
            case ADDED -> {
                drop(target, event.tables());
                if (!event.script().isEmpty()) {
                    Queries.execute(target, event.script());
                }
                DdlStore.append(target, plan(target, event));
            }
            case DROPPED -> drop(target, event.tables());
            case DEFERRED -> {
                DdlStore.forget(target, AT_SWITCH);
                DdlStore.append(target, plan(target, event));
            }
            case FOLLOWED -> relax(target, event);
        }
    }

    private static List<Ddl> plan(Connection target, SchemaEvent event) throws SQLException {
        String database = target.getCatalog();
        return DdlStore.plan(event.waiting()).stream()
                .map(ddl -> DatabaseEntries.renamed(ddl, database))
                .toList();
    }

    /** Together, because tables that swapped their names have each other's indexes and sequences. */
    private static void drop(Connection target, List<TableId> tables) throws SQLException {
        List<TableId> there = new ArrayList<>();
        for (TableId table : tables) {
            if (exists(target, table)) {
                there.add(table);
            }
        }
        if (!there.isEmpty()) {
            Queries.execute(
                    target, "DROP TABLE " + there.stream().map(TableId::quoted).collect(Collectors.joining(", ")));
        }
        for (TableId table : tables) {
            DdlStore.forget(target, table);
        }
    }

    /**
     * What permits more is done at once, where it can be: a row that needs it may come before the end of the changes, and would stop
     * its table. All else comes after the changes.
     */
    private void relax(Connection target, SchemaEvent event) throws SQLException {
        if (!Followed.takesBack(event)) {
            return;
        }
        Savepoint before = target.setSavepoint();
        Optional<SQLException> failure = Followed.attempt(target, event.script());
        if (failure.isPresent()) {
            target.rollback(before);
            Followed.requireNothingToTakeBack(failure.get());
        } else {
            relaxed.add(event);
        }
    }
}
