package io.wherry.coordinator.cutover;

import io.wherry.contract.config.Migration;
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
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.function.Consumer;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Runs on the target what the transaction of the switch row will run, and rolls it back: what the target cannot take is known before the
 * fence. All methods but {@link #close} are called by the coordinator's thread.
 */
public final class SwitchTrial implements AutoCloseable {
    private static final Logger LOG = LoggerFactory.getLogger(SwitchTrial.class);
    private static final long AFTER_REFUSAL_MILLIS = 15_000;
    private static final long SHARE = 10;
    /**
     * Less than deadlock_timeout: the applier locks several tables in an order of its own, and must not be the one that the server ends.
     */
    private static final String LOCK_WAIT = "300ms";

    /** Definitions of views, which those that are refreshed may read. */
    private static final String RULE = "RULE";

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
     * Tries what was not tried yet, and at times what was refused.
     *
     * @param settled whether what waits for the switch is what the source has, and tables are built
     * @param nowMillis by {@link MonotonicClock}
     */
    public void offer(boolean settled, long nowMillis) {
        if (settled && !running && nowMillis >= dueMillis && (!known || !refused.isEmpty())) {
            begin();
        }
    }

    /** What waits for the switch has changed. */
    public void outdated() {
        known = false;
        dueMillis = 0;
    }

    /**
     * Before a cutover everything must have been tried, and what was refused is tried once more.
     *
     * @param then done when the trial has ended
     * @return false when nothing has to be tried, so that {@code then} is not done
     */
    public boolean begunFor(Runnable then) {
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
        // What changes meanwhile makes it unknown again.
        known = true;
        worker.execute(() -> {
            long begun = MonotonicClock.millis();
            List<String> found = new ArrayList<>();
            String why = "";
            try {
                attempt(found);
            } catch (SQLException | RuntimeException e) {
                why = String.valueOf(e.getMessage());
            }
            tell.accept(new Observation.Tried(found, why, MonotonicClock.millis() - begun));
        });
    }

    public void ended(Observation.Tried tried) {
        running = false;
        problem = tried.problem();
        known &= problem.isEmpty();
        dueMillis = MonotonicClock.millis() + Math.max(AFTER_REFUSAL_MILLIS, SHARE * tried.tookMillis());
        if (!problem.isEmpty()) {
            LOG.info("What the switch will run could not be tried, it is tried again: {}", problem);
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

    /** Why a cutover may not begin; empty = it may. */
    public List<String> obstacles() {
        return known && problem.isEmpty()
                ? refused
                : List.of("what the switch will run could not be tried on the target: " + problem);
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
                // In a transaction of its own: the locks of foreign keys would hold the applier up as long as it takes.
                List<Ddl> views = new ArrayList<>(statements);
                views.removeIf(ddl -> !ddl.kind().equals(RULE));
                views.addAll(refreshes);
                attempt(target, views, migration.cutover().maxDowntime().toMillis() + "ms", found);
            }
        }
    }

    private static void attempt(Connection target, List<Ddl> statements, String limit, List<String> found)
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
                boolean tooLong = state.equals("57014") && ddl.kind().equals(MaterializedViews.KIND);
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
        return "materialized view " + refresh.name() + ": is not refreshed on the target within cutover.max-downtime, "
                + limit + ". Raise it; or drop the view on both sides, and make it again after the cutover";
    }

    private static String refusal(Ddl ddl, SQLException e) {
        String why = e.getMessage().replaceAll("\\s+", " ");
        return ddl.kind().equals(MaterializedViews.KIND)
                ? "materialized view " + ddl.name() + ": the target cannot refresh it: " + why
                        + ". Drop it on both sides and make it again with every name in it written in full"
                        + " (schema.table); a view that the target lacks, make there as on the source"
                : ddl.kind().toLowerCase(Locale.ROOT) + " " + ddl.name() + ": the target refuses it: " + why
                        + ". Make on the target what it needs as it is on the source, or drop it on the source";
    }

    @Override
    public void close() {
        Threads.end(worker);
    }
}
