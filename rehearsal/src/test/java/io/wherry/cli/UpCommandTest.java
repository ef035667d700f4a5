package io.wherry.cli;

import static org.assertj.core.api.Assertions.assertThat;
import static org.awaitility.Awaitility.await;

import com.fasterxml.jackson.databind.JsonNode;
import io.wherry.contract.record.Json;
import io.wherry.embedded.Cache;
import io.wherry.embedded.ChildProcesses;
import io.wherry.embedded.EmbeddedPostgres;
import io.wherry.rehearsal.PostgresClientInstaller;
import java.io.PrintWriter;
import java.io.StringWriter;
import java.net.ServerSocket;
import java.nio.file.Files;
import java.nio.file.Path;
import java.sql.Connection;
import java.sql.DriverManager;
import java.sql.ResultSet;
import java.sql.SQLException;
import java.sql.Statement;
import java.time.Duration;
import java.util.List;
import java.util.Map;
import java.util.concurrent.CompletableFuture;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;

/** {@code up} on servers that the test runs, with the embedded broker, driven by the other commands. */
@Tag("embedded-only")
class UpCommandTest {
    @Test
    void migratesShowsStatusAndCutsOver() throws Exception {
        new PostgresClientInstaller(Cache.standard()).ensure(15);
        try (ChildProcesses processes = new ChildProcesses()) {
            Path directory = processes.temporaryDirectory("wherry-up");
            EmbeddedPostgres source = EmbeddedPostgres.start(processes, 15, directory.resolve("source"), Map.of());
            EmbeddedPostgres target = EmbeddedPostgres.start(processes, 15, directory.resolve("target"), Map.of());
            execute(
                    source,
                    "CREATE ROLE mover SUPERUSER LOGIN PASSWORD 'm'",
                    "CREATE SCHEMA \"My Shop\"",
                    "CREATE TABLE \"My Shop\".\"Order Items\" (id serial PRIMARY KEY, v text)",
                    "INSERT INTO \"My Shop\".\"Order Items\" (v) SELECT 'v' || n FROM generate_series(1, 1000) n",
                    "CREATE TABLE keyless (v text)");
            execute(target, "CREATE ROLE mover SUPERUSER LOGIN PASSWORD 'm'");
            Path file = Files.writeString(directory.resolve("m.yaml"), """
                    name: shop
                    source: {url: "%s", user: mover, password: m}
                    target: {url: "%s", user: mover, password: m}
                    cutover: {stable-for: 1s}
                    http: {listen: "127.0.0.1:%d"}
                    """.formatted(
                            source.jdbcUrl("postgres"), target.jdbcUrl("postgres"), freePort()));
            List<String> common = List.of(
                    "-f", file.toString(), "--data", directory.resolve("data").toString());
            CompletableFuture<Integer> up = CompletableFuture.supplyAsync(() -> run(new StringWriter(), common, "up"));

            await("in sync")
                    .atMost(Duration.ofMinutes(3))
                    .pollInterval(Duration.ofMillis(200))
                    .until(() -> {
                        assertThat(up.isDone()).as("up still runs").isFalse();
                        return state(common).equals("IN_SYNC");
                    });
            execute(source, "UPDATE \"My Shop\".\"Order Items\" SET v = 'changed' WHERE id = 7");
            StringWriter said = new StringWriter();
            assertThat(run(said, common, "cutover", "--yes"))
                    .as(said.toString())
                    .isEqualTo(ExitCode.DONE);

            assertThat(up.get()).isEqualTo(ExitCode.DONE);
            assertThat(text(
                            target,
                            "SELECT count(*) || ' ' || max(v) FILTER (WHERE id = 7) FROM \"My Shop\".\"Order Items\""))
                    .isEqualTo("1000 changed");
            // Seen to be "f" while up ended together with the coordinator and so ended the source-connector too early.
            assertThat(text(source, "SELECT relreplident::text FROM pg_class WHERE relname = 'keyless'"))
                    .as("the replica identity is restored on the source")
                    .isEqualTo("d");
            assertThat(text(target, "SELECT nextval('\"My Shop\".\"Order Items_id_seq\"')"))
                    .isEqualTo("1001");
        }
    }

    private static String state(List<String> common) throws Exception {
        StringWriter said = new StringWriter();
        if (run(said, common, "status", "--json") != ExitCode.DONE) {
            return "";
        }
        JsonNode status = Json.mapper().readTree(said.toString());
        return status.path("state").asText();
    }

    private static int run(StringWriter said, List<String> common, String... command) {
        List<String> arguments = new java.util.ArrayList<>(List.of(command));
        arguments.addAll(1, common);
        return Wherry.commandLine()
                .setOut(new PrintWriter(said, true))
                .setErr(new PrintWriter(said, true))
                .execute(arguments.toArray(String[]::new));
    }

    private static int freePort() throws Exception {
        try (ServerSocket socket = new ServerSocket(0)) {
            return socket.getLocalPort();
        }
    }

    private static void execute(EmbeddedPostgres server, String... statements) throws SQLException {
        try (Connection connection = DriverManager.getConnection(server.jdbcUrl("postgres"), "postgres", "postgres");
                Statement statement = connection.createStatement()) {
            for (String sql : statements) {
                statement.execute(sql);
            }
        }
    }

    private static String text(EmbeddedPostgres server, String sql) throws SQLException {
        // The fence has removed the other roles' right to log in, on the source only.
        try (Connection connection = DriverManager.getConnection(server.jdbcUrl("postgres"), "mover", "m");
                Statement statement = connection.createStatement();
                ResultSet row = statement.executeQuery(sql)) {
            row.next();
            return row.getString(1);
        }
    }
}
