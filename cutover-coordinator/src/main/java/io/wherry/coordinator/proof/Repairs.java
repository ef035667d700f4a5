package io.wherry.coordinator.proof;

import io.wherry.contract.config.Flow;
import io.wherry.contract.name.Remedies;
import io.wherry.contract.name.TableId;
import io.wherry.contract.postgres.Lsn;
import io.wherry.contract.postgres.Sessions;
import io.wherry.contract.record.RepairSecret;
import io.wherry.coordinator.recheck.Difference;
import io.wherry.coordinator.recheck.Differences;
import io.wherry.coordinator.recheck.DirtyKeys;
import io.wherry.coordinator.recheck.Sides.Both;
import io.wherry.coordinator.repair.Sending;
import io.wherry.coordinator.repair.SourceRows;
import io.wherry.coordinator.thread.MonotonicClock;
import java.sql.SQLException;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.TreeMap;
import java.util.concurrent.TimeUnit;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Carries out the operator's repairs: sends rows that differ as they are on the source, and looks whether they are equal afterwards.
 * The proof's thread works, so nothing is compared between the commit of a message and the entry of its keys among the dirty keys. Any
 * thread may order and ask.
 *
 * <p>A key that was sent is dirty with a position after the message. Counterexample without that: a row is only on the target, so its
 * deletion is sent; just before, an application inserts the row. The witness names the insert, the row is found equal, and then the
 * target applies the deletion.
 */
public final class Repairs {
    private static final Logger LOG = LoggerFactory.getLogger(Repairs.class);
    /** Rows of one transaction, which keeps them locked. */
    private static final int BATCH = 50;

    private static final long WORK_NANOS = TimeUnit.MILLISECONDS.toNanos(500);
    private static final long PAUSE_MILLIS = 200;
    private static final long LOCKED_MILLIS = 60_000;
    private static final long CHANGING_MILLIS = 30_000;

    private final Flow flow;
    private final DirtyKeys dirty;
    private final Differences differences;
    private final ProofTables tables;
    private final Map<TableId, Map<List<String>, Entry>> ordered = new TreeMap<>();
    private RepairSecret secret;

    /** How far the repair of a row is. */
    public enum State {
        /** The row is yet to be sent. */
        WAITING,
        /** The row is in the stream, and is yet to be found equal. */
        SENT,
        /** Both sides were equal after the repair. */
        EQUAL,
        /** Both sides differ after the repair. */
        DIFFERS,
        /** The row changes too often to be compared outside the window. */
        CHANGES,
        /** The row cannot be repaired. */
        REFUSED;

        /** Whether nothing more will become known. */
        public boolean isLast() {
            return this != WAITING && this != SENT;
        }
    }

    /** @param why the row is refused; otherwise empty */
    public record Status(TableId table, List<String> key, State state, String why) {}

    private static final class Entry {
        private final long orderedMillis = MonotonicClock.millis();
        private State state = State.WAITING;
        private String why = "";
        private boolean tried;
        private long notBefore;
        private Lsn sent = Lsn.ZERO;
        private long passedMillis;
    }

    Repairs(Flow flow, DirtyKeys dirty, Differences differences, ProofTables tables) {
        this.flow = flow;
        this.dirty = dirty;
        this.differences = differences;
        this.tables = tables;
    }

    /** Orders the repair of these rows. What became of rows of earlier orders is forgotten. */
    synchronized void order(List<Difference> rows, RepairSecret proves) {
        secret = proves;
        ordered.values().forEach(of -> of.values().removeIf(entry -> entry.state.isLast()));
        for (Difference row : rows) {
            ordered.computeIfAbsent(row.table(), id -> new LinkedHashMap<>()).put(row.key(), new Entry());
        }
    }

    /** How far the repair of each row is, by table. */
    public synchronized List<Status> status() {
        List<Status> all = new ArrayList<>();
        ordered.forEach(
                (table, of) -> of.forEach((key, entry) -> all.add(new Status(table, key, entry.state, entry.why))));
        return all;
    }

    /**
     * Works for up to half a second, beside one statement.
     *
     * @param passed as in {@link io.wherry.coordinator.recheck.Recheck}
     * @return whether a row was sent
     * @throws SQLException when a side fails. The proof must then begin again: what was sent is not known
     */
    boolean work(BothSides sides, Lsn passed) throws SQLException {
        long began = System.nanoTime();
        boolean worked = false;
        for (TableId id : tablesWith(State.SENT)) {
            compare(id, sides, passed);
        }
        for (TableId id : tablesWith(State.WAITING)) {
            List<List<String>> next = next(id);
            while (!next.isEmpty() && System.nanoTime() - began < WORK_NANOS) {
                send(id, next, sides);
                worked = true;
                next = next(id);
            }
        }
        return worked;
    }

    /** How the table is compared; empty when it is not. */
    Optional<ComparedTable> compared(TableId table) {
        return Optional.ofNullable(tables.get(table)).map(TableProof::table);
    }

    private synchronized Set<TableId> tablesWith(State state) {
        Map<TableId, Map<List<String>, Entry>> some = new TreeMap<>(ordered);
        some.values().removeIf(of -> of.values().stream().noneMatch(entry -> entry.state == state));
        return some.keySet();
    }

    /** Rows that could not be locked together are tried one by one. */
    private synchronized List<List<String>> next(TableId id) {
        long now = MonotonicClock.millis();
        List<List<String>> next = new ArrayList<>();
        for (Map.Entry<List<String>, Entry> each : ordered.get(id).entrySet()) {
            Entry entry = each.getValue();
            if (entry.state == State.WAITING && entry.notBefore <= now && next.size() < BATCH) {
                if (entry.tried && next.isEmpty()) {
                    return List.of(each.getKey());
                }
                if (!entry.tried) {
                    next.add(each.getKey());
                }
            }
        }
        return next;
    }

    private void send(TableId id, List<List<String>> keys, BothSides both) throws SQLException {
        TableProof table = tables.get(id);
        if (table == null || !table.keyed()) {
            keys.forEach(key -> set(id, key, State.REFUSED, "the table is not compared by key any more"));
            return;
        }
        SqlSides sides = new SqlSides(table.table(), both);
        SourceRows rows = new SourceRows(both.source(), table.table().repaired());
        Sending sending = rows.send(keys, secret(), flow.migration().name(), flow.generation());
        if (sending instanceof Sending.Sent sent) {
            // After the commit. A message that removes a row has everything before it in its past, and is compared
            // with what came after.
            Lsn now = sides.now();
            sent.keys().forEach(key -> sent(id, key, now));
            sent.tooLarge().forEach(key -> set(id, key, State.REFUSED, "the row is too large; " + Remedies.reload(id)));
            // Whoever inserted such a row did so before the message or after; in both cases sending the row is right.
            rows.existing(sent.absent()).forEach(key -> set(id, key, State.WAITING, ""));
            LOG.info(
                    "{}: {} rows were sent for repair, position {}",
                    id,
                    sent.keys().size(),
                    now);
        } else if (sending instanceof Sending.Later later) {
            keys.forEach(key -> later(id, key, later.why()));
        } else if (sending instanceof Sending.Refused refused) {
            keys.forEach(key -> set(id, key, State.REFUSED, refused.why()));
        }
    }

    private synchronized RepairSecret secret() {
        return secret;
    }

    private synchronized void sent(TableId id, List<String> key, Lsn now) {
        dirty.changed(id, key, now);
        Entry entry = ordered.get(id).get(key);
        entry.state = State.SENT;
        entry.sent = now;
        entry.passedMillis = 0;
    }

    private synchronized void later(TableId id, List<String> key, String why) {
        Entry entry = ordered.get(id).get(key);
        long now = MonotonicClock.millis();
        entry.tried = true;
        entry.notBefore = now + PAUSE_MILLIS;
        if (now - entry.orderedMillis > LOCKED_MILLIS) {
            set(id, key, State.REFUSED, why + "; order the repair again later");
        }
    }

    private synchronized void set(TableId id, List<String> key, State state, String why) {
        Entry entry = ordered.get(id).get(key);
        entry.state = state;
        entry.why = why;
        if (state == State.REFUSED) {
            LOG.warn("{} ({}) is not repaired: {}", id, String.join(",", key), why);
        }
    }

    private void compare(TableId id, BothSides both, Lsn passed) throws SQLException {
        List<List<String>> arrived = arrived(id, passed);
        TableProof table = tables.get(id);
        if (arrived.isEmpty()) {
            return;
        }
        if (table == null || !table.keyed()) {
            arrived.forEach(key -> set(id, key, State.REFUSED, "the table is not compared by key any more"));
            return;
        }
        try {
            Both found = new SqlSides(table.table(), both).onBoth(arrived);
            for (int i = 0; i < arrived.size(); i++) {
                List<String> key = arrived.get(i);
                boolean equal = found.source().get(i).sameAs(found.target().get(i));
                boolean stands = differences.stands(id, key);
                if (equal && !stands) {
                    set(id, key, State.EQUAL, "");
                } else if (!equal && stands && !dirty.holds(id, key)) {
                    set(id, key, State.DIFFERS, "");
                } else if (changesFor(id, key) > CHANGING_MILLIS) {
                    set(id, key, State.CHANGES, "");
                }
            }
        } catch (SQLException e) {
            String state = String.valueOf(Sessions.state(e));
            if (!state.startsWith("42") && !state.startsWith("22")) {
                throw e;
            }
            arrived.forEach(key -> set(id, key, State.REFUSED, "the row cannot be compared, SQLSTATE " + state));
        }
    }

    /** Keys whose message the target has applied. */
    private synchronized List<List<String>> arrived(TableId id, Lsn passed) {
        List<List<String>> arrived = new ArrayList<>();
        ordered.get(id).forEach((key, entry) -> {
            if (entry.state == State.SENT && !entry.sent.isAfter(passed)) {
                arrived.add(key);
            }
        });
        return arrived;
    }

    /** Time since the message was first seen as applied, in ms. */
    private synchronized long changesFor(TableId id, List<String> key) {
        Entry entry = ordered.get(id).get(key);
        long now = MonotonicClock.millis();
        entry.passedMillis = entry.passedMillis == 0 ? now : entry.passedMillis;
        return now - entry.passedMillis;
    }
}
