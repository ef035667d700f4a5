package io.wherry.cli;

import static org.assertj.core.api.Assertions.assertThat;

import io.wherry.embedded.Cache;
import io.wherry.embedded.PostgresServer;
import io.wherry.rehearsal.PostgresClientInstaller;
import io.wherry.rehearsal.servers.TestServers;
import java.io.PrintWriter;
import java.io.StringWriter;
import java.nio.file.Files;
import java.nio.file.Path;
import java.sql.Connection;
import java.sql.DriverManager;
import java.sql.ResultSet;
import java.sql.SQLException;
import java.sql.Statement;
import java.util.Map;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** A problem that prevents a start is one line with its remedy, before anything is changed. */
class CheckCommandTest {
    private static final TestServers SERVERS = TestServers.open();
    private static PostgresServer source;
    private static PostgresServer target;

    @TempDir
    private Path directory;

    private record Outcome(int code, String said) {}

    @BeforeAll
    static void startServers() throws SQLException {
        new PostgresClientInstaller(Cache.standard()).ensure(15);
        source = SERVERS.postgres("source", 15, Map.of());
        target = SERVERS.postgres("target", 15, Map.of());
        execute(source, "CREATE TABLE public.kept (id int PRIMARY KEY)", "CREATE ROLE plain LOGIN PASSWORD 'plain'");
    }

    @AfterAll
    static void stopServers() {
        SERVERS.close();
    }

    @Test
    void twoServersInOrderPass() throws Exception {
        Outcome outcome = check(file(""));
        assertThat(outcome.said()).contains("ok: shop can start").doesNotContain("error:");
        assertThat(outcome.code()).isEqualTo(ExitCode.DONE);
    }

    @Test
    void wrongPassword() throws Exception {
        assertRefused(check(file("").replace("password: postgres}", "password: wrong}")), "password");
    }

    @Test
    void roleWithoutTheRightToReplicate() throws Exception {
        String file = file("").replace(
                        source.jdbcUrl("postgres") + "\", user: postgres, password: postgres",
                        source.jdbcUrl("postgres") + "\", user: plain, password: plain");
        assertRefused(check(file), "REPLICATION");
    }

    @Test
    void serverWithoutLogicalWal() throws Exception {
        try (TestServers servers = TestServers.open()) {
            PostgresServer replica = servers.postgres("wal", 15, Map.of("wal_level", "replica"));
            execute(replica, "CREATE TABLE public.kept (id int PRIMARY KEY)");
            String file = file("").replace(source.jdbcUrl("postgres"), replica.jdbcUrl("postgres"));
            assertRefused(check(file), "ALTER SYSTEM SET wal_level");
        }
    }

    @Test
    void unreachableTarget() throws Exception {
        String file = file("").replace(target.jdbcUrl("postgres"), "jdbc:postgresql://127.0.0.1:1/shop");
        assertRefused(check(file), "127.0.0.1:1");
    }

    @Test
    void unknownKey() throws Exception {
        assertRefused(check(file("lode: {readers: 2}")), "Did you mean 'load'?");
    }

    @Test
    void targetTableWithRows() throws Exception {
        execute(target, "CREATE TABLE public.kept (id int PRIMARY KEY)", "INSERT INTO public.kept VALUES (1)");
        try {
            assertRefused(check(file("")), "public.kept");
        } finally {
            execute(target, "DROP TABLE public.kept");
        }
    }

    private void assertRefused(Outcome outcome, String hint) throws SQLException {
        assertThat(outcome.said()).contains("error: ").contains(hint);
        assertThat(outcome.code()).isEqualTo(ExitCode.CONFIGURATION);
        assertThat(number(source, "SELECT count(*) FROM pg_publication")).isZero();
        assertThat(number(source, "SELECT count(*) FROM pg_replication_slots")).isZero();
        assertThat(number(target, "SELECT count(*) FROM pg_namespace WHERE nspname = 'wherry'"))
                .isZero();
    }

    private static String file(String more) {
        return """
                name: shop
                source: {url: "%s", user: postgres, password: postgres}
                target: {url: "%s", user: postgres, password: postgres}
                %s
                """.formatted(source.jdbcUrl("postgres"), target.jdbcUrl("postgres"), more);
    }

    private Outcome check(String file) throws Exception {
        Path path = Files.writeString(directory.resolve("m.yaml"), file);
        StringWriter said = new StringWriter();
        int code = Wherry.commandLine()
                .setOut(new PrintWriter(said))
                .setErr(new PrintWriter(said))
                .execute("check", "-f", path.toString());
        return new Outcome(code, said.toString());
    }

    private static void execute(PostgresServer server, String... statements) throws SQLException {
        try (Connection connection =
                        DriverManager.getConnection(server.jdbcUrl("postgres"), "postgres", server.password());
                Statement statement = connection.createStatement()) {
            for (String sql : statements) {
                statement.execute(sql);
            }
        }
    }

    private static long number(PostgresServer server, String sql) throws SQLException {
        try (Connection connection =
                        DriverManager.getConnection(server.jdbcUrl("postgres"), "postgres", server.password());
                Statement statement = connection.createStatement();
                ResultSet row = statement.executeQuery(sql)) {
            row.next();
            return row.getLong(1);
        }
    }
}
