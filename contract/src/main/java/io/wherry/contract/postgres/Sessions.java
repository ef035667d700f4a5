package io.wherry.contract.postgres;

import io.wherry.contract.config.Endpoint;
import io.wherry.contract.config.Migration;
import java.sql.Connection;
import java.sql.DriverManager;
import java.sql.PreparedStatement;
import java.sql.SQLException;
import java.sql.Statement;
import java.util.List;
import java.util.Map;
import java.util.Properties;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;
import java.util.regex.Matcher;

/** PostgreSQL sessions with pinned output settings, so that both sides write and read every value as the same text. */
public final class Sessions {
    /** Prefix of every application_name of Wherry's sessions: the fence recognises Wherry's sessions by it. */
    public static final String APPLICATION = "wherry ";

    /** How often a standby checks whether the lock of {@link #openLock} is free, in ms. */
    public static final long LOCK_POLL_MILLIS = 500;

    private static final int CONNECT_SECONDS = 10;
    private static final int LOGIN_SECONDS = 30;

    // The driver sends the time zone of its machine after Wherry's options, so the options do not pin the time zone.
    private static final String ZONE = "SET timezone TO 'UTC'";
    // A setting that the server does not know, or does not let this role set.
    private static final Set<String> SETTING_REFUSED = Set.of("42704", "42501", "22023", "55P02");
    private static final Map<Role, Server> SERVERS = new ConcurrentHashMap<>();

    private record Role(String url, String user) {}

    /** @param privileged whether the role may set what only superusers may */
    private record Server(int major, boolean privileged) {
        String options() {
            return PinnedSettings.options(major, privileged);
        }
    }

    /** Opens a session with the start-up options given. */
    private interface Opener {
        Connection open(String options) throws SQLException;
    }

    private Sessions() {}

    /**
     * Opens an ordinary session in auto-commit mode.
     *
     * @param purpose shown in {@code pg_stat_activity} after {@link #APPLICATION} and the migration's name
     */
    public static Connection open(Migration migration, Endpoint endpoint, String purpose) throws SQLException {
        return open(migration, endpoint, properties(migration, endpoint, purpose));
    }

    /** As {@link #open}, but the simple query protocol sends the statements as they are, several in one text. */
    public static Connection openForScripts(Migration migration, Endpoint endpoint, String purpose)
            throws SQLException {
        Properties properties = properties(migration, endpoint, purpose);
        properties.setProperty("preferQueryMode", "simple");
        return open(migration, endpoint, properties);
    }

    /** Gives an open session another purpose. */
    public static void rename(Connection session, Migration migration, String purpose) throws SQLException {
        try (PreparedStatement statement =
                session.prepareStatement("SELECT pg_catalog.set_config('application_name', ?, false)")) {
            statement.setString(1, name(migration, purpose));
            statement.execute();
        }
    }

    private static String name(Migration migration, String purpose) {
        return APPLICATION + migration.name() + " " + purpose;
    }

    /** Resets a session to the state of a new one. */
    public static void reset(Connection session) throws SQLException {
        try (Statement statement = session.createStatement()) {
            statement.execute("DISCARD ALL");
            statement.execute(ZONE);
        }
    }

    /** Start-up options that pin what every Wherry session depends on, for programs that open their own sessions. */
    public static String options(Migration migration, Endpoint endpoint) throws SQLException {
        Server known = SERVERS.get(new Role(endpoint.url(), endpoint.user()));
        return (known == null ? ask(migration, endpoint) : known).options();
    }

    /** Pins the remaining settings in a session that another program has opened with {@link #options}. */
    public static String pinTheRest() {
        return ZONE;
    }

    /** Driver parameters of {@link #open}'s sessions without the login, for other code that uses the same driver. */
    public static Map<String, String> driverParameters() {
        return Map.of("tcpKeepAlive", "true", "socketFactory", KeptAliveSockets.class.getName());
    }

    private static Connection open(Migration migration, Endpoint endpoint, Properties properties) throws SQLException {
        Connection session = pinned(migration, endpoint, options -> {
            properties.setProperty("options", options);
            return connect(endpoint, properties);
        });
        try (Statement statement = session.createStatement()) {
            statement.execute(ZONE);
        } catch (SQLException e) {
            session.close();
            throw e;
        }
        return session;
    }

    /** With the options that this server now accepts from this role; they may have changed since the last session. */
    private static Connection pinned(Migration migration, Endpoint endpoint, Opener opener) throws SQLException {
        Server known = SERVERS.get(new Role(endpoint.url(), endpoint.user()));
        if (known != null) {
            try {
                Connection session = opener.open(known.options());
                if (session.getMetaData().getDatabaseMajorVersion() == known.major()) {
                    return session;
                }
                session.close();
            } catch (SQLException e) {
                if (!SETTING_REFUSED.contains(state(e))) {
                    throw e;
                }
            }
        }
        return opener.open(ask(migration, endpoint).options());
    }

    /** Which settings the server has, and which of them the role may set. */
    private static Server ask(Migration migration, Endpoint endpoint) throws SQLException {
        Properties properties = properties(migration, endpoint, "probe");
        properties.setProperty("options", PinnedSettings.options());
        int major;
        try (Connection session = connect(endpoint, properties)) {
            major = session.getMetaData().getDatabaseMajorVersion();
        }
        // In a second session, because only that one has every time limit off.
        properties.setProperty("options", PinnedSettings.options(major, false));
        try (Connection session = connect(endpoint, properties)) {
            List<String> lost = PinnedSettings.notInForce(session, major);
            if (!lost.isEmpty()) {
                throw new PoolerException(
                        "a connection pooler", "leaves out a session's options, such as " + lost.get(0), null);
            }
            Server server = new Server(major, PinnedSettings.maySetPrivileged(session, major));
            SERVERS.put(new Role(endpoint.url(), endpoint.user()), server);
            return server;
        }
    }

    private static Connection connect(Endpoint endpoint, Properties properties) throws SQLException {
        try {
            return DriverManager.getConnection(endpoint.url(), properties);
        } catch (SQLException e) {
            PoolerException pooler = PoolerException.of(e);
            throw pooler == null ? e : pooler;
        }
    }

    /**
     * Opens an ordinary session whose {@code search_path} is pinned too, but not the value that RESET restores: scripts of
     * extensions read that value (PostGIS's Tiger geocoder), and would not find other schemas' tables if it were pinned.
     *
     * @param reset the value that RESET restores, as SQL text; empty = the server's value for the role and the database
     */
    public static Connection openForSchema(Migration migration, Endpoint endpoint, String purpose, String reset)
            throws SQLException {
        Properties properties = properties(migration, endpoint, purpose);
        properties.setProperty("preferQueryMode", "simple");
        String path = reset.isEmpty()
                ? ""
                : "-c search_path=" + reset.replace("\\", "\\\\").replace(" ", "\\ ");
        Connection session = pinned(migration, endpoint, options -> {
            properties.setProperty(
                    "options", options.replaceFirst("-c search_path=\\S+", Matcher.quoteReplacement(path)));
            return connect(endpoint, properties);
        });
        try (Statement statement = session.createStatement()) {
            statement.execute(ZONE);
            statement.execute("SET search_path = pg_catalog");
            return session;
        } catch (SQLException e) {
            session.close();
            throw e;
        }
    }

    /**
     * Opens a session that holds a lock for an instance, so that a second instance waits. When this machine vanishes, the server
     * ends the session, and so the lock, within nine seconds; with {@link #LOCK_POLL_MILLIS} a second instance has the lock
     * within ten.
     */
    public static Connection openLock(Migration migration, Endpoint endpoint, String purpose) throws SQLException {
        Connection session = open(migration, endpoint, purpose);
        // Keep-alive does not cover an answer on its way to a peer that has vanished; tcp_user_timeout exists since
        // 12.
        try (Statement statement = session.createStatement()) {
            statement.execute("SELECT pg_catalog.set_config(name, CASE name WHEN 'tcp_keepalives_idle' THEN '3'"
                    + " WHEN 'tcp_keepalives_interval' THEN '2' WHEN 'tcp_keepalives_count' THEN '3' ELSE '9000' END, false)"
                    + " FROM pg_catalog.pg_settings WHERE name IN ('tcp_keepalives_idle', 'tcp_keepalives_interval',"
                    + " 'tcp_keepalives_count', 'tcp_user_timeout')");
        } catch (SQLException e) {
            session.close();
            throw e;
        }
        return session;
    }

    /**
     * Ends sessions that a predecessor has left in this database. A session that hangs, or whose machine has vanished, would keep
     * its transactions, and their locks would block the successor as long.
     *
     * @param purpose prefix of the purpose of these sessions; the given session must have another one
     */
    public static void endOthers(Connection session, Migration migration, String purpose) throws SQLException {
        try (PreparedStatement statement = session.prepareStatement("SELECT pg_catalog.pg_terminate_backend(pid)"
                + " FROM pg_catalog.pg_stat_activity WHERE datname = pg_catalog.current_database()"
                + " AND usename = session_user AND pg_catalog.left(application_name, pg_catalog.length(?)) = ?")) {
            String prefix = name(migration, purpose);
            statement.setString(1, prefix);
            statement.setString(2, prefix);
            statement.execute();
        }
    }

    /** Opens a session for the replication protocol ({@code CREATE_REPLICATION_SLOT} and the like). */
    public static Connection openReplication(Migration migration, Endpoint endpoint, String purpose)
            throws SQLException {
        Properties properties = properties(migration, endpoint, purpose);
        properties.setProperty("replication", "database");
        properties.setProperty("preferQueryMode", "simple");
        properties.setProperty("assumeMinServerVersion", "10");
        return open(migration, endpoint, properties);
    }

    /** Whether a session was not opened because TLS failed: the certificate is not trusted, or is for another host name. */
    public static boolean isTlsProblem(SQLException failure) {
        String message = String.valueOf(failure.getMessage());
        return message.contains("SSL") || message.contains("hostnameverifier") || message.contains("certificate");
    }

    /**
     * SQLSTATE of a failure. The driver gives none, or an empty one, when the driver itself fails, for example while it closes a
     * broken connection. Such a failure counts as a connection failure, {@code 08000}.
     */
    public static String state(SQLException failure) {
        String state = failure.getSQLState();
        return state == null || state.isEmpty() ? "08000" : state;
    }

    private static Properties properties(Migration migration, Endpoint endpoint, String purpose) {
        Properties properties = new Properties();
        properties.setProperty("user", endpoint.user());
        properties.setProperty("password", endpoint.password());
        properties.setProperty("ApplicationName", name(migration, purpose));
        properties.setProperty("loginTimeout", Integer.toString(LOGIN_SECONDS));
        properties.setProperty("connectTimeout", Integer.toString(CONNECT_SECONDS));
        driverParameters().forEach(properties::setProperty);
        return properties;
    }
}
