package io.wherry.source;

import io.wherry.contract.config.CaptureGroup;
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
 * A session-level advisory lock on the source, by which one source-connector of a migration acts and the others wait. A standby must
 * wait here before it starts a producer, because the producer would fence the instance that acts. The heartbeat uses the same session,
 * so a lost lock is noticed within a second.
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
     * Waits for the lock.
     *
     * @param closing true = stop waiting
     * @return the lock; null = {@code closing} came first
     */
    static InstanceLock acquire(CaptureGroup group, BooleanSupplier closing) throws SQLException {
        Connection session = Sessions.openLock(group.migration(), group.from(), "source lock");
        boolean kept = false;
        try {
            // If the source vanishes silently, a zombie must not continue to believe that it has the lock.
            session.setNetworkTimeout(Runnable::run, NETWORK_TIMEOUT_MILLIS);
            long key = NAMESPACE | Integer.toUnsignedLong(fnv(group.migration().name()));
            for (boolean logged = false; !closing.getAsBoolean(); logged = true) {
                if (tryLock(session, key)) {
                    kept = true;
                    // The readers of an earlier instance would continue to write to the lanes, between the new blocks.
                    Sessions.endOthers(session, group.migration(), "load ");
                    return new InstanceLock(session);
                }
                if (!logged) {
                    LOG.info(
                            "another source-connector of {} is running; waiting as a standby",
                            group.migration().name());
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

    /** FNV-1a: the same number in every release, which a JVM does not promise for its hash codes. */
    private static int fnv(String text) {
        int hash = 0x811C9DC5;
        for (byte b : text.getBytes(StandardCharsets.UTF_8)) {
            hash = (hash ^ b & 0xFF) * 0x01000193;
        }
        return hash;
    }

    /** Releases the lock; a waiting instance gets it. */
    @Override
    public void close() {
        Resources.closeQuietly(session);
    }
}
