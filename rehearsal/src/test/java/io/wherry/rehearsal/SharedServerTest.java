package io.wherry.rehearsal;

import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.sql.Connection;
import java.sql.DriverManager;
import java.sql.SQLException;
import java.sql.Statement;
import java.time.Duration;
import java.util.Properties;
import org.junit.jupiter.api.Test;

/** What a test leaves on a server that others use after it. */
final class SharedServerTest {
    private final SharedServer server = SharedServer.source(15);

    @Test
    void whatIsLeftIsNamedAndIsRemoved() throws SQLException {
        server.take();
        try (Connection session = open("postgres", "a test")) {
            execute(
                    session,
                    "CREATE ROLE left_role LOGIN",
                    "CREATE DATABASE left_database OWNER left_role",
                    "ALTER ROLE postgres SET work_mem = '5MB'",
                    "ALTER ROLE postgres NOLOGIN",
                    "ALTER SYSTEM SET work_mem = '6MB'");
        }
        server.clean(true);
        server.requireClean();
        try (Connection session = open("postgres", "a test")) {
            execute(session, "CREATE DATABASE left_database");
        }
        // Sessions, a slot and a prepared transaction, each of which keeps a database from being dropped.
        Connection session = open("left_database", "a test");
        execute(
                session,
                "SELECT pg_create_logical_replication_slot('left_slot', 'pgoutput')",
                "BEGIN",
                "CREATE TABLE public.t ()",
                "PREPARE TRANSACTION 'left'");
        assertThatThrownBy(server::requireClean)
                .isInstanceOf(AssertionError.class)
                .hasMessageContainingAll("source server of version 15", "left_database", "left_slot");
        server.clean(true);
        server.requireClean();
        assertThatThrownBy(() -> execute(session, "SELECT 1")).isInstanceOf(SQLException.class);
    }

    @Test
    void aSessionThatAClosedServiceLeavesFailsItsTest() throws SQLException {
        server.take();
        try (Connection ours = open("postgres", "wherry leaking sink worker 0")) {
            execute(ours, "SELECT 'its last query'");
            assertThatThrownBy(() -> server.clean(true, Duration.ofMillis(300)))
                    .isInstanceOf(AssertionError.class)
                    .hasMessageContainingAll(
                            "source server of version 15", "wherry leaking sink worker 0", "its last query");
        }
        server.requireClean();
        // Of a process that was killed the server may hear later.
        try (Connection killed = open("postgres", "wherry leaking sink worker 0")) {
            server.clean(false);
            assertThatThrownBy(() -> execute(killed, "SELECT 1")).isInstanceOf(SQLException.class);
        }
    }

    private Connection open(String database, String name) throws SQLException {
        Properties properties = new Properties();
        properties.setProperty("user", server.postgres().superuser());
        properties.setProperty("password", server.postgres().password());
        properties.setProperty("ApplicationName", name);
        return DriverManager.getConnection(server.postgres().jdbcUrl(database), properties);
    }

    private static void execute(Connection session, String... statements) throws SQLException {
        try (Statement statement = session.createStatement()) {
            for (String sql : statements) {
                statement.execute(sql);
            }
        }
    }
}
