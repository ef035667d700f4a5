package io.wherry.coordinator.proof;

import io.wherry.contract.name.TableId;
import io.wherry.contract.postgres.Lsn;
import io.wherry.contract.record.RepairSecret;
import io.wherry.coordinator.recheck.Difference;
import io.wherry.coordinator.thread.MonotonicClock;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeMap;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/** The rows whose repair the operator has ordered, and how far each is. Safe for use by several threads. */
final class RepairBook {
    private static final Logger LOG = LoggerFactory.getLogger(RepairBook.class);
    /** Rows of one transaction, which keeps them locked. */
    private static final int BATCH = 50;

    private static final long PAUSE_MILLIS = 200;
    private static final long LOCKED_MILLIS = 60_000;

    private final Map<TableId, Map<List<String>, Entry>> ordered = new TreeMap<>();
    private RepairSecret secret;

    /** How far the repair of a row is. */
    enum State {
        /** The row is yet to be sent. */
        WAITING,
        /** The row is in the stream, and is yet to be found equal. */
        SENT,
        /** After the repair both sides were equal, at least in the columns that differed. */
        EQUAL,
        /** Both sides differ after the repair. */
        DIFFERS,
        /** The row changes too often to be compared outside the window. */
        CHANGES,
        /** The row cannot be repaired. */
        REFUSED
    }

    /** @param why the row is refused; otherwise empty */
    record Status(TableId table, List<String> key, State state, String why) {}

    /**
     * A row whose message the target has applied.
     *
     * @param columns that differed before the repair
     * @param millis since this was first seen
     */
    record Arrived(List<String> key, List<String> columns, long millis) {}

    private static final class Entry {
        private final List<String> columns;
        private State state = State.WAITING;
        private String why = "";
        /** The row could not be sent together with others. */
        private boolean alone;
        /** When the row could not be sent alone for the first time; null = not tried alone yet. */
        private Long triedMillis;

        private long notBefore;
        private Lsn sent = Lsn.ZERO;
        private Long arrivedMillis;

        private Entry(List<String> columns) {
            this.columns = columns;
        }

        private boolean isDecided() {
            return state != State.WAITING && state != State.SENT;
        }
    }

    /** Takes an order. What became of rows of earlier orders is forgotten. */
    synchronized void order(List<Difference> rows, RepairSecret proves) {
        secret = proves;
        ordered.values().forEach(of -> of.values().removeIf(Entry::isDecided));
        for (Difference row : rows) {
            ordered.computeIfAbsent(row.table(), id -> new LinkedHashMap<>()).put(row.key(), new Entry(row.columns()));
        }
    }

    /** Proves the messages of the last order. */
    synchronized RepairSecret secret() {
        return secret;
    }

    /** How far each row is, by table. */
    synchronized List<Status> status() {
        List<Status> all = new ArrayList<>();
        ordered.forEach(
                (table, of) -> of.forEach((key, entry) -> all.add(new Status(table, key, entry.state, entry.why))));
        return all;
    }

    /** The tables with a row in this state. */
    synchronized Set<TableId> tables(State state) {
        Map<TableId, Map<List<String>, Entry>> some = new TreeMap<>(ordered);
        some.values().removeIf(of -> of.values().stream().noneMatch(entry -> entry.state == state));
        return some.keySet();
    }

    /** Rows to send now. Rows that could not be locked together come one by one, the one that has waited longest first. */
    synchronized List<List<String>> next(TableId id) {
        long now = MonotonicClock.millis();
        List<List<String>> next = new ArrayList<>();
        Map.Entry<List<String>, Entry> again = null;
        for (Map.Entry<List<String>, Entry> each : ordered.get(id).entrySet()) {
            Entry entry = each.getValue();
            if (entry.state == State.WAITING && entry.notBefore <= now && next.size() < BATCH) {
                if (!entry.alone) {
                    next.add(each.getKey());
                } else if (again == null || entry.notBefore < again.getValue().notBefore) {
                    again = each;
                }
            }
        }
        return next.isEmpty() && again != null ? List.of(again.getKey()) : next;
    }

    /** The row is in the stream, before this position. */
    synchronized void sent(TableId id, List<String> key, Lsn position) {
        Entry entry = ordered.get(id).get(key);
        entry.state = State.SENT;
        entry.sent = position;
        entry.arrivedMillis = null;
    }

    /** The rows could not be sent now. A row that cannot be sent alone for a minute is refused. */
    synchronized void later(TableId id, List<List<String>> keys, String why) {
        keys.forEach(key -> later(id, key, why, keys.size() == 1));
    }

    private void later(TableId id, List<String> key, String why, boolean alone) {
        Entry entry = ordered.get(id).get(key);
        long now = MonotonicClock.millis();
        entry.alone = true;
        entry.notBefore = now + PAUSE_MILLIS;
        if (!alone) {
            return;
        }
        entry.triedMillis = entry.triedMillis == null ? now : entry.triedMillis;
        if (now - entry.triedMillis > LOCKED_MILLIS) {
            set(id, key, State.REFUSED, why + "; order the repair again later");
        }
    }

    synchronized void set(TableId id, List<String> key, State state, String why) {
        Entry entry = ordered.get(id).get(key);
        entry.state = state;
        entry.why = why;
        if (state == State.REFUSED) {
            LOG.warn("{} ({}) is not repaired: {}", id, String.join(",", key), why);
        }
    }

    /** @param passed the target has applied everything up to here */
    synchronized List<Arrived> arrived(TableId id, Lsn passed) {
        long now = MonotonicClock.millis();
        List<Arrived> arrived = new ArrayList<>();
        ordered.get(id).forEach((key, entry) -> {
            if (entry.state == State.SENT && !entry.sent.isAfter(passed)) {
                entry.arrivedMillis = entry.arrivedMillis == null ? now : entry.arrivedMillis;
                arrived.add(new Arrived(key, entry.columns, now - entry.arrivedMillis));
            }
        });
        return arrived;
    }
}
