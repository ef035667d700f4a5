package io.wherry.source;

import io.wherry.contract.config.Migration;
import io.wherry.contract.postgres.Sessions;
import java.sql.Connection;
import java.sql.SQLException;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;

/**
 * Sessions on the source that can be broken off from another thread: making a slot waits for other people's transactions, and a
 * COPY for its rows, longer than anybody who closes wants to wait. Safe for use by several threads.
 */
final class OpenSessions implements AutoCloseable {
    private final Migration migration;
    private final Set<Connection> sessions = ConcurrentHashMap.newKeySet();
    private volatile boolean closed;

    OpenSessions(Migration migration) {
        this.migration = migration;
    }

    Connection open(String purpose) throws SQLException {
        return keep(Sessions.open(migration, migration.source(), purpose));
    }

    /** A session for the replication protocol. */
    Connection openReplication(String purpose) throws SQLException {
        return keep(Sessions.openReplication(migration, migration.source(), purpose));
    }

    void release(Connection session) {
        if (session != null) {
            sessions.remove(session);
            Quietly.close(session);
        }
    }

    private Connection keep(Connection session) throws SQLException {
        sessions.add(session);
        if (closed) {
            session.abort(Runnable::run);
        }
        return session;
    }

    boolean closed() {
        return closed;
    }

    /** Breaks off every session, and those opened later at once. */
    @Override
    public void close() {
        closed = true;
        for (Connection session : sessions) {
            Quietly.close(() -> session.abort(Runnable::run));
        }
    }
}
