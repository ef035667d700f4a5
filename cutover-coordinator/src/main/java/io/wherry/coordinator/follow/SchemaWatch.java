package io.wherry.coordinator.follow;

import io.wherry.contract.config.Flow;
import io.wherry.contract.config.Migration;
import io.wherry.contract.error.WherryException;
import io.wherry.contract.postgres.Sessions;
import io.wherry.coordinator.dump.PostgresTools;
import io.wherry.coordinator.schema.SchemaCompare;
import io.wherry.coordinator.schema.SchemaCopy;
import io.wherry.coordinator.sql.Queries;
import io.wherry.coordinator.thread.MonotonicClock;
import io.wherry.coordinator.thread.Threads;
import io.wherry.coordinator.watch.Observation;
import java.sql.Connection;
import java.sql.SQLException;
import java.util.ArrayDeque;
import java.util.List;
import java.util.Queue;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.function.Consumer;
import java.util.stream.Collectors;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Reports what {@link SchemaFollower} does not follow, if {@code target.schema} is {@code create}: functions, views, types and
 * rights that changed on the source since the schema was copied, and what was dropped there. Dumps are compared only after the
 * catalogs of one side have changed. The coordinator's thread calls all methods but {@link #close}.
 */
public final class SchemaWatch implements AutoCloseable {
    private static final Logger LOG = LoggerFactory.getLogger(SchemaWatch.class);
    /** So that an operator who cuts over at once does not wait for a comparison. */
    private static final long QUIET_MILLIS = 10_000;

    /** Statements that the status shows; the log has all. */
    private static final int SHOWN = 20;

    private static final long PAUSE_MILLIS = 10_000;
    private static final long AFTER_FAILURE_MILLIS = 300_000;
    /** So that dumps take at most a twentieth of the time, for any number of tables. */
    private static final long SHARE = 20;

    // Rows of these catalogs get a new xmin with each alteration. Of pg_class and pg_attribute, only columns that
    // statistics, TRUNCATE and VACUUM do not change.
    private static final String FINGERPRINT = """
            SELECT md5(string_agg(line, ',' ORDER BY line)) FROM (
              SELECT concat_ws(' ', tableoid, oid, xmin) FROM pg_proc WHERE oid >= 16384
              UNION ALL SELECT concat_ws(' ', t.tableoid, t.oid, t.xmin) FROM pg_type t JOIN pg_namespace n ON n.oid = typnamespace
                         WHERE t.oid >= 16384 AND nspname !~ '^pg_(toast_)?temp_'
              UNION ALL SELECT concat_ws(' ', tableoid, oid, xmin) FROM pg_enum
              UNION ALL SELECT concat_ws(' ', tableoid, oid, xmin) FROM pg_rewrite WHERE oid >= 16384
              UNION ALL SELECT concat_ws(' ', tableoid, oid, xmin) FROM pg_namespace WHERE nspname !~ '^pg_(toast_)?temp_'
              UNION ALL SELECT concat_ws(' ', tableoid, oid, xmin) FROM pg_operator WHERE oid >= 16384
              UNION ALL SELECT concat_ws(' ', tableoid, oid, xmin) FROM pg_collation WHERE oid >= 16384
              UNION ALL SELECT concat_ws(' ', tableoid, oid, xmin) FROM pg_cast WHERE oid >= 16384
              UNION ALL SELECT concat_ws(' ', tableoid, oid, xmin) FROM pg_default_acl
              UNION ALL SELECT concat_ws(' ', tableoid, oid, xmin) FROM pg_ts_config WHERE oid >= 16384
              UNION ALL SELECT concat_ws(' ', tableoid, oid, xmin) FROM pg_ts_dict WHERE oid >= 16384
              UNION ALL SELECT concat_ws(' ', tableoid, oid, xmin) FROM pg_extension
              UNION ALL SELECT concat_ws(' ', tableoid, oid, xmin) FROM pg_foreign_server
              UNION ALL SELECT concat_ws(' ', tableoid, oid, xmin) FROM pg_statistic_ext
              UNION ALL SELECT concat_ws(' ', tableoid, oid, xmin) FROM pg_language
              UNION ALL SELECT concat_ws(' ', tableoid, oid, xmin) FROM pg_opclass WHERE oid >= 16384
              UNION ALL SELECT concat_ws(' ', tableoid, objoid, classoid, objsubid, xmin) FROM pg_description WHERE objoid >= 16384
              UNION ALL SELECT concat_ws(' ', c.oid, relname, relnamespace, relowner, relacl, reloptions) FROM pg_class c
                         WHERE c.oid >= 16384 AND relpersistence <> 't'
              UNION ALL SELECT concat_ws(' ', attrelid, attnum, attname, attacl, attstattarget, attstorage, attoptions)
                          FROM pg_attribute JOIN pg_class c ON c.oid = attrelid
                         WHERE attrelid >= 16384 AND relpersistence <> 't'
              UNION ALL SELECT concat_ws(' ', tableoid, oid, conname, convalidated) FROM pg_constraint WHERE oid >= 16384
            ) AS catalogs (line)
            """;

    private final Flow flow;
    private final Consumer<Observation> tell;
    private final ExecutorService worker = Executors.newSingleThreadExecutor(Threads.named("wherry-schema-watch"));
    private List<String> differences = List.of();
    private final Queue<Runnable> waiting = new ArrayDeque<>();
    private String problem;
    private boolean comparing;
    private long dueMillis = Long.MAX_VALUE;
    /** Fingerprints of both sides at the last comparison. Used by the worker only. */
    private String compared = "";

    public SchemaWatch(Flow flow, Consumer<Observation> tell) {
        this.flow = flow;
        this.tell = tell;
    }

    /**
     * Compares when a comparison is due.
     *
     * @param settled whether the schema is followed so far, and no cutover is in progress
     * @param nowMillis by {@link MonotonicClock}
     */
    public void offer(boolean settled, long nowMillis) {
        if (!settled || flow.migration().schema() != Migration.TargetSchemaMode.CREATE) {
            dueMillis = Long.MAX_VALUE;
        } else if (dueMillis == Long.MAX_VALUE) {
            dueMillis = nowMillis + QUIET_MILLIS;
        } else if (nowMillis >= dueMillis && !comparing) {
            comparing = true;
            worker.execute(this::compare);
        }
    }

    private void compare() {
        long started = MonotonicClock.millis();
        List<String> lines = null;
        String problem = null;
        try {
            String now = fingerprints();
            if (!now.equals(compared)) {
                lines = read(flow).notFollowed();
                compared = now;
            }
        } catch (SQLException | WherryException e) {
            problem = e.getMessage();
        } catch (RuntimeException e) {
            // Without a report, a cutover would wait forever.
            LOG.error("Comparing the schemas", e);
            problem = e.toString();
        }
        tell.accept(new Observation.SchemasCompared(lines, problem, MonotonicClock.millis() - started));
    }

    private String fingerprints() throws SQLException {
        try (Connection source = Sessions.open(flow.migration(), flow.from(), "schema watch");
                Connection target = Sessions.open(flow.migration(), flow.to(), "schema watch")) {
            return Queries.string(source, FINGERPRINT).orElse("")
                    + Queries.string(target, FINGERPRINT).orElse("");
        }
    }

    /** Compares both sides now, for seconds. */
    public static SchemaCompare.Result read(Flow flow) throws SQLException {
        return new SchemaCompare(flow, PostgresTools.locate(SchemaCopy.toolsVersion(flow))).run();
    }

    public void ended(Observation.SchemasCompared found) {
        comparing = false;
        problem = found.problem();
        if (problem != null) {
            LOG.warn("The schemas could not be compared; Wherry tries again: {}", problem);
        }
        if (dueMillis != Long.MAX_VALUE) {
            long pause = problem == null ? PAUSE_MILLIS : AFTER_FAILURE_MILLIS;
            dueMillis = MonotonicClock.millis() + Math.max(pause, SHARE * found.tookMillis());
        }
        if (found.differences() != null && !found.differences().equals(differences)) {
            differences = found.differences();
            differences.forEach(line -> LOG.warn("Not followed: {}", line));
        }
        while (!waiting.isEmpty()) {
            waiting.remove().run();
        }
    }

    /** Whether a comparison runs. */
    public boolean comparing() {
        return comparing;
    }

    /**
     * Runs the action once the present comparison has ended. A cutover waits for that: a dump locks tables for seconds that the
     * cutover will alter, and in the window the applications would wait as long.
     */
    public void afterwards(Runnable action) {
        waiting.add(action);
    }

    /** What the cutover would not bring, one line for all; empty = nothing is known. */
    public List<String> pending() {
        if (problem != null) {
            return List.of("functions, views, types and rights could not be compared with the source: " + problem);
        }
        return differences.isEmpty()
                ? List.of()
                : List.of("not followed; make these changes on the target, or leave them (wherry verify --schema): "
                        + differences.stream().limit(SHOWN).collect(Collectors.joining("; "))
                        + (differences.size() > SHOWN ? "; and " + (differences.size() - SHOWN) + " more" : ""));
    }

    @Override
    public void close() {
        Threads.end(worker);
    }
}
