package io.wherry.cli.rebuild;

import io.wherry.contract.config.Flow;
import io.wherry.contract.error.WherryException;
import io.wherry.contract.name.TableId;
import io.wherry.contract.postgres.Sessions;
import io.wherry.contract.service.Effect;
import io.wherry.contract.service.Failpoints;
import io.wherry.coordinator.dump.DdlStore;
import io.wherry.coordinator.dump.DeferredDdl.Ddl;
import io.wherry.coordinator.schema.RowIndex;
import io.wherry.coordinator.sql.Queries;
import io.wherry.sink.state.TableState;
import java.sql.Connection;
import java.sql.SQLException;
import java.util.HashSet;
import java.util.Set;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicReference;

/**
 * Builds keys and indexes of tables whose load is complete, several at once, and declares the tables ready for changes: what the
 * coordinator does on the first target.
 */
final class TableBuilds implements AutoCloseable {
    private static final int MOST_AT_ONCE = 4;
    private static final String MEMORY = "SET maintenance_work_mem = '256MB'";
    private static final String READY = "UPDATE wherry.relation SET ready_at = clock_timestamp()"
            + " WHERE schema_name = ? AND table_name = ? AND load_epoch = ? AND ready_at IS NULL";

    private final Flow flow;
    private final Failpoints failpoints;
    private final ExecutorService workers;
    private final Set<TableState> begun = new HashSet<>();
    private final AtomicReference<Exception> failure = new AtomicReference<>();

    TableBuilds(Flow flow, Failpoints failpoints) {
        this.flow = flow;
        this.failpoints = failpoints;
        this.workers = Executors.newFixedThreadPool(
                Math.max(2, Math.min(MOST_AT_ONCE, flow.migration().load().readers())), task -> {
                    Thread thread = new Thread(task, "wherry-rebuild-index");
                    thread.setDaemon(true);
                    return thread;
                });
    }

    /** Starts to build a table whose load is complete, once. @throws SQLException when an earlier build has failed */
    void offer(TableState relation) throws SQLException {
        if (failure.get() instanceof SQLException failed) {
            throw failed;
        }
        if (failure.get() instanceof WherryException failed) {
            throw failed;
        }
        if (begun.add(relation)) {
            workers.execute(() -> {
                try (Connection target =
                        Sessions.openForScripts(flow.migration(), flow.to(), Rebuild.PURPOSE + "index")) {
                    build(target, relation);
                } catch (SQLException | WherryException e) {
                    failure.compareAndSet(null, e);
                }
            });
        }
    }

    private void build(Connection target, TableState relation) throws SQLException {
        TableId table = relation.table();
        Queries.execute(target, MEMORY);
        target.setAutoCommit(false);
        for (Ddl ddl : DdlStore.pendingFor(target, table)) {
            DdlStore.run(target, ddl);
            target.commit();
        }
        // The changes of the table may need query plans before autovacuum runs.
        Queries.execute(target, "ANALYZE " + table.quoted());
        RowIndex.ensure(target, table);
        Queries.update(target, READY, table.schema(), table.table(), relation.loadEpoch());
        failpoints.before(Effect.TABLE_READY);
        target.commit();
        failpoints.after(Effect.TABLE_READY);
    }

    /** Ends what is in progress with its sessions; a build that has not ended is begun again by a continuation. */
    @Override
    public void close() {
        workers.shutdownNow();
        try {
            if (!workers.awaitTermination(1, TimeUnit.SECONDS)) {
                // Its statement ends with the process; its own transaction marks it done.
                return;
            }
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
        }
    }
}
