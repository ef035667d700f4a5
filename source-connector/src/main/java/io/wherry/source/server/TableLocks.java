package io.wherry.source.server;

import io.wherry.contract.error.DataException;
import io.wherry.contract.error.RetryableException;
import io.wherry.contract.name.TableId;
import io.wherry.contract.service.Backoff;
import io.wherry.contract.service.Interruption;
import java.sql.Connection;
import java.sql.SQLException;
import java.sql.Savepoint;
import java.sql.Statement;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.TreeMap;
import java.util.concurrent.ConcurrentHashMap;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Changes of the source that need locks on tables in use. A waiting lock request blocks every later one, also the inserts of
 * applications. So no request waits for longer than {@link #WAIT_MILLIS}, a table that an old transaction uses is not locked at all,
 * and the pauses between two attempts grow to a minute. The holder of the lock is reported. Safe for use by several threads, each
 * with its own session.
 */
public final class TableLocks {
    static final int WAIT_MILLIS = 100;

    private static final Logger LOG = LoggerFactory.getLogger(TableLocks.class);
    private static final Duration FIRST_PAUSE = Duration.ofSeconds(1);
    private static final Duration LONGEST_PAUSE = Duration.ofMinutes(1);
    private static final long BETWEEN_MILLIS = 500;

    /** The lock is not available, a deadlock was found, or another session has changed the same row of the catalog. */
    private static final Set<String> NOT_NOW = Set.of("55P03", "40P01", "40001");

    private static final String INTERNAL = "XX000";
    /** The table does not exist, or is not part of the publication because it was re-created under its name. */
    private static final Set<String> GONE = Set.of("42P01", "42704", "3F000");

    /** What the lock conflicts with. */
    public enum Lock {
        /** Every other lock: ALTER TABLE … REPLICA IDENTITY. */
        EXCLUSIVE,
        /** VACUUM and DDL, but neither readers nor writers. */
        SHARED
    }

    /** Statements of one transaction. */
    public interface Change {
        void make(Statement statement) throws SQLException;
    }

    private record Waiting(
            String what, TableId table, Lock lock, long nextNanos, Backoff pauses, Optional<Holder> holder) {
        boolean isDue() {
            return (holder.isEmpty() || !holder.get().isOld() || holder.get().isVacuum())
                    && System.nanoTime() - nextNanos >= 0;
        }

        Waiting heldBy(Optional<Holder> now) {
            return new Waiting(what, table, lock, nextNanos, pauses, now);
        }

        Waiting failed() {
            return new Waiting(
                    what, table, lock, System.nanoTime() + pauses.next().toNanos(), pauses, holder);
        }

        String text() {
            return what + " of " + table + " waits for a lock of the table"
                    + holder.map(one -> ", which has " + one.text())
                            .orElse(" that other sessions take again and again; Wherry retries within a minute");
        }
    }

    /** The pauses between attempts to get one lock. */
    static Backoff pauses() {
        return new Backoff(FIRST_PAUSE, LONGEST_PAUSE);
    }

    private final Map<TableId, Waiting> waiting = new ConcurrentHashMap<>();
    private volatile String transaction;

    /** Whether a change waits for a lock on the table, and must not be tried now. */
    public boolean rests(TableId table) {
        Waiting one = waiting.get(table);
        return one != null && !one.isDue();
    }

    /** What waits, in words; always in the same order. */
    public List<String> lines() {
        List<String> lines = new ArrayList<>();
        new TreeMap<>(waiting).values().forEach(one -> lines.add(one.text()));
        Optional.ofNullable(transaction).ifPresent(lines::add);
        return lines;
    }

    /** Reports that Wherry also waits for a transaction, whatever its tables; null = no longer. */
    void waitsToo(String line) {
        transaction = line;
    }

    /** Reads again which sessions hold the locks that are waited for. */
    public void look(Connection source) throws SQLException {
        for (Waiting one : waiting.values()) {
            if (!LockHolders.exists(source, one.table())) {
                waiting.remove(one.table());
                continue;
            }
            Optional<Holder> holder = LockHolders.of(source, one.table(), one.lock() == Lock.EXCLUSIVE);
            waiting.computeIfPresent(one.table(), (table, now) -> now.heldBy(holder));
        }
    }

    /**
     * Tries once, unless an old transaction uses the table or a pause is not over.
     *
     * @param source in auto-commit mode
     * @param what the change, such as {@code REPLICA IDENTITY FULL}
     * @return whether the change is done
     * @throws RetryableException when the table is gone
     * @throws DataException when the source refuses the change
     */
    public boolean attempt(Connection source, String what, TableId table, Lock lock, Change change)
            throws SQLException {
        Optional<Holder> holder = LockHolders.of(source, table, lock == Lock.EXCLUSIVE);
        Waiting before =
                waiting.getOrDefault(table, new Waiting(what, table, lock, System.nanoTime(), pauses(), holder));
        Waiting now = before.heldBy(holder);
        if (!now.isDue()) {
            wait(now, waiting.containsKey(table));
            return false;
        }
        boolean vacuum = holder.isPresent() && holder.get().isVacuum();
        if (make(source, table.toString(), vacuum ? table : null, change)) {
            waiting.remove(table);
            return true;
        }
        wait(now.failed().heldBy(LockHolders.of(source, table, lock == Lock.EXCLUSIVE)), waiting.containsKey(table));
        return false;
    }

    /** Tries a change of several tables once; a failure is not reported. */
    boolean attemptAll(Connection source, String object, Change change) throws SQLException {
        return make(source, object, null, change);
    }

    /** Waits between two attempts at a change of several tables. */
    static void pause(String operation) {
        try {
            Thread.sleep(BETWEEN_MILLIS);
        } catch (InterruptedException e) {
            throw Interruption.during(operation, e);
        }
    }

    private void wait(Waiting one, boolean known) {
        waiting.put(one.table(), one);
        if (!known) {
            LOG.info("{}", one.text());
        }
    }

    private static boolean make(Connection source, String object, TableId vacuumed, Change change) throws SQLException {
        source.setAutoCommit(false);
        try (Statement statement = source.createStatement()) {
            if (vacuumed != null) {
                endVacuum(source, statement, vacuumed);
            }
            statement.execute("SET LOCAL lock_timeout = " + WAIT_MILLIS);
            change.make(statement);
            source.commit();
            return true;
        } catch (SQLException e) {
            String state = String.valueOf(e.getSQLState());
            if (GONE.contains(state)) {
                throw new RetryableException("prepare", object, e.getMessage(), "", e);
            }
            if (NOT_NOW.contains(state)
                    || state.equals(INTERNAL) && String.valueOf(e.getMessage()).contains("concurrently")) {
                return false;
            }
            if (state.startsWith("08") || state.startsWith("57")) {
                throw e;
            }
            throw new DataException("prepare", object, e.getMessage(), "Check the role's rights on the source", e);
        } finally {
            rollback(source);
        }
    }

    private static void rollback(Connection source) throws SQLException {
        if (!source.isClosed()) {
            source.rollback();
            source.setAutoCommit(true);
        }
    }

    /** Waits until the server has ended the vacuum, with a lock request that blocks neither readers nor writers. */
    private static void endVacuum(Connection source, Statement statement, TableId table) throws SQLException {
        Savepoint before = source.setSavepoint();
        try {
            statement.execute("SELECT set_config('lock_timeout', (setting::bigint + 1000)::text, true)"
                    + " FROM pg_settings WHERE name = 'deadlock_timeout'");
            statement.execute("LOCK TABLE ONLY " + table.quoted() + " IN SHARE UPDATE EXCLUSIVE MODE");
        } catch (SQLException e) {
            // The server does not end a vacuum that prevents wraparound. Then Wherry waits for its end.
            LOG.debug("{}: {}", table, e.getMessage());
            source.rollback(before);
        }
    }
}
