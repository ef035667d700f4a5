package io.wherry.coordinator.cutover;

import io.wherry.contract.config.Flow;
import io.wherry.contract.error.Sentence;
import io.wherry.contract.error.WherryException;
import io.wherry.contract.postgres.Sessions;
import io.wherry.contract.record.LastSeen;
import io.wherry.contract.record.SchemaLog;
import io.wherry.contract.service.Backoff;
import io.wherry.coordinator.carry.MaterializedViews;
import io.wherry.coordinator.dump.DdlStore;
import io.wherry.coordinator.dump.DeferredDdl.Ddl;
import io.wherry.coordinator.dump.DeferredDdl.Stage;
import io.wherry.coordinator.fence.Fence;
import io.wherry.coordinator.fence.Logins;
import io.wherry.coordinator.sql.Queries;
import io.wherry.coordinator.sql.Term;
import io.wherry.coordinator.thread.Threads;
import io.wherry.coordinator.watch.LastSeenNote;
import io.wherry.coordinator.watch.LastSeenReading;
import io.wherry.coordinator.watch.Observation;
import java.sql.Connection;
import java.sql.SQLException;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.HashSet;
import java.util.List;
import java.util.Set;
import java.util.concurrent.TimeUnit;
import java.util.function.Consumer;
import org.apache.kafka.common.KafkaException;
import org.postgresql.util.PSQLException;
import org.postgresql.util.ServerErrorMessage;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * The work after COMPLETED, with applications on the target: reports which roles can log in where, refreshes the materialized views
 * that were left for this time, and validates foreign keys. Nobody can read such a view before; else none of this touches traffic.
 * What the target refuses is reported and stays as it is; after a lock timeout or a lost session Wherry tries again.
 */
public final class AfterSwitch implements AutoCloseable {
    private static final Logger LOG = LoggerFactory.getLogger(AfterSwitch.class);
    private static final Duration FIRST_PAUSE = Duration.ofSeconds(1);
    private static final Duration LONGEST_PAUSE = Duration.ofMinutes(1);
    /** A validation or a refresh blocks no writer while it waits; the creation of a key blocks all writers. */
    private static final String VALIDATION_WAITS = "10s";

    private static final String KEY_WAITS = "500ms";
    private static final String VALIDATION = "VALIDATION";

    private final Flow flow;
    private final Term term;
    private final Consumer<Observation> tell;
    private final Thread thread = Threads.named("wherry-after-switch").newThread(this::work);
    private final Set<String> refused = new HashSet<>();
    private final Set<String> leftOut = new HashSet<>();
    private volatile List<String> lines = List.of();
    private volatile String left = "";
    private volatile boolean done;
    private volatile boolean closing;
    private boolean started;
    private Fence.Plan fence;

    public AfterSwitch(Flow flow, Term term, Consumer<Observation> tell) {
        this.flow = flow;
        this.term = term;
        this.tell = tell;
    }

    /**
     * Starts the work, on the first call. Used by the coordinator's thread.
     *
     * @param closed the fence, which stays closed
     */
    public void begin(Fence.Plan closed) {
        if (!started) {
            started = true;
            fence = closed;
            thread.start();
        }
    }

    /** What is in progress, and what the target refused with its remedy. */
    public List<String> lines() {
        List<String> all = new ArrayList<>(lines);
        if (!left.isEmpty()) {
            all.add(left);
        }
        return all;
    }

    /** Whether all work has ended. */
    public boolean done() {
        return done;
    }

    private void work() {
        Backoff backoff = new Backoff(FIRST_PAUSE, LONGEST_PAUSE);
        // Beside the work, because Kafka may be away for a minute.
        Thread noting = Threads.named("wherry-last-seen").newThread(this::noteLastSeen);
        noting.start();
        tellLogins();
        try {
            while (!closing) {
                String waits = attempt();
                if (waits.isEmpty()) {
                    left = "the last values of the sequences are being noted in Kafka, for a rebuild";
                    noting.join();
                    left = "";
                    done = true;
                    tell.accept(new Observation.AfterwardsDone());
                    return;
                }
                long pause = backoff.next().toMillis();
                LOG.warn("Work after the cutover; Wherry tries again in {} ms: {}", pause, waits);
                left = "statements are still to run on the target; Wherry tries again: " + waits;
                TimeUnit.MILLISECONDS.sleep(pause);
            }
        } catch (InterruptedException e) {
            LOG.debug("ended before all statements had run", e);
        }
    }

    /** The source is fenced, so these are the values that the target was given. */
    private void noteLastSeen() {
        try (Connection source = Sessions.open(flow.migration(), flow.from(), "last seen");
                Connection target = Sessions.open(flow.migration(), flow.to(), "last seen")) {
            if (SchemaLog.exists(target)) {
                LastSeen seen = LastSeenReading.read(flow, source);
                // Not whole: a sequence that cannot be read keeps its earlier value.
                LastSeenNote.write(flow.migration(), seen.part(seen.sequences()));
            }
        } catch (SQLException | WherryException | KafkaException e) {
            LOG.warn(
                    "The last values of the sequences are not in Kafka, so a rebuild from the topics takes earlier ones: {}",
                    e.getMessage());
        }
    }

    private void tellLogins() {
        try {
            List<String> more = new ArrayList<>(lines);
            more.addAll(Logins.read(flow, fence));
            lines = List.copyOf(more);
        } catch (SQLException e) {
            LOG.warn("Cannot read which roles can log in to which side: {}", e.getMessage());
        }
    }

    /**
     * After a statement that must wait, only validations are run: they need no other statement. A key of a partitioned table needs its
     * partitions' valid keys, and a view the views that it reads.
     *
     * @return why Wherry must try again; empty = all work has ended
     */
    private String attempt() {
        String waits = "";
        try (Connection target = term.open("validate")) {
            if (Queries.maySetReplicationRole(target)) {
                // The application's event triggers have no part in this.
                Queries.execute(target, "SET session_replication_role = replica");
            }
            List<Ddl> pending = new ArrayList<>(DdlStore.pending(target, Stage.AFTER));
            leaveRefused(pending);
            // Applications cannot read a view before its refresh, and a validation may take hours.
            pending.sort(Comparator.comparing(ddl -> !isView(ddl)));
            target.setAutoCommit(false);
            while (!pending.isEmpty() && !closing) {
                Ddl next = pending.get(0);
                left = pending.size() + " statements are still to run on the target, now " + next.kind() + " "
                        + object(next)
                        + (isView(next)
                                ? "; until then nobody can read that view"
                                : "; applications can work meanwhile");
                try {
                    run(target, pending.remove(0));
                } catch (SQLException e) {
                    if (Sessions.state(e).matches("08.*|57P.*")) {
                        throw e;
                    }
                    waits = e.getMessage();
                    pending.removeIf(ddl -> !ddl.kind().equals(VALIDATION));
                }
                leaveRefused(pending);
            }
            return pending.isEmpty() ? waits : "the coordinator ends";
        } catch (SQLException e) {
            return e.getMessage();
        }
    }

    private void run(Connection target, Ddl ddl) throws SQLException {
        try {
            Queries.execute(target, "SET LOCAL lock_timeout = '" + (ofKey(ddl) ? KEY_WAITS : VALIDATION_WAITS) + "'");
            // Counterexample without the lock: a coordinator that has taken over creates the same key, and one of
            // the two fails.
            if (DdlStore.lockPending(target, ddl)) {
                if (isView(ddl) && MaterializedViews.isPopulated(target, ddl.name())) {
                    // An operator has refreshed it. Again would keep its readers waiting.
                    DdlStore.done(target, ddl, 0);
                } else {
                    DdlStore.run(target, ddl);
                }
            }
            target.commit();
        } catch (SQLException e) {
            target.rollback();
            // Connection lost, resources, session ended, lock not available, deadlock.
            // A refresh that was cancelled, or needs more disk than there is, would be no better the next time.
            boolean tooMuch = isView(ddl) && Sessions.state(e).matches("53.*|57014");
            if (Sessions.state(e).matches("08.*|53.*|57.*|55P03|40.*") && !tooMuch) {
                throw e;
            }
            refused.add(key(ddl));
            report(isView(ddl) ? viewRefused(ddl, e) : keyRefused(ddl, e));
        }
    }

    private static boolean isView(Ddl ddl) {
        return ddl.kind().equals(MaterializedViews.KIND);
    }

    private static String viewRefused(Ddl ddl, SQLException e) {
        return Sentence.of(
                "materialized view " + ddl.name() + ": has no rows yet, because the target refused to refresh it: "
                        + withoutRows(e),
                "Correct the cause, then on the target: REFRESH MATERIALIZED VIEW " + ddl.name());
    }

    private static String keyRefused(Ddl ddl, SQLException e) {
        return Sentence.of(
                "foreign key of " + object(ddl)
                        + ": the target checks new rows, but refused to validate the existing rows: "
                        + withoutRows(e),
                "Correct the rows, then on the target: " + statement(ddl));
    }

    private void leaveRefused(List<Ddl> pending) {
        pending.stream().filter(this::isRefused).forEach(this::leave);
        pending.removeIf(this::isRefused);
    }

    /** The key of a partitioned table is built from its partitions' keys. */
    private void leave(Ddl ddl) {
        if (ddl.kind().equals("FK CONSTRAINT") && !refused.contains(key(ddl)) && leftOut.add(key(ddl))) {
            report("foreign key of " + object(ddl)
                    + ": each partition has this key, but the partitioned table does not, because the key of one partition is"
                    + " not valid. Once all are valid, on the target: " + statement(ddl));
        }
    }

    private void report(String line) {
        LOG.warn("{}", line);
        List<String> more = new ArrayList<>(lines);
        more.add(line);
        lines = List.copyOf(more);
    }

    /** Includes statements that need another statement which was refused. */
    private boolean isRefused(Ddl ddl) {
        return refused.contains(key(ddl))
                || ofKey(ddl) && refused.stream().anyMatch(key -> key.endsWith(":" + ddl.name()));
    }

    private static boolean ofKey(Ddl ddl) {
        return !ddl.kind().equals(VALIDATION) && !isView(ddl);
    }

    private static String key(Ddl ddl) {
        return ddl.id() + ":" + ddl.name();
    }

    private static String object(Ddl ddl) {
        return ddl.table().map(Object::toString).orElse(ddl.name());
    }

    /** The error's detail contains values of rows, which a status must not show. */
    private static String withoutRows(SQLException failure) {
        ServerErrorMessage message = failure instanceof PSQLException e ? e.getServerErrorMessage() : null;
        return message == null ? failure.getMessage() : String.valueOf(message.getMessage());
    }

    /** The last statement of a script does the work; the statements before it are settings. */
    private static String statement(Ddl ddl) {
        String[] statements = ddl.sql().split(";\n");
        return statements[statements.length - 1].replaceAll("\\s+", " ");
    }

    @Override
    public void close() {
        closing = true;
        if (started) {
            // A statement in progress ends with its session; its own transaction marks it done.
            thread.interrupt();
        }
    }
}
