package io.wherry.coordinator.follow;

import io.wherry.contract.config.Flow;
import io.wherry.contract.name.TableId;
import io.wherry.contract.postgres.Sessions;
import io.wherry.contract.service.Effect;
import io.wherry.contract.service.Failpoints;
import io.wherry.coordinator.carry.LargeObjects;
import io.wherry.coordinator.dump.DdlStore;
import io.wherry.coordinator.dump.DeferredDdl.Ddl;
import io.wherry.coordinator.dump.DeferredDdl.Stage;
import io.wherry.coordinator.schema.RowIndex;
import io.wherry.coordinator.sql.Queries;
import io.wherry.coordinator.sql.ScriptSessions;
import io.wherry.coordinator.sql.Term;
import io.wherry.coordinator.thread.Threads;
import io.wherry.coordinator.watch.Observation;
import io.wherry.coordinator.watch.Observation.Built;
import io.wherry.coordinator.watch.Observation.TableProgress;
import java.sql.Connection;
import java.sql.SQLException;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.ThreadPoolExecutor;
import java.util.concurrent.TimeUnit;
import java.util.function.Consumer;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Builds keys and indexes of loaded tables, several tables at once, and declares these tables ready for changes. A table is built
 * while others still load. All methods but {@link #close} are called by the coordinator's thread only.
 */
public final class IndexBuilder implements AutoCloseable {
    private static final Logger LOG = LoggerFactory.getLogger(IndexBuilder.class);
    // Sorting in memory makes index builds fast. The limit is needed because several builds run at once on a server
    // of unknown size.
    private static final String MEMORY = "SET maintenance_work_mem = '256MB'";
    private static final int MOST_AT_ONCE = 4;
    private static final long NEVER = Long.MIN_VALUE;
    private static final long AFTER_SUCCESS_NANOS = 3_000_000_000L;
    private static final long AFTER_FAILURE_NANOS = 10_000_000_000L;

    private final Flow flow;
    private final Term term;
    private final Failpoints failpoints;
    private final Consumer<Observation> tell;
    private final ThreadPoolExecutor workers;
    private final ScriptSessions sessions;
    /** The earliest start of each table's work (System.nanoTime); the key Optional.empty() stands for the parents. */
    private final Map<Optional<TableId>, Long> notBefore = new HashMap<>();

    private boolean parentsBuilt;

    public IndexBuilder(Flow flow, Term term, Consumer<Observation> tell, Failpoints failpoints) {
        this.flow = flow;
        this.term = term;
        this.failpoints = failpoints;
        this.tell = tell;
        int workersWanted =
                Math.max(2, Math.min(MOST_AT_ONCE, flow.migration().load().readers()));
        this.sessions = new ScriptSessions(term, "index");
        this.workers = new ThreadPoolExecutor(
                workersWanted,
                workersWanted,
                0,
                TimeUnit.SECONDS,
                new LinkedBlockingQueue<>(),
                Threads.named("wherry-index"));
    }

    /** Starts to build a table that is loaded and not ready, unless that work is in progress. */
    public void offer(TableProgress relation) {
        if (relation.loaded() && !relation.ready() && begin(Optional.of(relation.table()))) {
            workers.execute(() -> tell.accept(attempt(relation.table(), target -> build(target, relation))));
        }
    }

    /** Starts to build what spans tables: partitioned parents, whose indexes contain their children's, and large objects. */
    public void offerParents() {
        if (begin(Optional.empty())) {
            workers.execute(() -> tell.accept(attempt(null, this::buildParents)));
        }
    }

    private boolean begin(Optional<TableId> what) {
        Long time = notBefore.get(what);
        if (time != null && (time == NEVER || time - System.nanoTime() > 0)) {
            return false;
        }
        notBefore.put(what, NEVER);
        return true;
    }

    /** Allows the work again: soon after success, before the target is read again, and later after a failure. */
    public void ended(Built built) {
        long pause = built.problem() == null ? AFTER_SUCCESS_NANOS : AFTER_FAILURE_NANOS;
        notBefore.put(Optional.ofNullable(built.table()), System.nanoTime() + pause);
        parentsBuilt |= built.table() == null && built.problem() == null;
    }

    /** Whether what spans tables was built, and no table has been added since. */
    public boolean parentsBuilt() {
        return parentsBuilt;
    }

    /** What spans tables must be built again: the index of a new table is not yet attached to its parent's. */
    public void parentsOutdated() {
        parentsBuilt = false;
    }

    private Built attempt(TableId table, ScriptSessions.Job job) {
        long began = System.nanoTime();
        String problem = null;
        try {
            sessions.run(job);
            if (workers.getQueue().isEmpty()) {
                sessions.close();
            }
        } catch (SQLException e) {
            problem = "index building: " + e.getMessage();
        }
        return new Built(table, (System.nanoTime() - began) / 1e9, problem);
    }

    private void build(Connection target, TableProgress relation) throws SQLException {
        TableId table = relation.table();
        runEach(target, DdlStore.pendingFor(target, table));
        // The changes of the table may need query plans before autovacuum runs.
        Queries.execute(target, "ANALYZE " + table.quoted());
        RowIndex.ensure(target, table);
        Queries.update(
                target,
                "UPDATE wherry.relation SET ready_at = clock_timestamp()"
                        + " WHERE schema_name = ? AND table_name = ? AND load_epoch = ? AND ready_at IS NULL",
                table.schema(),
                table.table(),
                relation.epoch());
        failpoints.before(Effect.TABLE_READY);
        target.commit();
        failpoints.after(Effect.TABLE_READY);
    }

    private void buildParents(Connection target) throws SQLException {
        runEach(target, DdlStore.pending(target, Stage.PARENT));
        // Statistics of a partitioned parent are gathered only on request.
        for (String parent : Queries.strings(
                target,
                "SELECT quote_ident(n.nspname) || '.' || quote_ident(c.relname) FROM pg_class c"
                        + " JOIN pg_namespace n ON n.oid = c.relnamespace WHERE c.relkind = 'p' AND NOT c.relispartition")) {
            Queries.execute(target, "ANALYZE " + parent);
        }
        target.commit();
        new LargeObjects(flow, term.check((endpoint, purpose) -> Sessions.open(flow.migration(), endpoint, purpose)))
                .synchronize();
    }

    private static void runEach(Connection target, List<Ddl> pending) throws SQLException {
        Queries.execute(target, MEMORY);
        // Statements of the dump name everything in full, and set what else they need; each job starts with
        // settings reset.
        target.setAutoCommit(false);
        for (Ddl ddl : pending) {
            if (DdlStore.lacksParent(target, ddl)) {
                DdlStore.forget(target, ddl);
            } else {
                DdlStore.run(target, ddl);
            }
            target.commit();
        }
    }

    @Override
    public void close() {
        workers.shutdownNow();
        try {
            if (!workers.awaitTermination(1, TimeUnit.SECONDS)) {
                // A statement in progress ends with the process or by itself; its own transaction marks it done.
                return;
            }
            sessions.close();
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
        } catch (SQLException e) {
            LOG.debug("the target has already ended a session", e);
        }
    }
}
