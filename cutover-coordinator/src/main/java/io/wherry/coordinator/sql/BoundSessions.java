package io.wherry.coordinator.sql;

import io.wherry.contract.config.Endpoint;
import io.wherry.contract.config.Flow;
import io.wherry.contract.postgres.Sessions;
import io.wherry.contract.service.Resources;
import io.wherry.coordinator.thread.Threads;
import java.sql.Connection;
import java.sql.SQLException;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.stream.Collectors;
import javax.sql.ConnectionEvent;
import javax.sql.ConnectionEventListener;
import org.postgresql.PGConnection;
import org.postgresql.ds.PGPooledConnection;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Sessions whose work ends with them. Otherwise a query of hours would still load a side after its result is no longer needed,
 * above all a source that serves again. Closing ends each session on its server, whatever the session does there. A thread that
 * continues afterwards can neither use its session nor open another. Safe for use by several threads.
 *
 * <p>Sessions of a window are lent: closing one gives it back, and the next {@link #open} for the same server takes it, because a login
 * costs tens of milliseconds while applications wait. So a session may have any purpose, one after another.
 */
public final class BoundSessions implements AutoCloseable {
    private static final Logger LOG = LoggerFactory.getLogger(BoundSessions.class);

    /**
     * Prefix of the purpose of each session on the source that belongs to a window: a coordinator that opens the source again ends
     * these sessions first.
     */
    public static final String OF_WINDOW = "window ";

    private static final long LATER_MILLIS = 500;
    private static final long END_MILLIS = 2_000;

    private static final String END = "SELECT pg_terminate_backend(pid)::text FROM pg_catalog.pg_stat_activity"
            + " WHERE pid = ANY (?) AND usename = current_user AND application_name LIKE '" + Sessions.APPLICATION
            + "%'";

    private final Flow flow;
    private final Window window;
    private final Map<Connection, Backend> open = new HashMap<>();
    private final List<Lent> idle = new ArrayList<>();
    private boolean closed;

    private record Backend(Endpoint server, int pid) {}

    /** A session that can be lent again and again. */
    private record Lent(Endpoint server, Connection physical, PGPooledConnection session) {}

    /** Sessions that end when this object is closed. */
    public BoundSessions(Flow flow) {
        this(flow, null);
    }

    /** Sessions that end with the window at the latest. If this process is killed, each statement of these sessions still ends by then. */
    public BoundSessions(Flow flow, Window window) {
        this.flow = flow;
        this.window = window;
        if (window != null) {
            window.atEnd(this::close);
        }
    }

    /**
     * Opens a session in auto-commit mode.
     *
     * @throws SQLException also when these sessions are closed
     */
    public Connection open(Endpoint endpoint, String purpose) throws SQLException {
        if (window == null) {
            return opened(endpoint, purpose);
        }
        String named = (endpoint.equals(flow.from()) ? OF_WINDOW : "") + purpose;
        for (Optional<Lent> kept = take(endpoint); kept.isPresent(); kept = take(endpoint)) {
            try {
                return lend(kept.get(), named);
            } catch (SQLException e) {
                LOG.debug("A session has ended while nobody used it", e);
            }
        }
        return lend(lent(endpoint, named), named);
    }

    /**
     * Opens sessions ahead, all at the same time: so that the window finds them open. A session that cannot be opened now is opened
     * when it is needed.
     *
     * @param each sessions on each side
     */
    public void openAhead(int each) {
        List<Thread> opening = new ArrayList<>();
        for (int i = 0; i < 2 * each; i++) {
            Endpoint endpoint = i % 2 == 0 ? flow.from() : flow.to();
            opening.add(Threads.named("wherry-sessions").newThread(() -> openAhead(endpoint)));
        }
        opening.forEach(Thread::start);
        opening.forEach(thread -> Threads.join(thread, 0));
    }

    private void openAhead(Endpoint endpoint) {
        try {
            Lent lent = lent(endpoint, endpoint.equals(flow.from()) ? OF_WINDOW : "window");
            giveBack(lent);
        } catch (SQLException e) {
            LOG.debug("A session could not be opened ahead", e);
        }
    }

    private Lent lent(Endpoint endpoint, String named) throws SQLException {
        Connection physical = opened(endpoint, named);
        Lent lent = new Lent(endpoint, physical, new PGPooledConnection(physical, true));
        lent.session().addConnectionEventListener(new ConnectionEventListener() {
            @Override
            public void connectionClosed(ConnectionEvent event) {
                giveBack(lent);
            }

            @Override
            public void connectionErrorOccurred(ConnectionEvent event) {
                LOG.debug("A session has failed", event.getSQLException());
            }
        });
        return lent;
    }

    private synchronized Optional<Lent> take(Endpoint endpoint) {
        Optional<Lent> found =
                idle.stream().filter(lent -> lent.server().equals(endpoint)).findFirst();
        found.ifPresent(idle::remove);
        return found;
    }

    private synchronized void giveBack(Lent lent) {
        if (closed) {
            Resources.closeQuietly(lent.physical());
        } else if (!isClosed(lent.physical())) {
            idle.add(lent);
        }
    }

    private Connection lend(Lent lent, String named) throws SQLException {
        Connection session = lent.session().getConnection();
        try {
            // A little later than the end of the window, which can give the reason.
            Sessions.rename(session, flow.migration(), named);
            Queries.execute(session, "SET statement_timeout = " + Math.max(1, window.leftMillis() + LATER_MILLIS));
            return session;
        } catch (SQLException e) {
            lent.session().close();
            throw e;
        }
    }

    private Connection opened(Endpoint endpoint, String purpose) throws SQLException {
        Connection session = Sessions.open(flow.migration(), endpoint, purpose);
        if (!keep(
                session,
                new Backend(endpoint, session.unwrap(PGConnection.class).getBackendPID()))) {
            session.close();
            throw new SQLException(
                    "session \"" + purpose + "\": the work that this session belongs to has ended", "57014");
        }
        // From version 14 on, the server notices during a query that the client is gone.
        Queries.strings(
                session,
                "SELECT set_config(name, '2s', false) FROM pg_catalog.pg_settings"
                        + " WHERE name = 'client_connection_check_interval'");
        return session;
    }

    private synchronized boolean keep(Connection session, Backend backend) {
        if (!closed) {
            open.keySet().removeIf(BoundSessions::isClosed);
            open.put(session, backend);
        }
        return !closed;
    }

    @Override
    public void close() {
        closeIdle();
        Map<Connection, Backend> left = takeAll();
        if (!left.isEmpty()) {
            // On a separate thread: the closing thread may be interrupted, and then could not open a session.
            Thread ending = Threads.named("wherry-sessions-end").newThread(() -> end(left));
            ending.start();
            // Not longer: a server that does not answer must not keep the thread that waits for its session.
            Threads.join(ending, END_MILLIS);
            left.keySet().forEach(BoundSessions::abort);
        }
    }

    /** These need no help of the server to end. */
    private synchronized void closeIdle() {
        closed = true;
        idle.forEach(lent -> Resources.closeQuietly(lent.physical()));
        idle.clear();
    }

    private synchronized Map<Connection, Backend> takeAll() {
        open.keySet().removeIf(BoundSessions::isClosed);
        Map<Connection, Backend> all = Map.copyOf(open);
        open.clear();
        return all;
    }

    private void end(Map<Connection, Backend> left) {
        left.values().stream()
                .collect(Collectors.groupingBy(Backend::server, Collectors.mapping(Backend::pid, Collectors.toList())))
                .forEach(this::end);
    }

    // Terminated, not cancelled: a session that starts its next query just after a cancel would run that query.
    private void end(Endpoint server, List<Integer> pids) {
        try (Connection session = Sessions.open(flow.migration(), server, "end")) {
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
