package io.wherry.source.server;

import io.wherry.contract.service.Interruption;
import java.sql.Connection;
import java.sql.ResultSet;
import java.sql.SQLException;
import java.sql.Statement;
import java.util.function.BooleanSupplier;

/** Waits for the transactions that are running at some moment. */
final class Horizon {
    private static final long POLL_MILLIS = 500;

    private Horizon() {}

    /**
     * A transaction number that is higher than the number of every transaction that has one now. This call uses the number up.
     *
     * <p>The xmax of a snapshot does not serve: it is one above the last transaction that has <em>ended</em>. A transaction that
     * started later and is still running has this number or a higher one, and would not be waited for.
     *
     * @param session in auto-commit mode
     */
    static long next(Connection session) throws SQLException {
        return number(session, "SELECT txid_current()");
    }

    /**
     * Waits until every transaction with a lower number has ended.
     *
     * @param session in auto-commit mode
     * @param locks reports which transaction is waited for
     * @param closed ends the wait
     */
    static void await(Connection session, long next, TableLocks locks, BooleanSupplier closed) throws SQLException {
        try {
            while (number(session, "SELECT txid_snapshot_xmin(txid_current_snapshot())") < next
                    && !closed.getAsBoolean()) {
                locks.waitsToo(SourceWaits.oldest(session)
                        .map(oldest ->
                                "decoding needs the end of every transaction that has written until now; the oldest is "
                                        + oldest.text())
                        .orElse(null));
                Thread.sleep(POLL_MILLIS);
            }
        } catch (InterruptedException e) {
            throw Interruption.during("wait for running transactions", e);
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
