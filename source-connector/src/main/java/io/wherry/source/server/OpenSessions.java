package io.wherry.source.server;

import io.wherry.contract.config.CaptureGroup;
import io.wherry.contract.postgres.Sessions;
import io.wherry.contract.service.Resources;
import java.sql.Connection;
import java.sql.SQLException;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;

/**
 * Sessions on the source that another thread can abort. Creating a slot waits for the transactions of applications, and a COPY
 * waits for its rows. Either may take longer than the end of the service may wait. Safe for use by several threads.
 */
public final class OpenSessions implements AutoCloseable {
    private final CaptureGroup group;
    private final Set<Connection> sessions = ConcurrentHashMap.newKeySet();
    private volatile boolean closed;

    public OpenSessions(CaptureGroup group) {
        this.group = group;
    }

    public Connection open(String purpose) throws SQLException {
        return keep(Sessions.open(group.migration(), group.from(), purpose));
    }

    /** A session for the replication protocol. */
    public Connection openReplication(String purpose) throws SQLException {
        return keep(Sessions.openReplication(group.migration(), group.from(), purpose));
    }

    public void release(Connection session) {
        if (session != null) {
            sessions.remove(session);
            Resources.closeQuietly(session);
        }
    }

    private Connection keep(Connection session) throws SQLException {
        sessions.add(session);
        if (closed) {
            session.abort(Runnable::run);
        }
        return session;
    }

    public boolean closed() {
        return closed;
    }

    /** Aborts every open session. A session that is opened later is aborted at once. */
    @Override
    public void close() {
        closed = true;
        for (Connection session : sessions) {
            Resources.closeQuietly(() -> session.abort(Runnable::run));
        }
    }
}
