package io.wherry.cli.rebuild;

import io.wherry.contract.config.Flow;
import io.wherry.contract.error.DataException;
import io.wherry.contract.name.TableId;
import io.wherry.contract.postgres.Sessions;
import io.wherry.contract.service.Effect;
import io.wherry.contract.service.Failpoints;
import io.wherry.coordinator.dump.DdlStore;
import io.wherry.coordinator.dump.DeferredDdl.Ddl;
import io.wherry.coordinator.dump.DeferredDdl.Stage;
import io.wherry.coordinator.sql.Queries;
import java.sql.Connection;
import java.sql.SQLException;
import java.sql.Savepoint;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.List;
import java.util.Optional;
import java.util.Set;
import java.util.function.Consumer;

/**
 * What follows the last change: parents' indexes, what was followed, foreign keys, triggers and the like, then the values of the
 * sequences. Each statement is marked done in its own transaction, so a continuation begins with the first that is not done.
 */
final class Finish {
    private static final String PARENTS =
            "SELECT quote_ident(n.nspname) || '.' || quote_ident(c.relname) FROM pg_class c"
                    + " JOIN pg_namespace n ON n.oid = c.relnamespace WHERE c.relkind = 'p' AND NOT c.relispartition";

    /** The statement names a table, a function or another object that is not there. */
    private static final String NOT_HERE = "42P01|42883|42704";

    private static final String FORGET_VALIDATION = "DELETE FROM wherry.ddl WHERE kind = 'VALIDATION' AND name = ?"
            + " AND schema_name = ? AND table_name = ? AND done_at IS NULL";

    private final Flow flow;
    private final Goal goal;
    private final Failpoints failpoints;
    private final Consumer<String> shown;
    private final List<String> missing = new ArrayList<>();

    /** @param shown gets each statement before it runs */
    Finish(Flow flow, Goal goal, Failpoints failpoints, Consumer<String> shown) {
        this.flow = flow;
        this.goal = goal;
        this.failpoints = failpoints;
        this.shown = shown;
    }

    /**
     * Does all that is left.
     *
     * @return what the database lacks, one line each
     * @throws DataException when the target refuses a statement
     */
    List<String> run() throws SQLException {
        try (Connection target = Sessions.openForScripts(flow.migration(), flow.to(), Rebuild.PURPOSE + "finish")) {
            target.setAutoCommit(false);
            for (Stage stage : List.of(Stage.TABLE, Stage.PARENT, Stage.FOLLOWED, Stage.SWITCH)) {
                for (Ddl ddl : DdlStore.pending(target, stage)) {
                    run(target, ddl);
                }
                if (stage == Stage.PARENT) {
                    // Statistics of a partitioned parent are gathered only on request.
                    for (String parent : Queries.strings(target, PARENTS)) {
                        Queries.execute(target, "ANALYZE " + parent);
                    }
                    target.commit();
                }
            }
            afterwards(target);
            missing.addAll(SequenceValues.set(target, goal));
            Store.done(target);
            failpoints.before(Effect.COMPLETED);
            target.commit();
            failpoints.after(Effect.COMPLETED);
        }
        return missing;
    }

    private void run(Connection target, Ddl ddl) throws SQLException {
        shown.accept(ddl.kind() + " " + ddl.name());
        if (DdlStore.lacksParent(target, ddl)) {
            DdlStore.forget(target, ddl);
            target.commit();
            return;
        }
        try {
            // Settings of one statement must not reach the next.
            Queries.execute(target, "SET LOCAL maintenance_work_mem = '256MB'");
            DdlStore.run(target, ddl);
        } catch (SQLException e) {
            target.rollback();
            if (isLeftOut(e)) {
                leaveOut(target, ddl, e);
                target.commit();
                return;
            }
            if (!ddl.kind().equals(Followed.RELAXATION)) {
                throw refused(ddl, e);
            }
            Followed.requireNothingToTakeBack(e);
            DdlStore.forget(target, ddl);
        }
        failpoints.before(Effect.SCHEMA);
        target.commit();
        failpoints.after(Effect.SCHEMA);
    }

    /** Whether the statement names an object that is not here because some tables were chosen. */
    private boolean isLeftOut(SQLException failure) {
        return goal.isPart() && Sessions.state(failure).matches(NOT_HERE);
    }

    private static void leaveOut(Connection target, Ddl ddl, SQLException failure) throws SQLException {
        String lacks = failure.getMessage().lines().findFirst().orElse("").replaceFirst("^ERROR: +", "");
        Store.leaveOut(target, List.of(ddl.kind() + " " + ddl.name() + ": " + lacks));
        DdlStore.forget(target, ddl);
        if (ddl.kind().equals("FK CONSTRAINT") && ddl.table().isPresent()) {
            TableId table = ddl.table().get();
            Queries.update(target, FORGET_VALIDATION, ddl.name(), table.schema(), table.table());
        }
    }

    private DataException refused(Ddl ddl, SQLException failure) throws SQLException {
        if (Sessions.state(failure).matches("08.*|53.*|57.*|40.*")) {
            throw failure;
        }
        return new DataException(
                "create " + ddl.kind(),
                ddl.name(),
                failure.getMessage(),
                "Make this database accept the statement, then give the same command again, which continues",
                failure);
    }

    /** Validation of foreign keys: rows that violate a key on the source too do not make the rebuild fail, but are named. */
    private void afterwards(Connection target) throws SQLException {
        Set<String> refused = new HashSet<>();
        boolean replica = Queries.maySetReplicationRole(target);
        for (Ddl ddl : DdlStore.pending(target, Stage.AFTER)) {
            if (refused.contains(ddl.name())) {
                continue;
            }
            shown.accept(ddl.kind() + " " + ddl.name());
            Savepoint before = target.setSavepoint();
            if (replica) {
                // The application's event triggers have no part in this.
                Queries.execute(target, "SET LOCAL session_replication_role = replica");
            }
            Optional<SQLException> failure = Optional.empty();
            try {
                DdlStore.run(target, ddl);
            } catch (SQLException e) {
                failure = Optional.of(e);
            }
            if (failure.filter(this::isLeftOut).isPresent()) {
                target.rollback(before);
                leaveOut(target, ddl, failure.get());
            } else if (failure.isPresent()) {
                target.rollback(before);
                missing.add(refused(ddl, failure.get()).getMessage());
                refused.add(ddl.name());
            }
            target.commit();
        }
    }
}
