package io.wherry.coordinator.recheck;

import io.wherry.contract.name.TableId;
import io.wherry.contract.postgres.Lsn;
import io.wherry.coordinator.recheck.Difference.Kind;
import io.wherry.coordinator.recheck.DirtyKeys.Taken;
import io.wherry.coordinator.recheck.Sides.Both;
import io.wherry.coordinator.recheck.Sides.Found;
import io.wherry.coordinator.row.DataComparison.TableResult;
import java.sql.SQLException;
import java.util.ArrayList;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Set;

/**
 * Compares the dirty keys of one table on both sides, while applications write, and knows what a comparison proves.
 *
 * <p><b>What is given.</b> {@code passed} is a position P of the source's log for which three things hold at the moment it is
 * read: (1) the target shows all that the pipeline will ever apply of transactions that end at or before P; (2) the witness has
 * named every key that these changed; (3) the source shows these transactions.
 *
 * <p><b>The rule.</b>
 *
 * <ol>
 *   <li>A key is taken only when its LSN is at or before P, and it is removed from the set before either row is read. The witness
 *       puts it back when it changes again.
 *   <li>Equal rows: the key is clean.
 *   <li>Different rows: the key goes back as a suspect, with a position L of the source's log that is read after both rows. If the
 *       witness has named it meanwhile, it stays plain.
 *   <li>A suspect that is taken again, so P has passed L and the witness has not named the key since, was a difference at its first
 *       comparison. If the rows still differ, the difference is recorded. A recorded difference stands until the key is found equal.
 * </ol>
 *
 * <p><b>Why equal is proven.</b> Let the key be taken at P. If a change of it ends after P, the witness names it after the taking (a
 * name before the taking would have raised the entry's LSN above P), and the key is compared again. If none does, both rows
 * have their last value since the taking, by (1) and (3), and equality at any two later moments is equality for ever.
 *
 * <p><b>Why a difference is proven.</b> Let a suspect be taken when P has passed L. The witness has named all changes up to L, and none
 * was of this key since the first taking, at P0. So no change of the key ends between P0 and L. The first comparison read the source's
 * row before L was read, so it read the value as of P0. What it read on the target had been committed on the source before, so at or
 * before L: again the value as of P0, with all of it applied, by (1). These two differed, and no change was on its way.
 *
 * <p><b>Either side may be read first</b>, because neither proof uses the order of the two reads: L is read after both.
 *
 * <p><b>Counterexamples</b>, each of which the test of the rule finds in a model:
 *
 * <ul>
 *   <li><em>Without P.</em> The row goes v, w, v on the source and the pipeline loses the last change. While the target still
 *       holds the first v, the rows are equal and the key would be clean. Then the target applies w.
 *   <li><em>Removing the key after the reads.</em> The rows are read, the key changes, the witness names it, and the removal drops
 *       the new name.
 *   <li><em>L read before the target's row.</em> The source's row is v; L is read; w is written and applied; the target's row is w:
 *       a suspect. The witness has come to L, not yet to w. P is L, and the suspect is taken. The source's row is meanwhile x, the
 *       target's still w: a false alarm.
 *   <li><em>Without (3).</em> A server decodes a transaction before its own sessions see it, for as long as the commit
 *       waits for a synchronous standby. The row goes v, w; the witness names w; the pipeline loses w. The source still shows v: equal
 *       to the target's v, and the key would be clean.
 *   <li><em>{@code pg_current_wal_lsn()} as L.</em> With {@code synchronous_commit = off} a transaction is seen before its end is written
 *       to the log, so it may end after that position. The position of insertion is never too small.
 * </ul>
 *
 * <p>A key may be written in two ways: {@code 1.0} and {@code 1.00} are one numeric. A suspect goes back under the name that the
 * source's row has, which is the name that the witness uses, so that the witness can make it plain; and it counts as the same suspect
 * only under the same name.
 */
public final class Recheck {
    /** Keys of one statement. */
    public static final int BATCH = 1_000;

    private static final int KEYS_SHOWN = 10;

    private final TableId table;
    private final DirtyKeys dirty;
    private final Differences differences;
    private final int values;

    /** @param values number of columns of the table's key */
    public Recheck(TableId table, int values, DirtyKeys dirty, Differences differences) {
        this.table = table;
        this.values = values;
        this.dirty = dirty;
        this.differences = differences;
    }

    /**
     * Compares some of the dirty keys.
     *
     * @param passed read before this call
     * @return keys compared; 0 when none may be compared yet
     * @throws SQLException when a side fails; then the keys are dirty as before
     */
    public int some(Sides sides, Lsn passed, int most) throws SQLException {
        List<Taken> taken = take(passed, most);
        boolean done = false;
        try {
            List<List<String>> keys = taken.stream().map(Taken::key).toList();
            Both found = taken.isEmpty() ? new Both(List.of(), List.of()) : sides.onBoth(keys);
            Lsn now = null;
            for (int i = 0; i < taken.size(); i++) {
                Found source = found.source().get(i);
                Found target = found.target().get(i);
                if (source.sameAs(target)) {
                    equal(taken.get(i).key(), source);
                } else {
                    now = now == null ? sides.now() : now;
                    differs(sides, taken.get(i), source, target, now);
                }
            }
            done = true;
        } finally {
            if (!done) {
                dirty.putBack(table, taken);
            }
        }
        return taken.size();
    }

    private void differs(Sides sides, Taken taken, Found source, Found target, Lsn now) throws SQLException {
        List<String> name = source.exists() ? source.key() : target.key();
        if (!taken.suspect() || !name.equals(taken.key())) {
            dirty.suspect(table, name, now);
        } else {
            record(sides, name, source, target);
        }
    }

    private void record(Sides sides, List<String> key, Found source, Found target) throws SQLException {
        Kind kind = !target.exists() ? Kind.MISSING_ON_TARGET : source.exists() ? Kind.DIFFERS : Kind.ONLY_ON_TARGET;
        List<String> columns = kind == Kind.DIFFERS ? sides.differing(key) : List.of();
        if (kind == Kind.DIFFERS && columns.isEmpty()) {
            // The row was written or repaired since it was read, so ask again.
            dirty.suspect(table, key, sides.now());
        } else if (!differences.record(new Difference(table, key, kind, columns))) {
            // A difference that is not kept must not be lost.
            dirty.changedWhole(table, sides.now());
        }
    }

    private void equal(List<String> asked, Found source) {
        differences.forget(table, asked);
        if (source.exists()) {
            differences.forget(table, source.key());
        }
    }

    /** A key of another shape is of another identity than the one this comparison knows: the table's pass must begin again. */
    private List<Taken> take(Lsn passed, int most) {
        List<Taken> taken = dirty.take(table, passed, most);
        for (Taken each : taken) {
            if (each.key().size() != values) {
                dirty.changedWhole(table, each.lsn());
                return List.of();
            }
        }
        return taken;
    }

    /**
     * Compares all dirty keys and all differences that stand, whatever their positions. For the window, in which nobody writes on
     * the source, the target has applied everything, and the witness has named everything: each difference is real at once.
     *
     * @return rows found of these keys, and how many keys differ; with a problem when the answer would not be complete
     * @throws SQLException when a side fails; then the keys are dirty as before
     */
    public TableResult all(Sides sides) throws SQLException {
        Set<List<String>> standing = new LinkedHashSet<>();
        differences.of(table).forEach(difference -> standing.add(difference.key()));
        Counts counts = new Counts();
        // A row that somebody repairs meanwhile comes back as a suspect, so the number is known before.
        for (long left = dirty.size(table).keys(); left > 0; left -= BATCH) {
            List<Taken> taken = take(DirtyKeys.LAST, BATCH);
            boolean done = false;
            try {
                List<List<String>> keys = taken.stream().map(Taken::key).toList();
                counts.add(sides, keys);
                keys.forEach(standing::remove);
                done = true;
            } finally {
                if (!done) {
                    dirty.putBack(table, taken);
                }
            }
        }
        List<List<String>> rest = new ArrayList<>(standing);
        for (int from = 0; from < rest.size(); from += BATCH) {
            counts.add(sides, rest.subList(from, Math.min(rest.size(), from + BATCH)));
        }
        DirtyKeys.Size left = dirty.size(table);
        String problem = left.whole() > 0
                ? "has more changes than are kept by key"
                : left.keys() > 0 ? "has " + left.keys() + " keys that changed during the comparison" : "";
        return new TableResult(table, counts.source, counts.target, counts.differing, counts.shown, problem);
    }

    private final class Counts {
        private long source;
        private long target;
        private long differing;
        private final List<String> shown = new ArrayList<>();

        void add(Sides sides, List<List<String>> keys) throws SQLException {
            Both found = sides.onBoth(keys);
            for (int i = 0; i < keys.size(); i++) {
                Found one = found.source().get(i);
                Found other = found.target().get(i);
                source += one.exists() ? 1 : 0;
                target += other.exists() ? 1 : 0;
                if (one.sameAs(other)) {
                    Recheck.this.equal(keys.get(i), one);
                } else {
                    differing++;
                    List<String> name = one.exists() ? one.key() : other.key();
                    record(sides, name, one, other);
                    if (shown.size() < KEYS_SHOWN) {
                        shown.add("(" + String.join(",", name) + ")");
                    }
                }
            }
        }
    }
}
