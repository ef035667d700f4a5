package io.wherry.bench;

import io.wherry.coordinator.sql.Queries;
import io.wherry.rehearsal.Waits;
import java.sql.Connection;
import java.sql.SQLException;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;

/**
 * How a backlog came to the target, seen in the same way for ours and for the peer.
 *
 * @param startSeconds from the start of whatever applies the backlog until its first change was there
 * @param sinceSlot from the moment at which a process read the slot until the last change was there, s
 * @param seconds from the first change until the last change was there
 * @param cpu used in {@code seconds}
 */
record Arrival(double startSeconds, double sinceSlot, double seconds, Cpu.Used cpu) {
    private static final Duration LIMIT = Duration.ofHours(2);
    private static final long POLL_MILLIS = 10;

    /** Whether the work still goes on; throws when it has failed. */
    interface Check {
        void running() throws Exception;
    }

    /**
     * Where the backlog waits and where it arrives.
     *
     * @param slot on the source
     */
    record Place(Connection source, String slot, Connection target, Workload workload) {
        private boolean slotIsRead() throws SQLException {
            return Queries.truth(
                    source, "SELECT EXISTS (SELECT FROM pg_replication_slots WHERE active AND slot_name = ?)", slot);
        }

        private boolean any() throws SQLException {
            for (String table : workload.tables()) {
                if (has(table, Workload.FIRST)) {
                    return true;
                }
            }
            return false;
        }

        private boolean has(String table, int id) throws SQLException {
            return Queries.truth(target, "SELECT EXISTS (SELECT FROM " + table + " WHERE id = " + id + ")");
        }
    }

    /**
     * Waits for the last change.
     *
     * @param begunNanos when whatever applies the backlog was started
     * @param atFirst runs when the first change is there
     */
    static Arrival await(Place place, Cpu cpu, long begunNanos, Check check, Runnable atFirst) throws Exception {
        Waits.until("a reader of the slot", LIMIT, POLL_MILLIS, () -> {
            check.running();
            return place.slotIsRead() || place.any();
        });
        long read = System.nanoTime();
        Waits.until("the first change", LIMIT, POLL_MILLIS, () -> {
            check.running();
            return place.any();
        });
        Cpu.Used before = cpu.now();
        long first = System.nanoTime();
        atFirst.run();
        List<String> left = new ArrayList<>(place.workload().tables());
        Waits.until("the last change", LIMIT, POLL_MILLIS, () -> {
            check.running();
            while (!left.isEmpty() && place.has(left.get(0), Workload.LAST)) {
                left.remove(0);
            }
            return left.isEmpty();
        });
        long last = System.nanoTime();
        return new Arrival(
                (first - begunNanos) / 1e9,
                (last - read) / 1e9,
                (last - first) / 1e9,
                cpu.now().since(before));
    }
}
