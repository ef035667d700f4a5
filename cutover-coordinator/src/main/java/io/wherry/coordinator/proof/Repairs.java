package io.wherry.coordinator.proof;

import io.wherry.contract.config.Flow;
import io.wherry.contract.name.Remedies;
import io.wherry.contract.name.TableId;
import io.wherry.contract.postgres.Lsn;
import io.wherry.contract.record.RepairSecret;
import io.wherry.coordinator.proof.RepairBook.Arrived;
import io.wherry.coordinator.proof.RepairBook.State;
import io.wherry.coordinator.recheck.Difference;
import io.wherry.coordinator.recheck.Differences;
import io.wherry.coordinator.recheck.DirtyKeys;
import io.wherry.coordinator.recheck.Sides.Both;
import io.wherry.coordinator.repair.Sending;
import io.wherry.coordinator.repair.SourceRows;
import io.wherry.coordinator.sql.BothSides;
import java.sql.SQLException;
import java.util.Collections;
import java.util.List;
import java.util.Optional;
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
    private static final long WORK_NANOS = TimeUnit.MILLISECONDS.toNanos(500);
    private static final long CHANGING_MILLIS = 30_000;
    private static final String NOT_BY_KEY = "the table is not compared by key any more";

    private final Flow flow;
    private final DirtyKeys dirty;
    private final Differences differences;
    private final ProofTables tables;
    private final RepairBook book = new RepairBook();

    Repairs(Flow flow, DirtyKeys dirty, Differences differences, ProofTables tables) {
        this.flow = flow;
        this.dirty = dirty;
        this.differences = differences;
        this.tables = tables;
    }

    /** The rows that a repair of all tables would send. */
    List<Difference> suspected() {
        return differences.suspected();
    }

    /** Orders the repair of these rows. What became of rows of earlier orders is forgotten. */
    void order(List<Difference> rows, RepairSecret secret) {
        book.order(rows, secret);
    }

    /** How far the repair of each row is, by table. */
    List<RepairBook.Status> status() {
        return book.status();
    }

    /** How the table is compared; empty when it is not. */
    Optional<ComparedTable> compared(TableId table) {
        return Optional.ofNullable(tables.get(table)).map(TableProof::table);
    }

    /**
     * Works for up to half a second, beside one transaction and one comparison.
     *
     * @param passed as in {@link io.wherry.coordinator.recheck.Recheck}
     * @return whether a row was sent
     * @throws SQLException when a side fails. The proof must then begin again: what was sent is not known
     */
    boolean work(BothSides sides, Lsn passed) throws SQLException {
        for (TableId id : book.tables(State.SENT)) {
            List<Arrived> arrived = book.arrived(id, passed);
            if (!arrived.isEmpty()) {
                compare(id, arrived, sides);
            }
        }
        long began = System.nanoTime();
        boolean worked = false;
        for (TableId id : book.tables(State.WAITING)) {
            List<List<String>> next = book.next(id);
            while (!next.isEmpty() && System.nanoTime() - began < WORK_NANOS) {
                send(id, next, sides);
                worked = true;
                next = book.next(id);
            }
        }
        return worked;
    }

    private void send(TableId id, List<List<String>> keys, BothSides both) throws SQLException {
        TableProof table = tables.get(id);
        if (table == null || !table.keyed()) {
            keys.forEach(key -> book.set(id, key, State.REFUSED, NOT_BY_KEY));
            return;
        }
        SqlSides sides = new SqlSides(table.table(), both);
        SourceRows rows = new SourceRows(both.source(), table.table().repaired());
        Sending sending = rows.send(keys, book.secret(), flow.migration().name(), flow.generation());
        if (sending instanceof Sending.Sent sent) {
            Lsn now = sides.now();
            for (List<String> key : sent.keys()) {
                dirty.changed(id, key, now);
                book.sent(id, key, now);
            }
            String reload = "the row is too large for a message; " + Remedies.reload(id);
            sent.tooLarge().forEach(key -> book.set(id, key, State.REFUSED, reload));
            // Inserted before the message or after it; in both cases it is right to send the row.
            rows.existing(sent.absent()).forEach(key -> book.set(id, key, State.WAITING, ""));
            LOG.info(
                    "{}: {} rows were sent for repair before position {}",
                    id,
                    sent.keys().size(),
                    now);
        } else if (sending instanceof Sending.Later later) {
            book.later(id, keys, later.why());
        } else if (sending instanceof Sending.Refused refused) {
            keys.forEach(key -> book.set(id, key, State.REFUSED, refused.why()));
        }
    }

    private void compare(TableId id, List<Arrived> arrived, BothSides both) throws SQLException {
        TableProof table = tables.get(id);
        if (table == null || !table.keyed()) {
            arrived.forEach(row -> book.set(id, row.key(), State.REFUSED, NOT_BY_KEY));
            return;
        }
        try {
            SqlSides sides = new SqlSides(table.table(), both);
            Both found = sides.onBoth(arrived.stream().map(Arrived::key).toList());
            for (int i = 0; i < arrived.size(); i++) {
                Arrived row = arrived.get(i);
                boolean equal = found.source().get(i).sameAs(found.target().get(i));
                boolean stands = differences.stands(id, row.key());
                if (!stands && (equal || isRepaired(row, sides))) {
                    book.set(id, row.key(), State.EQUAL, "");
                } else if (!equal && stands && !dirty.holds(id, row.key())) {
                    book.set(id, row.key(), State.DIFFERS, "");
                } else if (row.millis() > CHANGING_MILLIS) {
                    book.set(id, row.key(), State.CHANGES, "");
                }
            }
        } catch (SQLException e) {
            if (!Pass.concernsOne(e)) {
                throw e;
            }
            String why = "the row cannot be compared, SQLSTATE " + e.getSQLState();
            arrived.forEach(row -> book.set(id, row.key(), State.REFUSED, why));
        }
    }

    /** Of a row that always changes: whether the columns that differed are equal now. */
    private static boolean isRepaired(Arrived row, SqlSides sides) throws SQLException {
        List<String> now = sides.differing(row.key());
        // None: the row was equal meanwhile, or one side has no such row.
        return !row.columns().isEmpty() && !now.isEmpty() && Collections.disjoint(now, row.columns());
    }
}
