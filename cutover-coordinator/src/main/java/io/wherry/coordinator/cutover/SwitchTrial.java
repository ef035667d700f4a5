package io.wherry.coordinator.cutover;

import io.wherry.contract.config.Migration;
import io.wherry.contract.error.Sentence;
import io.wherry.contract.postgres.Sessions;
import io.wherry.coordinator.carry.MaterializedViews;
import io.wherry.coordinator.dump.DdlStore;
import io.wherry.coordinator.dump.DeferredDdl.Ddl;
import io.wherry.coordinator.dump.DeferredDdl.Stage;
import io.wherry.coordinator.sql.Queries;
import io.wherry.coordinator.sql.Term;
import io.wherry.coordinator.thread.MonotonicClock;
import io.wherry.coordinator.thread.Threads;
import io.wherry.coordinator.watch.Observation;
import java.sql.Connection;
import java.sql.SQLException;
import java.sql.Savepoint;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.Set;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.function.Consumer;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Runs the statements of the switch row's transaction on the target, and rolls them back: so Wherry knows before the fence what the
 * target refuses. The coordinator's thread calls all methods but {@link #close}.
 */
public final class SwitchTrial implements AutoCloseable {
    private static final Logger LOG = LoggerFactory.getLogger(SwitchTrial.class);
    private static final long AFTER_REFUSAL_MILLIS = 15_000;
    private static final long SHARE = 10;
    /**
     * Less than deadlock_timeout: the sink-applier locks several tables in its own order, and the server must not end its session
     * in a deadlock.
     */
    private static final String LOCK_WAIT = "300ms";

    /** What a refresh needs. pg_dump creates a view late that groups by a primary key. */
    private static final Set<String> OF_VIEWS = Set.of("RULE", "MATERIALIZED VIEW");

    private final Migration migration;
    private final Term term;
    private final Consumer<Observation> tell;
    private final ExecutorService worker = Executors.newSingleThreadExecutor(Threads.named("wherry-switch-trial"));
    private final List<Runnable> waiting = new ArrayList<>();
    private List<String> refused = List.of();
    private String problem = "";
    private boolean known;
    private boolean running;
    private long dueMillis;

    public SwitchTrial(Migration migration, Term term, Consumer<Observation> tell) {
        this.migration = migration;
        this.term = term;
        this.tell = tell;
    }

    /**
     * Tries statements that were not tried yet, and now and then statements that were refused.
     *
     * @param settled whether the statements for the switch match the source, and the tables are built
     * @param nowMillis by {@link MonotonicClock}
     */
    public void offer(boolean settled, long nowMillis) {
        if (settled && !running && nowMillis >= dueMillis && (!known || !refused.isEmpty())) {
            begin();
        }
    }

    /** The statements for the switch have changed. */
    public void outdated() {
        known = false;
        dueMillis = 0;
    }

    /**
     * Before a cutover every statement must have been tried, and refused statements are tried once more.
     *
     * @param then runs when the trial has ended
     * @return false when no trial is needed: then {@code then} does not run
     */
    public boolean startedFor(Runnable then) {
        if (!running && known && refused.isEmpty()) {
            return false;
        }
        waiting.add(then);
        if (!running) {
            begin();
        }
        return true;
    }

    private void begin() {
        running = true;
        // A change during the trial makes the result unknown again.
        known = true;
        worker.execute(() -> {
            long started = MonotonicClock.millis();
            List<String> found = new ArrayList<>();
            String why = "";
            try {
                attempt(found);
            } catch (SQLException | RuntimeException e) {
                why = String.valueOf(e.getMessage());
            }
            tell.accept(new Observation.Tried(found, why, MonotonicClock.millis() - started));
        });
    }

    public void ended(Observation.Tried tried) {
        running = false;
        problem = tried.problem();
        known &= problem.isEmpty();
        dueMillis = MonotonicClock.millis() + Math.max(AFTER_REFUSAL_MILLIS, SHARE * tried.tookMillis());
        if (!problem.isEmpty()) {
            LOG.info("The statements of the switch could not be tried; Wherry tries again: {}", problem);
            dueMillis = MonotonicClock.millis() + 2_000;
        } else if (!tried.refused().equals(refused)) {
            tried.refused().forEach(line -> LOG.warn("{}", line));
        }
        refused = tried.refused();
        List<Runnable> then = List.copyOf(waiting);
        waiting.clear();
        then.forEach(Runnable::run);
    }

    /** What the target would refuse, one line each with its remedy. */
    public List<String> refused() {
        return refused;
    }

    /** Why a cutover may not start; empty = it may start. */
    public List<String> obstacles() {
        return known && problem.isEmpty()
                ? refused
                : List.of("the statements of the switch could not be tried on the target: " + problem);
    }

    private void attempt(List<String> found) throws SQLException {
        try (Connection target = term.open("try the switch")) {
            target.setAutoCommit(false);
            List<Ddl> pending = DdlStore.pending(target, Stage.SWITCH);
            List<Ddl> refreshes = pending.stream()
                    .filter(ddl -> ddl.kind().equals(MaterializedViews.KIND))
                    .toList();
            List<Ddl> statements = new ArrayList<>(pending);
            statements.removeAll(refreshes);
            attempt(target, statements, "0", found);
            if (!refreshes.isEmpty()) {
                // In a separate transaction: otherwise the locks of foreign keys would block the sink-applier for
                // the time of the refresh.
                List<Ddl> views = new ArrayList<>(statements);
                views.removeIf(ddl -> !OF_VIEWS.contains(ddl.kind()));
                if (migration.cutover().views() == Migration.Views.AFTER) {
                    views.addAll(SwitchDefinitions.emptying(target, refreshes));
                }
                views.addAll(refreshes);
                attempt(target, views, migration.cutover().maxDowntime().toMillis() + "ms", found);
            }
        }
    }

    private void attempt(Connection target, List<Ddl> statements, String limit, List<String> found)
            throws SQLException {
        Queries.execute(target, "SET LOCAL lock_timeout = '" + LOCK_WAIT + "'");
        Queries.execute(target, "SET LOCAL statement_timeout = '" + limit + "'");
        for (Ddl ddl : statements) {
            Savepoint before = target.setSavepoint();
            try {
                Queries.execute(target, ddl.sql());
                target.releaseSavepoint(before);
            } catch (SQLException e) {
                String state = Sessions.state(e);
                boolean view = ddl.kind().equals(MaterializedViews.KIND);
                boolean tooLong = view && state.equals("57014");
                if (view && state.matches("57014|53.*") && migration.cutover().views() == Migration.Views.AFTER) {
                    // The window needs neither its time nor its disk. Those after it may read it, and are as good as
                    // tried.
                    break;
                }
                if (state.matches("08.*|53.*|57.*|55P03|40.*") && !tooLong) {
                    throw e;
                }
                target.rollback(before);
                found.add(tooLong ? tooLong(ddl, limit) : refusal(ddl, e));
            }
        }
        target.rollback();
    }

    private static String tooLong(Ddl refresh, String limit) {
        return "materialized view " + refresh.name() + ": the target cannot refresh it within cutover.max-downtime, "
                + limit
                + ". Set cutover.materialized-views: after, which refreshes it once applications are on the target; or raise"
                + " cutover.max-downtime";
    }

    private static String refusal(Ddl ddl, SQLException e) {
        String why = e.getMessage().replaceAll("\\s+", " ");
        return ddl.kind().equals(MaterializedViews.KIND)
                ? Sentence.of(
                        "materialized view " + ddl.name() + ": the target cannot refresh it: " + why,
                        "Drop the view on both sides, and re-create it with every name in it written in full"
                                + " (schema.table). If the target lacks a view, create that view there as on the source")
                : Sentence.of(
                        ddl.kind().toLowerCase(Locale.ROOT) + " " + ddl.name() + ": the target refuses it: " + why,
                        "Create on the target what it needs, as on the source; or drop it on the source");
    }

    @Override
    public void close() {
        Threads.end(worker);
    }
}
