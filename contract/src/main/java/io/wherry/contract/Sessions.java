package io.wherry.contract;

import java.sql.Connection;
import java.sql.DriverManager;
import java.sql.PreparedStatement;
import java.sql.SQLException;
import java.sql.Statement;
import java.util.Properties;

/** PostgreSQL sessions with output settings pinned, so that both sides write and read every value's text alike. */
public final class Sessions {
    /** Begins every application_name of ours: how the fence tells our sessions from foreign ones. */
    public static final String APPLICATION = "wherry ";

    /**
     * Start-up options: {@code ALTER ROLE/DATABASE … SET} cannot override them. Database settings such as
     * {@code bytea_output=escape} or {@code array_nulls=off} would otherwise alter values (measured), and a role's search_path
     * the meaning of names.
     */
    public static final String PINNED = "-c timezone=UTC -c datestyle=ISO -c intervalstyle=postgres"
            + " -c extra_float_digits=3 -c bytea_output=hex -c lc_monetary=C -c xmloption=content"
            + " -c array_nulls=on -c quote_all_identifiers=off -c default_transaction_isolation=read\\ committed"
            + " -c search_path=pg_catalog -c statement_timeout=0 -c lock_timeout=0"
            + " -c idle_in_transaction_session_timeout=0 -c standard_conforming_strings=on -c row_security=off"
            + " -c default_transaction_read_only=off";

    /** How often a standby looks whether the lock of {@link #openLock} is free, in ms. */
    public static final long LOCK_POLL_MILLIS = 500;

    private static final int CONNECT_SECONDS = 10;
    private static final int LOGIN_SECONDS = 30;

    private Sessions() {}

    /**
     * Opens an ordinary session in auto-commit mode.
     *
     * @param purpose shown in {@code pg_stat_activity} after {@link #APPLICATION} and the migration's name
     */
    public static Connection open(Migration migration, Endpoint endpoint, String purpose) throws SQLException {
        return DriverManager.getConnection(endpoint.url(), properties(migration, endpoint, purpose));
    }

    /**
     * Opens a session that holds a lock for an instance, so that its twin waits. When this machine is gone without a word the
     * server ends the session, and with it the lock, within nine seconds; with {@link #LOCK_POLL_MILLIS} a twin has it within ten.
     */
    public static Connection openLock(Migration migration, Endpoint endpoint, String purpose) throws SQLException {
        Connection session = open(migration, endpoint, purpose);
        // Of an answer on its way to a peer that is gone, keep-alive knows nothing; tcp_user_timeout exists since 12.
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
     * Ends what a predecessor has left of its sessions in this database. One that hangs, or whose machine is gone without a word,
     * would keep its transactions, and hold its successor up with their locks for as long.
     *
     * @param purpose how their purpose begins; not that of the session given
     */
    public static void endOthers(Connection session, Migration migration, String purpose) throws SQLException {
        try (PreparedStatement statement = session.prepareStatement("SELECT pg_catalog.pg_terminate_backend(pid)"
                + " FROM pg_catalog.pg_stat_activity WHERE datname = pg_catalog.current_database()"
                + " AND usename = current_user AND pg_catalog.left(application_name, pg_catalog.length(?)) = ?")) {
            String prefix = APPLICATION + migration.name() + " " + purpose;
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
        return DriverManager.getConnection(endpoint.url(), properties);
    }

    /** Whether a session was not opened because TLS failed: a certificate that is not trusted, or for another host name. */
    public static boolean isTlsProblem(SQLException failure) {
        String message = String.valueOf(failure.getMessage());
        return message.contains("SSL") || message.contains("hostnameverifier") || message.contains("certificate");
    }

    /**
     * SQLSTATE of a failure. The driver gives none, or an empty one, when it fails itself, as while it closes a connection that
     * broke: such a failure counts as one of the connection, {@code 08000}.
     */
    public static String state(SQLException failure) {
        String state = failure.getSQLState();
        return state == null || state.isEmpty() ? "08000" : state;
    }

    private static Properties properties(Migration migration, Endpoint endpoint, String purpose) {
        Properties properties = new Properties();
        properties.setProperty("user", endpoint.user());
        properties.setProperty("password", endpoint.password());
        properties.setProperty("ApplicationName", APPLICATION + migration.name() + " " + purpose);
        properties.setProperty("options", PINNED);
        properties.setProperty("loginTimeout", Integer.toString(LOGIN_SECONDS));
        properties.setProperty("connectTimeout", Integer.toString(CONNECT_SECONDS));
        properties.setProperty("tcpKeepAlive", "true");
        return properties;
    }
}
