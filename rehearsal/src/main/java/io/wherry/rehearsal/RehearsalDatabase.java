package io.wherry.rehearsal;

import io.wherry.contract.config.Endpoint;
import io.wherry.contract.error.DataException;
import io.wherry.contract.name.Identifiers;
import io.wherry.coordinator.dump.PostgresTools;
import io.wherry.embedded.PostgresServer;
import io.wherry.embedded.ServerException;
import java.io.IOException;
import java.io.InputStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.sql.Connection;
import java.sql.DriverManager;
import java.sql.SQLException;
import java.sql.Statement;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;

/** The databases of a rehearsal: roles, the empty target, and the source filled from the sample or a dump. */
public final class RehearsalDatabase {
    public static final String PASSWORD = "rehearsal";
    /** Wherry's own role. */
    public static final String OPERATOR = "wherry";
    /** The applications' role. */
    public static final String APPLICATION = "app";

    private RehearsalDatabase() {}

    /** Creates the roles on a new server of either side. */
    public static void createRoles(PostgresServer server) {
        String password = Identifiers.literal(PASSWORD);
        execute(
                server,
                server.superuser(),
                server.password(),
                "CREATE ROLE " + OPERATOR + " SUPERUSER LOGIN PASSWORD " + password,
                "CREATE ROLE " + APPLICATION + " LOGIN PASSWORD " + password);
    }

    /** Creates an empty database as Wherry's role, because the fence of an earlier migration keeps every other role out. */
    public static void create(PostgresServer server, String database) {
        execute(
                server,
                OPERATOR,
                PASSWORD,
                "CREATE DATABASE " + Identifiers.quote(database) + " TEMPLATE template0 ENCODING 'UTF8'");
    }

    private static void execute(PostgresServer server, String user, String password, String... statements) {
        try (Connection connection = DriverManager.getConnection(server.jdbcUrl("postgres"), user, password);
                Statement statement = connection.createStatement()) {
            for (String sql : statements) {
                statement.execute(sql);
            }
        } catch (SQLException e) {
            throw new ServerException("Cannot prepare the rehearsal's server: " + e.getMessage(), e);
        }
    }

    public static Endpoint endpoint(PostgresServer server, String database, String role) {
        return new Endpoint(server.jdbcUrl(database), role, PASSWORD);
    }

    /**
     * Fills the source and grants all writes to the applications' role.
     *
     * @param dump plain SQL; empty = the sample with about {@code rows} rows
     */
    public static void fill(
            PostgresServer server, String database, Optional<Path> dump, long rows, PostgresTools tools) {
        try {
            if (dump.isPresent()) {
                run(server, database, tools, dump.get(), List.of());
            } else {
                Path sample =
                        Files.createTempFile(Path.of(System.getProperty("java.io.tmpdir")), "wherry-sample", ".sql");
                try (InputStream in = RehearsalDatabase.class.getResourceAsStream("sample.sql")) {
                    Files.copy(in, sample, StandardCopyOption.REPLACE_EXISTING);
                    run(server, database, tools, sample, List.of("-v", "rows=" + rows));
                } finally {
                    Files.delete(sample);
                }
            }
            grant(server, database);
        } catch (IOException e) {
            throw new ServerException("Cannot fill the rehearsal's source: " + e.getMessage(), e);
        }
    }

    /**
     * A dump made for a newer server sets parameters that an older server does not know. That is no reason to stop; every other
     * error is.
     */
    private static void run(
            PostgresServer server, String database, PostgresTools tools, Path file, List<String> variables)
            throws IOException {
        List<String> command = new ArrayList<>(List.of(
                tools.psql().toString(),
                "-X",
                "-q",
                "-h",
                "127.0.0.1",
                "-p",
                Integer.toString(server.port()),
                "-U",
                server.superuser(),
                "-d",
                database));
        command.addAll(variables);
        command.addAll(List.of("-f", file.toAbsolutePath().toString()));
        Path errors = Files.createTempFile(Path.of(System.getProperty("java.io.tmpdir")), "wherry-psql", ".log");
        try {
            ProcessBuilder builder = new ProcessBuilder(command)
                    .redirectOutput(ProcessBuilder.Redirect.DISCARD)
                    .redirectError(errors.toFile());
            builder.environment().put("PGPASSWORD", server.password());
            int code = builder.start().waitFor();
            List<String> failed = Files.readAllLines(errors).stream()
                    .filter(line -> line.contains("ERROR:") || line.contains("FATAL:"))
                    .filter(line -> !line.contains("unrecognized configuration parameter"))
                    .toList();
            if (code != 0 || !failed.isEmpty()) {
                throw new DataException(
                        "load",
                        file.toString(),
                        failed.isEmpty() ? "psql ended with " + code : failed.get(0),
                        "Give a plain SQL dump that PostgreSQL " + server.major() + " accepts");
            }
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
            throw new ServerException("Interrupted while loading " + file, e);
        } finally {
            Files.delete(errors);
        }
    }

    private static void grant(PostgresServer server, String database) {
        String grants = """
                DO $$ DECLARE s text; BEGIN
                  FOR s IN SELECT nspname FROM pg_namespace WHERE nspname NOT LIKE 'pg\\_%' AND nspname <> 'information_schema' LOOP
                    EXECUTE format('GRANT USAGE ON SCHEMA %I TO app', s);
                    EXECUTE format('GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA %I TO app', s);
                    EXECUTE format('GRANT USAGE, SELECT ON ALL SEQUENCES IN SCHEMA %I TO app', s);
                  END LOOP; END $$
                """;
        try (Connection connection =
                        DriverManager.getConnection(server.jdbcUrl(database), server.superuser(), server.password());
                Statement statement = connection.createStatement()) {
            statement.execute(grants);
            statement.execute("ANALYZE");
        } catch (SQLException e) {
            throw new ServerException("Cannot grant on the rehearsal's source: " + e.getMessage(), e);
        }
    }
}
