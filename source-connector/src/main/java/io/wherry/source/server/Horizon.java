package io.wherry.source.server;

import io.wherry.contract.service.Interruption;
import java.sql.Connection;
import java.sql.ResultSet;
import java.sql.SQLException;
import java.sql.Statement;
import java.util.function.BooleanSupplier;

/** Waits for the transactions that run at some moment. */
final class Horizon {
    private static final long POLL_MILLIS = 500;

    private Horizon() {}

    /**
     * Every transaction that has a number now has a lower one than this, which is used up.
     *
     * <p>Not the snapshot's xmax: that is one past the last transaction that has <em>ended</em>. A transaction that began later and
     * still runs has this very number or a higher one, and would not be waited for.
     *
     * @param session in auto-commit mode
     */
    static long next(Connection session) throws SQLException {
        return number(session, "SELECT txid_current()");
    }

    /**
     * Waits until every transaction of a lower number has ended.
     *
     * @param session in auto-commit mode
     * @param locks tells whom is waited for
     * @param closed ends the wait
     */
    static void await(Connection session, long next, TableLocks locks, BooleanSupplier closed) throws SQLException {
        try {
            while (number(session, "SELECT txid_snapshot_xmin(txid_current_snapshot())") < next
                    && !closed.getAsBoolean()) {
                locks.waitsToo(SourceWaits.oldest(session)
                        .map(oldest ->
                                "to decode what comes, the end of every transaction is needed that has written by now; the"
                                        + " oldest is " + oldest.text())
                        .orElse(null));
                Thread.sleep(POLL_MILLIS);
            }
        } catch (InterruptedException e) {
            throw Interruption.during("wait for the transactions that run now", e);
        } finally {
            locks.waitsToo(null);
        }
    }

    private static long number(Connection session, String sql) throws SQLException {
        try (Statement statement = session.createStatement();
                ResultSet row = statement.executeQuery(sql)) {
            row.next();
            return row.getLong(1);
        }
    }
}
