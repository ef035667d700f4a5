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

    /** Class 23 of PostgreSQL's error codes: rows that need what was relaxed have come before, and stopped their table. */
    private static final String RESUME =
            "UPDATE wherry.relation SET stopped_because = NULL WHERE stopped_because LIKE '%(SQLSTATE 23%'";

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
        try (Connection target =
                Sessions.openForSchema(flow.migration(), flow.to(), Rebuild.PURPOSE + "schema", goal.searchPath())) {
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
                if (!goal.follow()) {
                    append(target, events);
                }
                requireTables(target);
                Journal.first(target, flow.generation());
                Store.begin(target, goal);
                Store.leaveOut(target, leftOut);
                Store.putSchemaPlace(target, SchemaPlace.of(events));
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

    /** What was followed on the first target waits for the end here. */
    private void append(Connection target, List<SchemaEvent> events) throws SQLException {
        List<Ddl> followed = new ArrayList<>();
        for (SchemaEvent event : Followed.net(events)) {
            if (!relaxed.contains(event) && isHere(target, event)) {
                followed.add(Followed.ddl(event, followed.size() + 1));
            }
        }
        DdlStore.append(target, followed);
    }

    /**
     * Ends following: from now on the database is made up to the goal; part of the caller's transaction.
     *
     * @param events up to the goal
     * @param followed tables that were followed from the beginning
     */
    void end(Connection target, List<SchemaEvent> events, Set<TableId> followed) throws SQLException {
        append(target, events);
        for (TableId table : followed) {
            if (!goal.ids().contains(table) && exists(target, table)) {
                // Its name was not given for the new one: nobody knows whether that is wanted.
                Store.leaveOut(
                        target,
                        List.of(
                                "table " + table
                                        + ": has another name on the source since, or was dropped there. Its rows here are those of before"));
            }
        }
        Store.end(target, goal);
    }

    /**
     * Brings one event to a database that follows the topics; part of the caller's transaction. What may reject rows is left for the
     * end.
     *
     * @throws Refusal when a chosen table needs another one
     */
    void follow(Connection target, SchemaEvent event) throws SQLException, Refusal {
        switch (event.kind()) {
            case ADDED -> {
                if (!reduces || event.tables().stream().anyMatch(goal.ids()::contains)) {
                    Set<TableId> before = Part.tables(target);
                    apply(target, event);
                    if (reduces) {
                        Store.leaveOut(target, new Part(target, goal.ids()).reduce(before));
                    }
                }
            }
            case FOLLOWED -> {
                if (isHere(target, event)) {
                    relax(target, event);
                    Queries.update(target, RESUME);
                }
            }
            case DEFERRED -> apply(target, event);
            // The sink-applier here drops the tables, in their place among the changes.
            case DROPPED -> {}
            case CREATED, EXISTING ->
                throw new DataException(
                        "follow",
                        "the schema",
                        "the first target was made again",
                        "Rebuild into another, empty database");
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

    static boolean exists(Connection target, TableId table) throws SQLException {
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
