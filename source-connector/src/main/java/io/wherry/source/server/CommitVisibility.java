package io.wherry.source.server;

import io.wherry.contract.error.RetryableException;
import io.wherry.contract.service.Interruption;
import java.sql.Connection;
import java.sql.PreparedStatement;
import java.sql.ResultSet;
import java.sql.SQLException;
import java.util.concurrent.TimeUnit;

/**
 * Whether other sessions see what a transaction of the stream did. The server sends a transaction once its COMMIT is in the log.
 * Other sessions see the transaction only when it is no longer in the list of running transactions. With synchronous standbys it
 * stays in that list until the standbys have answered (PostgreSQL documentation, "Synchronous Replication"). Counterexample: one
 * transaction adds a column with a default and updates a row. The catalog, read as soon as the row has arrived, does not show the
 * column. So Wherry would not know that earlier rows hold the default, and on the target they would be NULL.
 */
public final class CommitVisibility {
    // The number in the stream is the lower half of the number in the snapshot, which includes the epoch.
    private static final String VISIBLE = """
            SELECT txid_visible_in_snapshot(
                     CASE WHEN near - top > 2147483648 THEN near - 4294967296
                          WHEN top - near > 2147483648 THEN near + 4294967296 ELSE near END, snapshot)
              FROM (SELECT snapshot, top, (top >> 32 << 32) | ? AS near
                      FROM (SELECT snapshot, txid_snapshot_xmax(snapshot) AS top
                              FROM (SELECT txid_current_snapshot() AS snapshot) s) t) n
            """;

    private static final long LONGEST_NANOS = TimeUnit.SECONDS.toNanos(30);

    private CommitVisibility() {}

    /**
     * Waits until the session's next statement sees the transaction.
     *
     * @param transaction its 32-bit number, unsigned
     * @throws RetryableException when that takes longer than half a minute
     */
    public static void await(Connection session, long transaction) throws SQLException {
        long began = System.nanoTime();
        try (PreparedStatement statement = session.prepareStatement(VISIBLE)) {
            statement.setLong(1, transaction);
            while (!isVisible(statement)) {
                if (System.nanoTime() - began > LONGEST_NANOS) {
                    throw new RetryableException(
                            "read the catalog after",
                            "transaction " + transaction,
                            "its session on the source is still waiting in COMMIT",
                            "Check that the source's synchronous standbys (synchronous_standby_names) are reachable");
                }
                Thread.sleep(1);
            }
        } catch (InterruptedException e) {
            throw Interruption.during("wait for a COMMIT", e);
        }
    }

    private static boolean isVisible(PreparedStatement statement) throws SQLException {
        try (ResultSet row = statement.executeQuery()) {
            row.next();
            return row.getBoolean(1);
        }
    }
}
