package io.wherry.sink;

import io.wherry.contract.config.Migration;
import io.wherry.contract.error.ConfigurationException;
import io.wherry.contract.postgres.TargetState;
import java.sql.Connection;
import java.sql.PreparedStatement;
import java.sql.ResultSet;
import java.sql.SQLException;
import java.sql.Statement;
import java.util.OptionalLong;

/**
 * The right to apply. The lock keeps a second instance waiting. The lock is gone with its session, but the process may live on
 * behind a broken network and write through its other sessions. So each holder also takes an epoch, and every write checks the
 * epoch.
 */
final class Lease {
    /** First half of the lock's number, "wher": keeps Wherry's locks apart from those of applications. */
    private static final int LOCK_CLASS = 0x77686572;

    private static final String LOCK = "SELECT pg_try_advisory_lock(?, ?)";

    private static final String JOURNAL = "SELECT to_regclass('wherry.journal') IS NOT NULL";

    private static final String BEGUN = "SELECT EXISTS (SELECT FROM wherry.journal)";

    private Lease() {}

    /** Whether the coordinator has created the target's tables. */
    static boolean isTargetPrepared(Connection session) throws SQLException {
        return isTrue(session, JOURNAL) && isTrue(session, BEGUN);
    }

    /** @throws ConfigurationException when the target belongs to a migration of another name */
    static void requireOurs(Connection session, String owner) throws SQLException {
        try (Statement statement = session.createStatement();
                ResultSet row = statement.executeQuery("SELECT name FROM wherry.migration")) {
            if (row.next() && !row.getString(1).equals(owner)) {
                throw new ConfigurationException(
                        "target",
                        "belongs to another migration, " + row.getString(1),
                        "Give each migration a target database of its own");
            }
        }
    }

    /** Takes the lock for as long as the session lives, unless another instance holds it. */
    static boolean tryLock(Connection session, Migration migration) throws SQLException {
        try (PreparedStatement statement = session.prepareStatement(LOCK)) {
            statement.setInt(1, LOCK_CLASS);
            statement.setInt(2, ("sink " + migration.name()).hashCode());
            try (ResultSet row = statement.executeQuery()) {
                row.next();
                return row.getBoolean(1);
            }
        }
    }

    /**
     * Takes over: raises the epoch ({@link TargetState#raiseEpoch}). The caller ends the sessions of earlier holders first, as
     * their locks would block this statement.
     *
     * @return the new epoch; empty when the switch row is committed, so that no instance may apply any more
     */
    static OptionalLong takeOver(Connection session, int generation) throws SQLException {
        session.setAutoCommit(false);
        long epoch = TargetState.raiseEpoch(session);
        // After the epoch: the switch row's transaction raises the epoch too, and this transaction has waited for that
        // one.
        OptionalLong taken =
                TargetState.isSwitched(session, generation) ? OptionalLong.empty() : OptionalLong.of(epoch);
        if (taken.isPresent()) {
            session.commit();
        } else {
            session.rollback();
        }
        session.setAutoCommit(true);
        return taken;
    }

    private static boolean isTrue(Connection session, String sql) throws SQLException {
        try (Statement statement = session.createStatement();
                ResultSet row = statement.executeQuery(sql)) {
            row.next();
            return row.getBoolean(1);
        }
    }
}
