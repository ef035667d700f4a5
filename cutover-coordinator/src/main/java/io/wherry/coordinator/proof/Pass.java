package io.wherry.coordinator.proof;

import io.wherry.contract.postgres.Lsn;
import io.wherry.coordinator.recheck.Recheck;
import java.sql.SQLException;

/**
 * Compares all rows of one table, a bounded part at each step, while applications write. It begins when the target has applied
 * everything up to the position from which on the witness names every change.
 *
 * <p><b>Why two moments prove equality.</b> A row that the witness has not named has had one value on the source since that position,
 * and one on the target since the target has passed it. So equal sums at any two later moments mean equal rows for ever. A row that
 * the witness has named is compared by its key. Of a part with unequal sums, each row that differs becomes a suspect, so that
 * every row of the part is equal or in the set.
 *
 * <p>A suspect of a pass obeys the rule of {@link Recheck}: its LSN is read after both sides. A pass and the rechecks of a table belong
 * to one thread. Counterexample: the witness names a key between the pass' reads, another thread takes the key and finds it
 * equal, and then the pass, which knows nothing of that, makes the key a suspect.
 */
sealed interface Pass permits RangePass, BlockPass, WholePass {
    /** Keys that differ in one part. Beyond this number, names have no use, and the table differs widely. */
    int MOST_DIFFERING = 10_000;

    /** SQLSTATE of a statement that was cancelled, by its time limit or by another session. */
    String CANCELED = "57014";

    /** Whether a failure is one of this table: another shape, a missing right, or a value that cannot be read. */
    static boolean concernsOne(SQLException failure) {
        String state = String.valueOf(failure.getSQLState());
        return state.startsWith("42") || state.startsWith("22");
    }

    /** What a step has come to. */
    enum Kind {
        MORE,
        DONE,
        /** Nothing may be compared yet. */
        WAIT,
        /** The table as a whole holds other rows. */
        DIFFERS,
        /** The table cannot be proven this way. */
        PROBLEM
    }

    /**
     * What a step has come to, and why.
     *
     * @param problem empty unless there is one
     */
    record Step(Kind kind, String problem) {
        static final Step MORE = new Step(Kind.MORE, "");
        static final Step DONE = new Step(Kind.DONE, "");
        static final Step WAIT = new Step(Kind.WAIT, "");

        static Step problem(String problem) {
            return new Step(Kind.PROBLEM, problem);
        }
    }

    /**
     * Compares the next part.
     *
     * @param passed as in {@link Recheck}
     * @throws SQLException when a side fails; the next step repeats the part
     */
    Step step(SqlSides sides, Lsn passed) throws SQLException;

    /** Rows compared so far. */
    long rows();
}
