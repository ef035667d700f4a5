package io.wherry.coordinator.follow;

import io.wherry.contract.config.Flow;
import io.wherry.contract.config.Migration;
import io.wherry.contract.error.WherryException;
import io.wherry.contract.postgres.Lsn;
import io.wherry.contract.record.SchemaEvent;
import io.wherry.contract.record.SchemaLog;
import io.wherry.coordinator.dump.PostgresTools;
import io.wherry.coordinator.schema.SchemaAdditions.Addition;
import io.wherry.coordinator.schema.SchemaCopy;
import io.wherry.coordinator.schema.SchemaDrift;
import io.wherry.coordinator.sql.Term;
import io.wherry.coordinator.thread.Threads;
import io.wherry.coordinator.watch.Observation;
import io.wherry.coordinator.watch.Observation.Followed;
import java.sql.Connection;
import java.sql.SQLException;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeSet;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.function.Consumer;
import java.util.stream.Collectors;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Brings to the target what DDL on the source has added since the schema was copied, if {@code target.schema} is {@code create}:
 * tables, and those parts of tables that do not come with their rows. The coordinator's thread calls all methods but {@link
 * #close}.
 */
public final class SchemaFollower implements AutoCloseable {
    private static final Logger LOG = LoggerFactory.getLogger(SchemaFollower.class);
    public static final String TABLES = "tables and sequences that are new on the source";
    static final String EXTENSION_ROWS = "rows of extensions";
    private static final String DEFERRED = "foreign keys, triggers, rules and policies";
    private static final long AFTER_FAILURE_NANOS = 30_000_000_000L;

    private final Flow flow;
    private final Term term;
    /** Whether Wherry owns the schema of the target. Otherwise differences are only reported. */
    private final boolean owned;

    private final Consumer<Observation> tell;
    private final ExecutorService worker = Executors.newSingleThreadExecutor(Threads.named("wherry-schema"));
    /** Each object with the end of the source's log when the object was first seen. */
    private final Map<String, Lsn> firstSeen = new HashMap<>();
    /** Each object with the target's error message. */
    private final Map<String, String> problems = new HashMap<>();

    private final Map<String, Long> failedNanos = new HashMap<>();
    /** Each object with the definition that was given to the target. */
    private final Map<String, String> done = new ConcurrentHashMap<>();

    private final Set<String> running = new HashSet<>();

    /** How much of the first dump's indexes and constraints of tables and their parents is built. */
    public enum Extent {
        /** Not yet everything that can be built. */
        SOME,
        /** All tables except those whose load has stopped; parents wait for these. */
        OTHERS,
        /** Everything. */
        ALL
    }

    public SchemaFollower(Flow flow, Term term, Consumer<Observation> tell) {
        this.flow = flow;
        this.term = term;
        this.owned = flow.migration().schema() == Migration.TargetSchemaMode.CREATE;
        this.tell = tell;
    }

    /**
     * Starts the work that may be done now.
     *
     * <p>DDL that can reject rows (a constraint, the bounds of a partition) waits until everything from before the DDL is applied.
     * Counterexample: rows with {@code v < 0} are made positive, then {@code CHECK (v > 0)} is added. If the target got the check
     * before such a row arrives, the check would reject a row that was once valid.
     *
     * @param applied everything up to here is on the target
     * @param others the same, except changes of stopped tables: DDL that concerns one other table alone does not wait for these
     * @param built how much of the first dump is built
     */
    public void offer(SchemaDrift drift, Lsn applied, Observation.AppliedToOthers others, Extent built) {
        List<Addition> additions = drift.additions().stream()
                .filter(addition -> !inOtherWords(addition))
                .toList();
        Set<String> objects = additions.stream().map(Addition::object).collect(Collectors.toSet());
        if (!drift.fresh().isEmpty()) {
            objects.add(TABLES);
        }
        if (drift.deferred()) {
            objects.add(DEFERRED);
        }
        // Rows that could not be brought to the target are named. Rows that keep changing must not block the
        // cutover, which brings the last state.
        if (!drift.extensionRows().isEmpty() && problems.containsKey(EXTENSION_ROWS)) {
            objects.add(EXTENSION_ROWS);
        }
        firstSeen.keySet().retainAll(objects);
        problems.keySet().retainAll(objects);
        failedNanos.keySet().retainAll(objects);
        objects.forEach(object -> firstSeen.putIfAbsent(object, drift.asOf()));
        if (!running.isEmpty()) {
            return;
        }
        if (!drift.extensionRows().isEmpty() && due(EXTENSION_ROWS)) {
            begin(EXTENSION_ROWS, target -> new SchemaCopy(flow, tools()).extensionRows(target));
        }
        if (!owned) {
            return;
        }
        if (!drift.fresh().isEmpty() && due(TABLES)) {
            begin(TABLES, target -> new SchemaCopy(flow, tools()).add(target, drift.fresh(), drift.asOf()));
        }
        if (built == Extent.SOME) {
            return;
        }
        boolean all = built == Extent.ALL;
        if (all && drift.deferred() && due(DEFERRED)) {
            begin(DEFERRED, target -> new SchemaCopy(flow, tools()).refreshDeferred(target, drift.asOf()));
        }
        additions.stream()
                .filter(addition -> due(addition.object()) && (all || addition.alone() != null))
                .filter(addition ->
                        addition.mayRun(firstSeen.get(addition.object()), applied, others.lsn(), others.stopped()))
                .forEach(addition -> {
                    Lsn seen = firstSeen.get(addition.object());
                    begin(addition.object(), target -> follow(target, addition, seen));
                });
    }

    private void follow(Connection target, Addition addition, Lsn seen) throws SQLException {
        addition.run(target);
        SchemaLog.append(
                target,
                SchemaEvent.followed(
                        flow.generation(),
                        seen,
                        addition.object(),
                        addition.table(),
                        addition.sql(),
                        addition.relaxes()));
        done.put(addition.object(), addition.definition());
    }

    /** What is done on the target. */
    private interface Work {
        void run(Connection target) throws SQLException;
    }

    /** A default that was given to the target in the source's words, and that the target prints in other words. */
    private boolean inOtherWords(Addition addition) {
        return addition.object().startsWith("default ") && addition.definition().equals(done.get(addition.object()));
    }

    private boolean due(String object) {
        Long failed = failedNanos.get(object);
        return failed == null || System.nanoTime() - failed > AFTER_FAILURE_NANOS;
    }

    private PostgresTools tools() throws SQLException {
        return SchemaCopy.tools(flow);
    }

    private void begin(String object, Work work) {
        running.add(object);
        worker.execute(() -> {
            String problem = null;
            try (Connection target = term.open("schema")) {
                target.setAutoCommit(false);
                work.run(target);
                target.commit();
                LOG.info("Followed the source: {}", object);
            } catch (SQLException e) {
                problem = e.getMessage();
            } catch (WherryException e) {
                problem = e.explained();
            } catch (RuntimeException e) {
                // Without a report, the cutover would wait forever.
                LOG.error("Following {}", object, e);
                problem = e.toString();
            }
            tell.accept(new Followed(object, problem));
        });
    }

    public void ended(Followed followed) {
        running.remove(followed.object());
        if (followed.problem() == null) {
            problems.remove(followed.object());
        } else {
            if (!followed.problem().equals(problems.put(followed.object(), followed.problem()))) {
                LOG.warn("{} could not be brought to the target: {}", followed.object(), followed.problem());
            }
            failedNanos.put(followed.object(), System.nanoTime());
        }
    }

    /** What is in progress, or has failed and why, one line each. */
    public List<String> pending() {
        // Running work may have reached the target already, so that the comparison no longer lists it.
        Set<String> objects = new TreeSet<>(running);
        objects.remove(EXTENSION_ROWS);
        objects.addAll(firstSeen.keySet());
        return objects.stream().map(this::pending).toList();
    }

    private String pending(String object) {
        if (object.equals(EXTENSION_ROWS)) {
            return object + " could not be brought to the target: " + problems.get(object);
        }
        if (!owned) {
            return object + ": the target differs from the source; change the target, or leave it";
        }
        String problem = problems.get(object);
        return problem == null
                ? object + ": to be brought to the target"
                : object + ": the target differs from the source, and refused the change: " + problem
                        + "; make the change of the source on the target by hand";
    }

    /**
     * Whether a cutover may start: everything was at least tried. The operator decides about what the target refuses, but what
     * waits for the switch must be known.
     */
    public boolean settled() {
        return !problems.containsKey(EXTENSION_ROWS) && (!owned || schemaSettled());
    }

    private boolean schemaSettled() {
        return running.stream().allMatch(EXTENSION_ROWS::equals)
                && problems.keySet().containsAll(firstSeen.keySet())
                && !problems.containsKey(DEFERRED);
    }

    @Override
    public void close() {
        Threads.end(worker);
    }
}
