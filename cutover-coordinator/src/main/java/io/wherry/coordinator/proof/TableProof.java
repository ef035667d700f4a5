package io.wherry.coordinator.proof;

import io.wherry.contract.name.TableId;
import io.wherry.contract.postgres.CatalogTable;
import io.wherry.contract.postgres.Lsn;
import io.wherry.coordinator.proof.ProofStatus.PassStatus;
import io.wherry.coordinator.recheck.Difference;
import io.wherry.coordinator.recheck.Difference.Kind;
import io.wherry.coordinator.recheck.Differences;
import io.wherry.coordinator.recheck.DirtyKeys;
import io.wherry.coordinator.recheck.Recheck;
import io.wherry.coordinator.row.RowTypes;
import io.wherry.coordinator.thread.MonotonicClock;
import io.wherry.coordinator.whole.WholeTime;
import java.sql.SQLException;
import java.util.List;
import java.util.concurrent.atomic.AtomicLong;

/** The proof of one table. One thread steps, any thread may ask. */
final class TableProof {
    private final TableId id;
    private final DirtyKeys dirty;
    private final Differences differences;
    private final AtomicLong rowsOfAll;
    private final ComparedTable table;
    private final Pauses pauses;
    private final WholeTime whole;
    // A pass counts only what it reads after this position has passed. It never goes back.
    private Lsn since;
    private long passNanos;
    private boolean asked;
    private final Findings findings = new Findings();

    // Read by other threads.
    private volatile Pass pass;
    private volatile long passBegan;
    private volatile boolean proven;
    private volatile String reason;
    private volatile long provenSince;
    private volatile long provenRows;
    private volatile long rows;

    /**
     * @param table null when the table cannot be compared
     * @param from the witness names every change that ends after this position
     * @param reason why the table is not proven yet
     * @param pauses between its passes
     */
    TableProof(
            TableId id,
            ComparedTable table,
            Lsn from,
            String reason,
            Pauses pauses,
            WholeTime whole,
            DirtyKeys dirty,
            Differences differences,
            AtomicLong rowsOfAll) {
        this.id = id;
        this.table = table;
        this.since = from;
        this.reason = reason;
        this.pauses = pauses;
        this.whole = whole;
        this.dirty = dirty;
        this.differences = differences;
        this.rowsOfAll = rowsOfAll;
    }

    TableId id() {
        return id;
    }

    ComparedTable table() {
        return table;
    }

    /** Whether the rows are found by key, so that the table's dirty keys can be compared. */
    boolean keyed() {
        return table != null && !table.key().isEmpty();
    }

    Recheck recheck() {
        return new Recheck(id, table.key().size(), dirty, differences);
    }

    /** Whether the catalogs still describe the tables that this proof is of. */
    boolean isOf(CatalogTable source, CatalogTable target, RowTypes types) {
        return table != null && target != null && table.isOf(source, target, types);
    }

    /** Whether another table has a name of these now. */
    boolean isOfOthers(CatalogTable source, CatalogTable target) {
        return table != null
                && (table.source().oid() != source.oid()
                        || target != null && table.target().oid() != target.oid());
    }

    /** Whether every row is equal, or waits among the dirty keys, and no difference stands. */
    boolean proven() {
        // In this order: the pass says that nothing is proven before it takes the mark.
        return !dirty.isWhole(id) && proven && differences.of(id).isEmpty();
    }

    /** Whether a pass is complete, whatever it has found. */
    boolean complete() {
        return !dirty.isWhole(id) && proven;
    }

    /** How long a comparison of all rows takes; 0 = unknown. */
    long wholeNanos() {
        return whole.nanos();
    }

    /** Rows of the last complete pass. */
    long provenRows() {
        return provenRows;
    }

    /** Whether a step is due. */
    boolean due() {
        long now = MonotonicClock.millis();
        return table != null && pauses.over(now) && (asked || !proven || pass != null || dirty.isWhole(id));
    }

    /** The next step begins a new pass, also in place of one that runs. */
    void again() {
        asked = true;
        pauses.none();
    }

    /** Looks whether everything is known that the last pass has found. */
    void look(SqlSides sides, Lsn passed) throws SQLException {
        findings.look(id, dirty, sides, passed);
    }

    /** When the next pass may begin although the table is proven, in ms of {@link MonotonicClock}. */
    long repeatsAfter() {
        return pauses.repeatsAfter();
    }

    /** Begins the next pass although the table is proven, if it is old enough. */
    boolean repeats() {
        long now = MonotonicClock.millis();
        if (proven && pass == null && now >= pauses.repeatsAfter()) {
            begin(now);
            return true;
        }
        return false;
    }

    /**
     * Compares a part.
     *
     * @return whether there was something to do
     */
    boolean step(SqlSides sides, Lsn passed) throws SQLException {
        long now = MonotonicClock.millis();
        if (!keyed()) {
            dirty.collapse(id);
        }
        if (dirty.isWhole(id)) {
            if (keyed() && (proven || pass != null)) {
                pauses.afterCollapse(now);
            }
            proven = false;
            pass = null;
            findings.drop();
            if (!pauses.over(now)) {
                reason = "changes or differs in more rows than are kept by key";
                return false;
            }
            // A key's mark is taken at once, so that later changes are kept by key while the pass waits for the mark's
            // position: a table that always changes would never have a mark that has passed.
            Lsn mark = dirty.takeWhole(id, keyed() ? DirtyKeys.LAST : passed).orElse(null);
            if (mark == null) {
                reason = "changes are on their way to a table that is compared as a whole";
                return whole.measured(
                        sides::sums,
                        table.source().rowsEstimated(),
                        table.source().bytes());
            }
            since = Lsn.max(since, mark);
            begin(now);
        } else if (pass == null || asked) {
            begin(now);
        }
        if (since.isAfter(passed)) {
            return false;
        }
        if (passNanos == 0) {
            // Until now the pass has only waited. Counterexample: the target was five minutes behind, and the next
            // pass of a table of ten rows came after 100 minutes.
            passBegan = now;
        }
        long began = System.nanoTime();
        Pass.Step step = pass.step(sides, passed);
        passNanos += System.nanoTime() - began;
        return finish(step, sides);
    }

    private void begin(long now) {
        pass = keyed()
                ? table.ordered() > 0 ? new RangePass(table, dirty) : new BlockPass(table, dirty)
                : new WholePass();
        asked = false;
        passBegan = now;
        passNanos = 0;
        rows = 0;
        if (!proven && !pauses.failed()) {
            reason = "is being compared";
        }
    }

    private boolean finish(Pass.Step step, SqlSides sides) throws SQLException {
        long now = MonotonicClock.millis();
        rowsOfAll.addAndGet(Math.max(0, pass.rows() - rows));
        rows = pass.rows();
        switch (step.kind()) {
            case MORE -> {
                return true;
            }
            case WAIT -> {
                return false;
            }
            case DONE -> {
                findings.passed(passBegan, sides.now());
                differences.forget(id, List.of());
                provenSince = passBegan;
                // One pair of sessions takes the time of all that have shared the pass.
                whole.passed(sides::sums, pass instanceof RangePass ? passNanos * sides.pairs() : passNanos, !keyed());
                provenRows = pass.rows();
                reason = "";
                proven = true;
                pauses.afterPass(
                        now, now - passBegan, keyed(), !differences.of(id).isEmpty());
            }
            case DIFFERS -> {
                differences.record(new Difference(id, List.of(), Kind.CONTENT_DIFFERS, List.of()));
                fails(step.problem());
            }
            case PROBLEM -> {
                fails(step.problem());
            }
        }
        pass = null;
        return true;
    }

    /** The table cannot be compared now. */
    void fails(String problem) {
        proven = false;
        pass = null;
        findings.over(passBegan);
        reason = problem;
        if (keyed()) {
            // The keys that wait are of no use without a pass; the next pass finds them again.
            dirty.changedWhole(id, Lsn.ZERO);
        }
        pauses.afterFailure(MonotonicClock.millis());
    }

    /** The catalogs say that the table cannot be compared, so no pass will begin. */
    TableProof withoutPass() {
        findings.over(MonotonicClock.millis());
        return this;
    }

    /** @param witnessed whether the witness names the table's changes; not so while the table is loaded again */
    ProofStatus.TableStatus status(boolean witnessed) {
        // Before proven(): a pass that fails says first that nothing is proven, then that everything is known.
        Long known = witnessed || table == null ? findings.ageMillis() : null;
        long estimated = table == null ? 0 : Math.max(1, table.source().rowsEstimated());
        boolean all = witnessed && proven();
        String why = all
                ? ""
                : !witnessed && table != null
                        ? "was loaded again"
                        : !reason.isEmpty()
                                ? reason
                                : dirty.isWhole(id)
                                        ? "changes or differs in more rows than are kept by key"
                                        : differences.of(id).size() + " differences stand";
        return new ProofStatus.TableStatus(
                id,
                all,
                all ? 100 : table == null ? 0 : (int) Math.min(99, 100 * rows / estimated),
                why,
                dirty.size(id).keys(),
                all ? MonotonicClock.millis() - provenSince : 0,
                whole.nanos(),
                known,
                table == null ? -1 : table.source().rowsEstimated(),
                table == null ? 0 : table.source().bytes(),
                pass == null ? null : new PassStatus(rows, MonotonicClock.millis() - passBegan));
    }
}
