package io.wherry.coordinator.proof;

import io.wherry.contract.config.Flow;
import io.wherry.contract.name.TableId;
import io.wherry.contract.postgres.Lsn;
import io.wherry.coordinator.recheck.Differences;
import io.wherry.coordinator.recheck.DirtyKeys;
import io.wherry.coordinator.recheck.Recheck;
import io.wherry.coordinator.row.DataComparison.TableResult;
import io.wherry.coordinator.sql.BothSides;
import io.wherry.coordinator.sql.Queries;
import io.wherry.coordinator.thread.MonotonicClock;
import java.sql.SQLException;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.function.Supplier;

/**
 * The proof that both sides hold the same rows, carried along while applications write: a pass over every table, and the keys that
 * the witness names since ({@link Pass}, {@link Recheck}). In the window only the rest of these keys is compared.
 *
 * <p>One thread calls {@link #turn}, the witness' thread fills the {@link DirtyKeys}, and any thread may ask for the status. Nothing
 * is kept across restarts: another process begins again.
 */
public final class Proof {
    /**
     * Names the system property of tests: the time from a pass of a table to the next one, and until a difference that stands is
     * compared again, in ms.
     */
    public static final String REPEAT_PROPERTY = "wherry.proof.repeat-millis";

    /** No statement holds a snapshot for longer. */
    private static final int STATEMENT_SECONDS = 60;

    private static final long RECHECK_NANOS = 500_000_000;

    private final long standingMillis = Long.getLong(REPEAT_PROPERTY, 30_000);
    private final DirtyKeys dirty;
    private final Supplier<Lsn> passed;
    private final Differences differences = new Differences();
    private final ProofTables tables;
    private final ProofInWindow inWindow;
    private final Repairs repairs;
    private long standingAsked = MonotonicClock.millis();
    private int nextRecheck;
    private BothSides limitedSides;
    private Duration limit = Duration.ZERO;

    /**
     * @param dirty filled by the witness before {@code passed} reaches the changes
     * @param passed a position for which three things hold: the target shows everything that the pipeline will ever apply of
     *     transactions that end at or before it; the witness has named all keys that these changed; and the source shows these
     *     transactions ({@link Recheck}). It never goes back
     * @param from the witness names every change of a transaction that ends after this position
     * @param witnessed tables that the witness names, each loaded completely
     */
    public Proof(Flow flow, DirtyKeys dirty, Supplier<Lsn> passed, Lsn from, Set<TableId> witnessed) {
        this.dirty = dirty;
        this.passed = passed;
        this.tables = new ProofTables(flow, dirty, differences);
        this.inWindow = new ProofInWindow(tables);
        this.repairs = new Repairs(flow, dirty, differences, tables);
        witnessed.forEach(table -> tables.admit(table, from, 0));
    }

    /**
     * Does one bounded piece of work: dirty keys for up to half a second, and one part of a pass.
     *
     * @param sides the time limit for statements is set in both sessions
     * @return whether there was something to do
     * @throws SQLException when a side fails. Nothing is lost, and the next turn does the work
     */
    public synchronized boolean turn(BothSides sides) throws SQLException {
        limit(sides, Duration.ofSeconds(STATEMENT_SECONDS));
        boolean known = tables.refresh(sides);
        askAgainForStanding(sides);
        // More than one batch: on a busy source more rows change during a part of a pass than one batch holds.
        boolean compared = false;
        long began = System.nanoTime();
        while (System.nanoTime() - began < RECHECK_NANOS && recheck(sides)) {
            compared = true;
        }
        Lsn reached = passed.get();
        for (TableProof table : tables.bySize()) {
            table.look(new SqlSides(table.table(), sides), reached);
        }
        compared |= repairs.work(sides, reached);
        return known && pass(sides) || compared;
    }

    /**
     * Does a small piece of work: one batch of dirty keys. For the window, whose comparison has the less to do, and waits for a turn
     * that runs.
     *
     * @return whether there was something to do
     * @throws SQLException as {@link #turn}
     */
    public synchronized boolean recheckSome(BothSides sides) throws SQLException {
        limit(sides, Duration.ofSeconds(STATEMENT_SECONDS));
        return recheck(sides);
    }

    /** The operator's repairs. */
    public Repairs repairs() {
        return repairs;
    }

    private void limit(BothSides sides, Duration statement) throws SQLException {
        if (!sides.equals(limitedSides) || !statement.equals(limit)) {
            limitedSides = null;
            // 0 would be no limit.
            String set = "SET statement_timeout = " + Math.max(1, statement.toMillis());
            for (BothSides each : sides.all()) {
                Queries.execute(each.source(), set);
                Queries.execute(each.target(), set);
            }
            limitedSides = sides;
            limit = statement;
        }
    }

    /** A difference that stands may have been repaired, which no change of the source shows. */
    private void askAgainForStanding(BothSides sides) throws SQLException {
        if (MonotonicClock.millis() - standingAsked < standingMillis) {
            return;
        }
        differences.askAgain(dirty, new SqlSides(null, sides).now());
        standingAsked = MonotonicClock.millis();
    }

    private boolean recheck(BothSides both) throws SQLException {
        List<TableProof> all = tables.bySize();
        for (int i = 0; i < all.size(); i++) {
            TableProof table = all.get(Math.floorMod(nextRecheck++, all.size()));
            if (table.keyed() && dirty.size(table.id()).keys() > 0) {
                SqlSides sides = new SqlSides(table.table(), both);
                int compared = 0;
                try {
                    compared = table.recheck().some(sides, passed.get(), Recheck.BATCH);
                    if (differences.takeWide(table.id())) {
                        table.fails("differs widely: more than " + Differences.MOST_OF_A_TABLE + " keys");
                    }
                } catch (SQLException e) {
                    failed(table, e);
                }
                if (compared > 0) {
                    return true;
                }
            }
        }
        return false;
    }

    private boolean pass(BothSides sides) throws SQLException {
        for (TableProof table : tables.bySize()) {
            if (table.due() && step(table, sides)) {
                return true;
            }
        }
        // Not the smallest first: small tables would be due again before a larger one has its turn.
        List<TableProof> waiting = new ArrayList<>(tables.bySize());
        waiting.sort(Comparator.comparingLong(TableProof::repeatsAfter));
        for (TableProof table : waiting) {
            if (table.repeats() && step(table, sides)) {
                return true;
            }
        }
        return false;
    }

    private boolean step(TableProof table, BothSides sides) throws SQLException {
        try {
            return table.step(new SqlSides(table.table(), sides), passed.get());
        } catch (SQLException e) {
            failed(table, e);
            return true;
        }
    }

    /** Another shape of the table, a missing right, an unreadable value or too many rows fails this table, and no other. */
    private void failed(TableProof table, SQLException e) throws SQLException {
        if (!Pass.concernsOne(e) && !Pass.CANCELED.equals(e.getSQLState())) {
            throw e;
        }
        table.fails("cannot be compared: " + e.getMessage());
        tables.suspect();
    }

    /** A new pass of these tables begins, also in place of one that runs. What is proven stays proven meanwhile. */
    public synchronized void again(Set<TableId> which) {
        tables.all().stream().filter(table -> which.contains(table.id())).forEach(TableProof::again);
        // A table that could not be compared, or a row that differs, may have been repaired.
        tables.suspect();
        standingAsked = MonotonicClock.millis() - standingMillis;
    }

    /** The table is new, loaded again, or of another shape: it is not proven until {@link #admit}. */
    public void forget(TableId table) {
        tables.forget(table);
    }

    /**
     * The table's proof may begin, again or for the first time.
     *
     * @param from the table was completely loaded before, and the witness names every change of a transaction that ends after this
     *     position
     * @param oid of the table on the source; 0 = unknown
     */
    public void admit(TableId table, Lsn from, long oid) {
        tables.admit(table, from, oid);
    }

    /** Tables whose changes the witness names, as the proof was told. */
    public Set<TableId> witnessed() {
        return tables.witnessed();
    }

    /** Tables of which every row is equal or waits among the dirty keys, and of which no difference stands. */
    public Set<TableId> proven() {
        return tables.proven();
    }

    /**
     * Decides how the window compares the tables, in the window. It waits for a turn that runs.
     *
     * @param witnessed tables whose changes the witness has named up to the fence
     * @param wholeWithin {@code verify.whole-within}
     * @param within limit for each statement
     * @throws SQLException when a side fails
     */
    public synchronized ProofInWindow.Plan plan(
            BothSides sides, Set<TableId> witnessed, Duration wholeWithin, Duration within) throws SQLException {
        limit(sides, within);
        return inWindow.plan(sides, witnessed, wholeWithin);
    }

    /**
     * Compares what is left of these tables, in the window: nobody writes on the source. It waits for a turn that runs.
     *
     * @param fence position at which the source was fenced
     * @param within limit for each statement
     * @return one result for each table, with a problem where the answer would not be complete
     * @throws SQLException when a side fails; then nothing counts as compared
     */
    public synchronized List<TableResult> finish(BothSides sides, Set<TableId> which, Lsn fence, Duration within)
            throws SQLException {
        limit(sides, within);
        return inWindow.rest(sides, which, fence, passed.get());
    }

    /**
     * Compares every row of these tables, in the window.
     *
     * @param which of the window's plan
     * @return results of those that are equal; the others must be compared by other means
     * @throws SQLException when a side fails, or the time is over
     */
    public synchronized List<TableResult> whole(BothSides sides, Set<TableId> which, Duration within)
            throws SQLException {
        limit(sides, within);
        return inWindow.whole(sides, which);
    }

    /**
     * The same for proven tables, as long as there is time.
     *
     * @param within {@code verify.whole-within}, or what is left of the window
     * @throws SQLException when a side fails
     */
    public synchronized ProofInWindow.Chosen choice(BothSides sides, Set<TableId> which, Duration within)
            throws SQLException {
        limit(sides, within);
        return inWindow.choice(sides, which, within);
    }

    /** How far the proof has come. */
    public ProofStatus status() {
        List<ProofStatus.TableStatus> each = tables.all().stream()
                .map(table -> table.status(tables.isWitnessed(table.id())))
                .toList();
        Map<TableId, DirtyKeys.Size> sizes = dirty.sizes();
        return new ProofStatus(
                each,
                new DirtyKeys.Size(
                        sizes.values().stream().mapToLong(DirtyKeys.Size::keys).sum(),
                        sizes.values().stream().mapToInt(DirtyKeys.Size::whole).sum(),
                        sizes.values().stream().mapToLong(DirtyKeys.Size::bytes).sum()),
                differences.all(),
                tables.rowsCompared(),
                each.stream()
                        .mapToLong(ProofStatus.TableStatus::ageMillis)
                        .max()
                        .orElse(0));
    }
}
