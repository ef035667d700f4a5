package io.wherry.coordinator.cutover;

import io.wherry.contract.config.Flow;
import io.wherry.contract.config.Migration.Views;
import io.wherry.coordinator.carry.MaterializedViews;
import io.wherry.coordinator.dump.DdlStore;
import io.wherry.coordinator.dump.DeferredDdl.Ddl;
import io.wherry.coordinator.dump.DeferredDdl.Stage;
import io.wherry.coordinator.sql.Queries;
import io.wherry.coordinator.sql.Window;
import java.sql.Connection;
import java.sql.SQLException;
import java.util.ArrayList;
import java.util.List;

/** The definitions that the target gets with the switch: foreign keys, triggers, rules, policies, and rows of materialized views. */
record SwitchDefinitions(Flow flow) {
    /** Runs them, within the transaction of the switch row. */
    void run(Connection target, Window window) throws SQLException {
        if (viewsWait()) {
            window.begins("definitions, views that wait");
            for (Ddl ddl : emptying(target, DdlStore.pending(target, Stage.SWITCH))) {
                Queries.execute(target, ddl.sql());
            }
            DdlStore.postpone(target, MaterializedViews.KIND);
        }
        for (Ddl ddl : DdlStore.pending(target, Stage.SWITCH)) {
            window.begins("definitions, " + ddl.kind());
            window.waitsFor(ddl.kind() + " " + ddl.name());
            window.check();
            DdlStore.run(target, ddl);
        }
    }

    /**
     * Statements that empty the views which are refreshed later. Counterexample without them: an operator has refreshed a view during a
     * rehearsal. Applications read rows of that day after the switch, and the view counts as refreshed.
     *
     * @param pending statements of the switch
     */
    static List<Ddl> emptying(Connection target, List<Ddl> pending) throws SQLException {
        List<Ddl> emptying = new ArrayList<>();
        for (Ddl ddl : pending) {
            if (ddl.kind().equals(MaterializedViews.KIND) && MaterializedViews.isPopulated(target, ddl.name())) {
                String sql = "REFRESH MATERIALIZED VIEW " + ddl.name() + " WITH NO DATA";
                emptying.add(new Ddl(ddl.id(), ddl.stage(), ddl.kind(), ddl.name(), ddl.table(), sql));
            }
        }
        return emptying;
    }

    /** One line for each. */
    List<String> plan(Connection target) throws SQLException {
        return DdlStore.pending(target, Stage.SWITCH).stream()
                .map(ddl -> (waits(ddl) ? "target, once completed: " : "target: ") + ddl.kind() + " " + ddl.name())
                .toList();
    }

    private boolean viewsWait() {
        return flow.migration().cutover().views() == Views.AFTER;
    }

    private boolean waits(Ddl ddl) {
        return viewsWait() && ddl.kind().equals(MaterializedViews.KIND);
    }
}
