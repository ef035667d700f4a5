package io.wherry.coordinator.witness;

import io.wherry.coordinator.sql.Queries;
import java.sql.Connection;
import java.sql.SQLException;
import java.util.ArrayDeque;
import java.util.Arrays;
import java.util.Deque;
import java.util.Set;
import java.util.stream.Collectors;

/**
 * Transactions of the stream that other sessions may not see yet. The server sends a transaction once its COMMIT is in the log;
 * other sessions see it when it has left the list of running transactions, and with synchronous standbys that may be much later.
 * Counterexample: the witness names a key, the change is lost on its way to the target, and the key is compared before the source's
 * sessions see the change. Both sides show the old row, and the loss would count as equal.
 *
 * <p>Memory is bounded by the transactions between two looks and the sessions of the source. For one thread.
 */
final class Unseen {
    /** @param commit LSN where the COMMIT starts */
    private record Sent(int number, long commit) {}

    /** The list of running transactions, as {@code txid_current_snapshot()} shows it. */
    record Running(long end, Set<Long> numbers) {
        static Running read(Connection session) throws SQLException {
            String[] parts = Queries.string(session, "SELECT pg_catalog.txid_current_snapshot()::text")
                    .orElseThrow()
                    .split(":", -1);
            Set<Long> numbers = parts[2].isEmpty()
                    ? Set.of()
                    : Arrays.stream(parts[2].split(",")).map(Long::valueOf).collect(Collectors.toSet());
            return new Running(Long.parseLong(parts[1]), numbers);
        }

        /** @param number the lower half of a transaction's number, as the stream has it */
        boolean shows(int number) {
            // The transactions of the stream are less than half of the numbers away from the newest.
            int distance = number - (int) end;
            return distance < 0 && !numbers.contains(end + distance);
        }

        /**
         * Whether this snapshot shows every transaction that the other one shows. The other one is taken from the log, so it shows a
         * transaction from its COMMIT on, and the last number below its end belongs to a transaction that has ended.
         */
        boolean showsAllOf(Running log) {
            return end >= log.end
                    && numbers.stream().allMatch(number -> number >= log.end || log.numbers.contains(number));
        }
    }

    private final Deque<Sent> sent = new ArrayDeque<>();

    void add(int number, long commit) {
        sent.add(new Sent(number, commit));
    }

    boolean isEmpty() {
        return sent.isEmpty();
    }

    int size() {
        return sent.size();
    }

    /** Forgets the transactions that every statement sees from now on. */
    void look(Connection session) throws SQLException {
        Running running = Running.read(session);
        sent.removeIf(one -> running.shows(one.number()));
    }

    /** Everything whose COMMIT starts before this LSN is seen, if everything before {@code given} has been sent. */
    long seen(long given) {
        return sent.isEmpty() ? given : sent.peek().commit();
    }
}
