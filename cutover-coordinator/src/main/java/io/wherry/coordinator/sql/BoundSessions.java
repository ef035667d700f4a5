package io.wherry.coordinator.sql;

import io.wherry.contract.config.Endpoint;
import io.wherry.contract.config.Migration;
import io.wherry.contract.postgres.Sessions;
import io.wherry.coordinator.thread.Threads;
import java.sql.Connection;
import java.sql.SQLException;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.stream.Collectors;
import org.postgresql.PGConnection;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Sessions whose work ends with them: a query of hours on a side that nobody waits for any more would still load it, and a source
 * that serves again most of all. Closing ends each on its server, whatever it does there. A thread that goes on afterwards
 * can neither use its session nor open another. Safe for use by several threads.
 */
public final class BoundSessions implements AutoCloseable {
    private static final Logger LOG = LoggerFactory.getLogger(BoundSessions.class);

    /** Begins the purpose of each session on the source that belongs to a window: whoever opens the source again ends them first. */
    public static final String OF_WINDOW = "window ";

    private static final long LATER_MILLIS = 500;

    private static final String END = "SELECT pg_terminate_backend(pid)::text FROM pg_catalog.pg_stat_activity"
            + " WHERE pid = ANY (?) AND usename = current_user AND application_name LIKE '" + Sessions.APPLICATION
            + "%'";

    private final Migration migration;
    private final Window window;
    private final Map<Connection, Backend> open = new HashMap<>();
    private boolean closed;

    private record Backend(Endpoint server, int pid) {}

    /** Sessions that end when they are closed. */
    public BoundSessions(Migration migration) {
        this(migration, null);
    }

    /** Sessions that end when the window does, at the latest; and each of their statements, should this process be killed. */
    public BoundSessions(Migration migration, Window window) {
        this.migration = migration;
        this.window = window;
        if (window != null) {
            window.atEnd(this::close);
        }
    }

    /**
     * Opens one.
     *
     * @throws SQLException also when these sessions are closed
     */
    public Connection open(Endpoint endpoint, String purpose) throws SQLException {
        boolean ofWindow = window != null && endpoint.equals(migration.source());
        Connection session = Sessions.open(migration, endpoint, (ofWindow ? OF_WINDOW : "") + purpose);
        if (!keep(
                session,
                new Backend(endpoint, session.unwrap(PGConnection.class).getBackendPID()))) {
            session.close();
            throw new SQLException("what " + purpose + " was for has ended", "57014");
        }
        bound(session);
        return session;
    }

    private synchronized boolean keep(Connection session, Backend backend) {
        if (!closed) {
            open.keySet().removeIf(BoundSessions::isClosed);
            open.put(session, backend);
        }
        return !closed;
    }

    private void bound(Connection session) throws SQLException {
        // From 14 on: a client that is gone is noticed while the query runs.
        Queries.strings(
                session,
                "SELECT set_config(name, '2s', false) FROM pg_catalog.pg_settings"
                        + " WHERE name = 'client_connection_check_interval'");
        if (window != null) {
            // A little later than the window ends them, which can say why.
            Queries.execute(session, "SET statement_timeout = " + Math.max(1, window.leftMillis() + LATER_MILLIS));
        }
    }

    @Override
    public void close() {
        Map<Connection, Backend> left = takeAll();
        if (!left.isEmpty()) {
            // On a thread of its own: whoever closes them may be interrupted, and then could not open a session.
            Thread ending = Threads.named("wherry-sessions-end").newThread(() -> end(left));
            ending.start();
            Threads.join(ending, 0);
        }
    }

    private synchronized Map<Connection, Backend> takeAll() {
        closed = true;
        open.keySet().removeIf(BoundSessions::isClosed);
        Map<Connection, Backend> all = Map.copyOf(open);
        open.clear();
        return all;
    }

    private void end(Map<Connection, Backend> left) {
        left.values().stream()
                .collect(Collectors.groupingBy(Backend::server, Collectors.mapping(Backend::pid, Collectors.toList())))
                .forEach(this::end);
        left.keySet().forEach(BoundSessions::abort);
    }

    // Not cancelled: one that begins its next query just after would go on with it.
    private void end(Endpoint server, List<Integer> pids) {
        try (Connection session = Sessions.open(migration, server, "end")) {
            Queries.strings(session, END, (Object) pids.toArray(Integer[]::new));
        } catch (SQLException e) {
            LOG.warn("Cannot end {} sessions on {}: {}", pids.size(), server, e.getMessage());
        }
    }

    private static boolean isClosed(Connection session) {
        try {
            return session.isClosed();
        } catch (SQLException e) {
            return true;
        }
    }

    private static void abort(Connection session) {
        try {
            session.abort(Runnable::run);
        } catch (SQLException e) {
            LOG.debug("A session could not be ended", e);
        }
    }
}
