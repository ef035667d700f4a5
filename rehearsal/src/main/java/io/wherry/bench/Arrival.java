package io.wherry.bench;

import io.wherry.coordinator.sql.Queries;
import java.sql.Connection;
import java.sql.SQLException;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;

/**
 * Waits for a backlog at the target, the same way for ours and for the peer.
 *
 * @param startSeconds from the start of whatever applies the backlog until its first change was there
 * @param seconds from then until the last change was there
 * @param cpu used in these seconds
 */
record Arrival(double startSeconds, double seconds, Cpu.Used cpu) {
    private static final Duration LIMIT = Duration.ofHours(2);
    private static final long POLL_MILLIS = 10;

    /** Whether the work still goes on; throws when it has failed. */
    interface Check {
        void running() throws Exception;
    }

    /** @param begunNanos when whatever applies the backlog was started */
    static Arrival await(Connection target, Workload workload, Cpu cpu, long begunNanos, Check check) throws Exception {
        return await(target, workload, cpu, begunNanos, check, () -> {});
    }

    /** @param atFirst runs when the first change is there, and counts with the time */
    static Arrival await(Connection target, Workload workload, Cpu cpu, long begunNanos, Check check, Runnable atFirst)
            throws Exception {
        List<String> tables = workload.tables();
        Waits.until("the first change", LIMIT, POLL_MILLIS, () -> {
            check.running();
            return any(target, tables);
        });
        Cpu.Used before = cpu.now();
        long first = System.nanoTime();
        atFirst.run();
        List<String> left = new ArrayList<>(tables);
        Waits.until("the last change", LIMIT, POLL_MILLIS, () -> {
            check.running();
            while (!left.isEmpty() && has(target, left.get(0), Workload.LAST)) {
                left.remove(0);
            }
            return left.isEmpty();
        });
        long last = System.nanoTime();
        return new Arrival(
                (first - begunNanos) / 1e9, (last - first) / 1e9, cpu.now().since(before));
    }

    private static boolean any(Connection target, List<String> tables) throws SQLException {
        for (String table : tables) {
            if (has(target, table, Workload.FIRST)) {
                return true;
            }
        }
        return false;
    }

    private static boolean has(Connection target, String table, int id) throws SQLException {
        return Queries.truth(target, "SELECT EXISTS (SELECT FROM " + table + " WHERE id = " + id + ")");
    }
}
