package io.wherry.coordinator.cutover;

import io.wherry.contract.config.Migration;
import io.wherry.contract.postgres.Sessions;
import io.wherry.contract.service.Backoff;
import io.wherry.coordinator.dump.DdlStore;
import io.wherry.coordinator.dump.DeferredDdl.Ddl;
import io.wherry.coordinator.dump.DeferredDdl.Stage;
import io.wherry.coordinator.fence.Fence;
import io.wherry.coordinator.fence.Logins;
import io.wherry.coordinator.sql.Queries;
import io.wherry.coordinator.sql.Term;
import io.wherry.coordinator.thread.Threads;
import io.wherry.coordinator.watch.Observation;
import java.sql.Connection;
import java.sql.SQLException;
import java.time.Duration;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.List;
import java.util.Set;
import java.util.concurrent.TimeUnit;
import java.util.function.Consumer;
import org.postgresql.util.PSQLException;
import org.postgresql.util.ServerErrorMessage;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * What comes after COMPLETED, with applications on the target: it is told who can log in where, and foreign keys are validated. Nothing of it touches traffic. What the
 * target refuses is reported and left as it is; what only has to wait (a lock, a lost session) is tried again.
 */
public final class AfterSwitch implements AutoCloseable {
    private static final Logger LOG = LoggerFactory.getLogger(AfterSwitch.class);
    private static final Duration FIRST_PAUSE = Duration.ofSeconds(1);
    private static final Duration LONGEST_PAUSE = Duration.ofMinutes(1);
    /** A validation holds no writer up while it waits; a key that is made holds them all up. */
    private static final String VALIDATION_WAITS = "10s";

    private static final String KEY_WAITS = "500ms";

    private final Migration migration;
    private final Term term;
    private final Consumer<Observation> tell;
    private final Thread thread = Threads.named("wherry-after-switch").newThread(this::work);
    private final Set<String> refused = new HashSet<>();
    private volatile List<String> lines = List.of();
    private volatile String left = "";
    private volatile boolean done;
    private volatile boolean closing;
    private boolean begun;
    private Fence.Plan fence;

    public AfterSwitch(Migration migration, Term term, Consumer<Observation> tell) {
        this.migration = migration;
        this.term = term;
        this.tell = tell;
    }

    /**
     * Begins, the first time. Used by the coordinator's thread.
     *
     * @param closed the fence, which stays closed
     */
    public void begin(Fence.Plan closed) {
        if (!begun) {
            begun = true;
            fence = closed;
            thread.start();
        }
    }

    /** What is under way, and what the target refused with its remedy. */
    public List<String> lines() {
        List<String> all = new ArrayList<>(lines);
        if (!left.isEmpty()) {
            all.add(left);
        }
        return all;
    }

    /** Whether everything was tried to its end. */
    public boolean done() {
        return done;
    }

    private void work() {
        Backoff backoff = new Backoff(FIRST_PAUSE, LONGEST_PAUSE);
        tellLogins();
        try {
            while (!closing) {
                String waits = attempt();
                if (waits.isEmpty()) {
                    left = "";
                    done = true;
                    tell.accept(new Observation.AfterwardsDone());
                    return;
                }
                long pause = backoff.next().toMillis();
                LOG.warn("After the cutover, tried again in {} ms: {}", pause, waits);
                left = "foreign keys are still to be validated on the target, tried again: " + waits
                        + "; applications can work meanwhile";
                TimeUnit.MILLISECONDS.sleep(pause);
            }
        } catch (InterruptedException e) {
            LOG.debug("ended before the foreign keys were validated", e);
        }
    }

    private void tellLogins() {
        try {
            List<String> more = new ArrayList<>(lines);
            more.addAll(Logins.read(migration, fence));
            lines = List.copyOf(more);
        } catch (SQLException e) {
            LOG.warn("Who can log in where is not known: {}", e.getMessage());
        }
    }

    /** @return why it has to be tried again; empty = everything was tried to its end */
    private String attempt() {
        try (Connection target = term.open("validate")) {
            if (Queries.maySetReplicationRole(target)) {
                // The application's event triggers have no part in this.
                Queries.execute(target, "SET session_replication_role = replica");
            }
            List<Ddl> pending = new ArrayList<>(DdlStore.pending(target, Stage.AFTER));
            pending.removeIf(this::isRefused);
            target.setAutoCommit(false);
            while (!pending.isEmpty() && !closing) {
                left = pending.size() + " statements for foreign keys are still to run on the target, now "
                        + object(pending.get(0)) + "; applications can work meanwhile";
                run(target, pending.remove(0));
                pending.stream().filter(this::isRefused).forEach(this::leave);
                pending.removeIf(this::isRefused);
            }
            return "";
        } catch (SQLException e) {
            return e.getMessage();
        }
    }

    private void run(Connection target, Ddl ddl) throws SQLException {
        try {
            Queries.execute(target, "SET LOCAL lock_timeout = '" + (ofKey(ddl) ? KEY_WAITS : VALIDATION_WAITS) + "'");
            // Counterexample without the lock: a twin that has taken over makes the same key, and one of them fails.
            if (DdlStore.lockPending(target, ddl)) {
                DdlStore.run(target, ddl);
            }
            target.commit();
        } catch (SQLException e) {
            target.rollback();
            // Connection, resources, ended by somebody, lock not available, deadlock.
            if (Sessions.state(e).matches("08.*|53.*|57.*|55P03|40.*")) {
                throw e;
            }
            refused.add(key(ddl));
            report("foreign key of " + object(ddl)
                    + ": the target checks new rows, but refused to validate those that are there: " + withoutRows(e)
                    + ". Correct the rows, then on the target: " + statement(ddl));
        }
    }

    /** The key of a partitioned table is made of its partitions'. */
    private void leave(Ddl ddl) {
        if (ddl.kind().equals("FK CONSTRAINT")) {
            report("foreign key of " + object(ddl)
                    + ": each partition has it, the partitioned table has not: one of them is not"
                    + " valid. Once they are, on the target: " + statement(ddl));
        }
    }

    private void report(String line) {
        LOG.warn("{}", line);
        List<String> more = new ArrayList<>(lines);
        more.add(line);
        lines = List.copyOf(more);
    }

    /** Also what can only be made of others that were refused. */
    private boolean isRefused(Ddl ddl) {
        return refused.contains(key(ddl))
                || ofKey(ddl) && refused.stream().anyMatch(key -> key.endsWith(":" + ddl.name()));
    }

    private static boolean ofKey(Ddl ddl) {
        return !ddl.kind().equals("VALIDATION");
    }

    private static String key(Ddl ddl) {
        return ddl.id() + ":" + ddl.name();
    }

    private static String object(Ddl ddl) {
        return ddl.table().map(Object::toString).orElse(ddl.name());
    }

    /** The detail names values of rows, which a status must not show. */
    private static String withoutRows(SQLException failure) {
        ServerErrorMessage message = failure instanceof PSQLException e ? e.getServerErrorMessage() : null;
        return message == null ? failure.getMessage() : String.valueOf(message.getMessage());
    }

    /** The last statement of a script is what it is for; those before are settings. */
    private static String statement(Ddl ddl) {
        String[] statements = ddl.sql().split(";\n");
        return statements[statements.length - 1].replaceAll("\\s+", " ");
    }

    @Override
    public void close() {
        closing = true;
        if (begun) {
            // A statement under way ends with its session; it is marked done in its own transaction.
            thread.interrupt();
        }
    }
}
