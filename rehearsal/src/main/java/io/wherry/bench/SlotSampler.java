package io.wherry.bench;

import io.wherry.coordinator.sql.Queries;
import java.sql.Connection;
import java.sql.SQLException;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;

/** Watches slots on a thread of its own: what their wal senders take, and how much of the log they keep at most. */
final class SlotSampler implements AutoCloseable {
    private static final long PERIOD_MILLIS = 100;

    private final Connection source;
    private final List<String> slots;
    private final Map<String, Seen> seen = new HashMap<>();
    private final Thread thread = new Thread(this::sample, "bench-slots");
    private volatile boolean ended;
    private SQLException failure;

    /**
     * One slot.
     *
     * @param first CPU seconds of its wal sender at the first look
     * @param last and at the last look
     * @param mostRetained bytes of log
     */
    record Seen(long pid, double first, double last, long mostRetained) {
        double cpuSeconds() {
            return last - first;
        }
    }

    private record Row(String slot, long pid, long retained) {}

    /** @param source a session for this object alone, which it closes */
    SlotSampler(Connection source, List<String> slots) {
        this.source = source;
        this.slots = slots;
        thread.setDaemon(true);
        thread.start();
    }

    private void sample() {
        try {
            while (!ended) {
                look();
                Thread.sleep(PERIOD_MILLIS);
            }
            look();
        } catch (SQLException e) {
            failure = e;
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
        }
    }

    private void look() throws SQLException {
        List<Row> rows = Queries.list(
                source,
                row -> new Row(row.getString(1), row.getLong(2), row.getLong(3)),
                "SELECT slot_name, active_pid, pg_wal_lsn_diff(pg_current_wal_lsn(), restart_lsn)::bigint"
                        + " FROM pg_replication_slots WHERE active AND slot_name = ANY (?)",
                (Object) slots.toArray(String[]::new));
        for (Row row : rows) {
            double cpu = Cpu.ofProcess(row.pid()).orElse(0.0);
            seen.merge(
                    row.slot(),
                    new Seen(row.pid(), cpu, cpu, row.retained()),
                    // Another process begins at 0, and what the one before took is not known to its end: the lesser
                    // error.
                    (before, now) -> new Seen(
                            now.pid(),
                            before.pid() == now.pid() ? before.first() : before.first() - before.last(),
                            now.last(),
                            Math.max(before.mostRetained(), now.mostRetained())));
        }
    }

    /**
     * Ends the watch.
     *
     * @return what was seen of the slot; empty when no process read it
     * @throws SQLException when the source has failed
     */
    Optional<Seen> of(String slot) throws SQLException, InterruptedException {
        ended = true;
        thread.join();
        if (failure != null) {
            throw failure;
        }
        return Optional.ofNullable(seen.get(slot));
    }

    @Override
    public void close() throws SQLException {
        ended = true;
        source.close();
    }
}
