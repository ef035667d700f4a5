package io.wherry.random;

import java.io.IOException;
import java.io.StringReader;
import java.sql.Connection;
import java.sql.DriverManager;
import java.sql.SQLException;
import java.sql.Statement;
import java.util.HashMap;
import java.util.Map;
import java.util.Properties;
import org.postgresql.PGConnection;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Runs the steps of a history one at a time, each in the connection of its session, as an application would: the server may
 * refuse a statement. Only one thread may use it.
 */
public final class HistoryRunner implements AutoCloseable {
    private static final Logger LOG = LoggerFactory.getLogger(HistoryRunner.class);
    // Steps run one at a time, so a session that waits for another session's lock would wait forever.
    private static final String OPTIONS =
            "-c lock_timeout=50ms -c timezone=UTC -c datestyle=ISO -c intervalstyle=postgres -c extra_float_digits=3"
                    + " -c bytea_output=hex -c lc_monetary=C -c xmloption=content";

    private final String url;
    private final Properties properties = new Properties();
    private final Map<Integer, Connection> sessions = new HashMap<>();
    private long accepted;
    private long refused;

    /** @param url without user and password */
    public HistoryRunner(String url, String user, String password) {
        this.url = url;
        properties.setProperty("user", user);
        properties.setProperty("password", password);
        properties.setProperty("ApplicationName", "history");
        properties.setProperty("options", OPTIONS);
        properties.setProperty("preferQueryMode", "simple");
    }

    /**
     * Runs a step.
     *
     * @return false = the server refused the statement
     * @throws SQLException when the session is lost; the next step of this session opens a new connection
     */
    public boolean run(HistoryStep step) throws SQLException {
        Connection session = session(step.session());
        try {
            execute(session, step);
            accepted++;
            return true;
        } catch (SQLException e) {
            if (!session.isValid(5)) {
                sessions.remove(step.session());
                session.close();
                throw e;
            }
            LOG.debug("refused: {}: {}", step.sql(), e.getMessage());
            refused++;
            return false;
        }
    }

    /** The number of statements that the servers carried out. */
    public long accepted() {
        return accepted;
    }

    /**
     * The number of statements that the server refused: a unique value was taken, a row was locked, the transaction had failed
     * before.
     */
    public long refused() {
        return refused;
    }

    private Connection session(int number) throws SQLException {
        Connection known = sessions.get(number);
        if (known == null) {
            Properties own = new Properties();
            own.putAll(properties);
            // After a failed statement, half of the sessions continue from a savepoint before each statement; the
            // others lose the transaction.
            own.setProperty("autosave", number % 2 == 0 ? "always" : "never");
            known = DriverManager.getConnection(url, own);
            sessions.put(number, known);
        }
        return known;
    }

    private static void execute(Connection session, HistoryStep step) throws SQLException {
        if (step.copies()) {
            try {
                session.unwrap(PGConnection.class).getCopyAPI().copyIn(step.sql(), new StringReader(step.data()));
            } catch (IOException e) {
                throw new SQLException(e);
            }
            return;
        }
        try (Statement statement = session.createStatement()) {
            statement.setEscapeProcessing(false);
            statement.execute(step.sql());
        }
    }

    /** Ends the sessions, and so their open transactions. */
    @Override
    public void close() throws SQLException {
        for (Connection session : sessions.values()) {
            session.close();
        }
        sessions.clear();
        LOG.info("history: {} statements accepted, {} refused", accepted, refused);
    }
}
