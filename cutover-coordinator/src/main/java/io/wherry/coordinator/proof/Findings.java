package io.wherry.coordinator.proof;

import io.wherry.contract.name.TableId;
import io.wherry.contract.postgres.Lsn;
import io.wherry.coordinator.recheck.DirtyKeys;
import io.wherry.coordinator.recheck.Recheck;
import io.wherry.coordinator.thread.MonotonicClock;
import java.sql.SQLException;

/**
 * Knows when everything that a pass of one table has found is known: as equal, as a difference, or as a key that has changed since.
 * A pass ends before that, because what differs is only a suspect then. One thread writes, any thread may ask.
 */
final class Findings {
    /**
     * How often the keys that wait must have been compared. In the first round, a key that was dirty before the pass may become a suspect, and a
     * suspect may get the name that the source's row has; in the second round each of these is decided.
     */
    private static final int ROUNDS = 2;

    private long passBegan;
    private Lsn upTo;
    private int rounds = ROUNDS;
    private volatile Long knownOfPass;

    /**
     * A pass has compared its last row.
     *
     * @param began when it began, by {@link MonotonicClock}
     * @param now position of the source's log after the pass
     */
    void passed(long began, Lsn now) {
        passBegan = began;
        upTo = now;
        rounds = 0;
    }

    /** A pass that began then has ended, and nothing more will be found of it: the table cannot be compared, or differs as a whole. */
    void over(long began) {
        knownOfPass = began;
        rounds = ROUNDS;
    }

    /** The pass counts no more, since its keys were dropped. */
    void drop() {
        rounds = ROUNDS;
    }

    /**
     * Looks whether another round has ended. Called by the thread that takes keys, when it holds none.
     *
     * @param passed as in {@link Recheck}
     */
    void look(TableId table, DirtyKeys dirty, SqlSides sides, Lsn passed) throws SQLException {
        if (rounds == ROUNDS || upTo.isAfter(passed) || dirty.isWhole(table) || dirty.holds(table, upTo)) {
            return;
        }
        rounds++;
        if (rounds == ROUNDS) {
            knownOfPass = passBegan;
        } else {
            upTo = sides.now();
        }
    }

    /** Time since the last pass began of which everything is known, ms; null = there is none. */
    Long ageMillis() {
        Long began = knownOfPass;
        return began == null ? null : MonotonicClock.millis() - began;
    }
}
