package io.wherry.source;

import io.wherry.contract.config.Migration;
import io.wherry.contract.error.RetryableException;
import io.wherry.contract.postgres.Sessions;
import io.wherry.contract.record.Heartbeat;
import io.wherry.contract.service.Interruption;
import io.wherry.contract.service.Resources;
import java.nio.charset.StandardCharsets;
import java.sql.Connection;
import java.sql.PreparedStatement;
import java.sql.ResultSet;
import java.sql.SQLException;
import java.util.function.BooleanSupplier;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Makes one source-connector of a migration act and others wait: a session-level advisory lock on the source. A standby
 * must wait here, before it starts a producer: that would fence the one that acts. The heartbeat goes over the same
 * session, so that a lost lock is noticed within a second.
 */
final class InstanceLock implements AutoCloseable {
    private static final Logger LOG = LoggerFactory.getLogger(InstanceLock.class);
    private static final int NETWORK_TIMEOUT_MILLIS = 15_000;
    private static final long NAMESPACE = 0x57686572L << 32;

    private final Connection session;

    private InstanceLock(Connection session) {
        this.session = session;
    }

    /**
     * Waits until the lock is ours.
     *
     * @param closing gives up when true
     * @return the lock, or null when given up
     */
    static InstanceLock acquire(Migration migration, BooleanSupplier closing) throws SQLException {
        Connection session = Sessions.openLock(migration, migration.source(), "source lock");
        boolean kept = false;
        try {
            // A source that is gone without a word must not keep a zombie believing in its lock.
            session.setNetworkTimeout(Runnable::run, NETWORK_TIMEOUT_MILLIS);
            long key = NAMESPACE | Integer.toUnsignedLong(fnv(migration.name()));
            for (boolean told = false; !closing.getAsBoolean(); told = true) {
                if (tryLock(session, key)) {
                    kept = true;
                    // It would go on writing to the lanes, between our blocks.
                    Sessions.endOthers(session, migration, "load ");
                    return new InstanceLock(session);
                }
                if (!told) {
                    LOG.info("another source-connector of {} is at work; waiting as its standby", migration.name());
                }
                Thread.sleep(Sessions.LOCK_POLL_MILLIS);
            }
            return null;
        } catch (InterruptedException e) {
            throw Interruption.during("wait for the instance lock", e);
        } finally {
            if (!kept) {
                Resources.closeQuietly(session);
            }
        }
    }

    /**
     * Emits a heartbeat, which also proves that the lock is still held.
     *
     * @throws RetryableException when the session is lost, and the lock with it
     */
    void heartbeat() {
        try {
            Heartbeat.emit(session);
        } catch (SQLException e) {
            throw new RetryableException(
                    "hold", "the instance lock", e.getMessage(), "Check that the source is reachable", e);
        }
    }

    private static boolean tryLock(Connection session, long key) throws SQLException {
        try (PreparedStatement statement = session.prepareStatement("SELECT pg_catalog.pg_try_advisory_lock(?)")) {
            statement.setLong(1, key);
            try (ResultSet row = statement.executeQuery()) {
                row.next();
                return row.getBoolean(1);
            }
        }
    }

    /** FNV-1a: the same number in every release, unlike a JVM's hash codes by promise. */
    private static int fnv(String text) {
        int hash = 0x811C9DC5;
        for (byte b : text.getBytes(StandardCharsets.UTF_8)) {
            hash = (hash ^ b & 0xFF) * 0x01000193;
        }
        return hash;
    }

    /** Gives the lock to whoever waits. */
    @Override
    public void close() {
        Resources.closeQuietly(session);
    }
}
