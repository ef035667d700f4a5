package io.wherry.coordinator.dump;

import io.wherry.contract.config.Endpoint;
import io.wherry.contract.config.Migration;
import io.wherry.contract.error.DataException;
import io.wherry.contract.name.TableId;
import io.wherry.contract.postgres.Sessions;
import io.wherry.coordinator.thread.TemporaryFiles;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.sql.SQLException;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;

/** Runs pg_dump and pg_restore. Passwords go by the environment, never in arguments, which every user of the machine can read. */
public final class DumpTool {
    // The rest of where and how to log in comes by the environment.
    private static final String KEPT_ALIVE = "--dbname=keepalives_idle=30 keepalives_interval=10 keepalives_count=3";

    private final PostgresTools tools;
    private final Migration migration;

    public DumpTool(PostgresTools tools, Migration migration) {
        this.tools = tools;
        this.migration = migration;
    }

    /**
     * The schema of the database as an archive in pg_dump's custom format, without our own schema.
     *
     * @param tables only these; empty = all there is
     */
    public void archive(Endpoint endpoint, Path file, Set<TableId> tables) {
        List<String> command = new ArrayList<>(List.of(
                tools.pgDump().toString(),
                "--format=custom",
                "--schema-only",
                "--no-subscriptions",
                "--exclude-schema=wherry",
                "--lock-wait-timeout=60s",
                "--no-password",
                KEPT_ALIVE,
                "--file=" + file));
        // Quoted names are patterns that match themselves only.
        tables.forEach(table -> command.add("--table=" + table.quoted()));
        run(endpoint, command);
    }

    /** One section ({@code pre-data}, {@code post-data}) of an archive as SQL text. */
    public String section(Path archive, String section) {
        return run(null, List.of(tools.pgRestore().toString(), "--section=" + section, "--file=-", archive.toString()));
    }

    /** Settings, grants and comment of the database itself, among much else. */
    public String database(Path archive) {
        return run(
                null,
                List.of(
                        tools.pgRestore().toString(),
                        "--create",
                        "--section=pre-data",
                        "--file=-",
                        archive.toString()));
    }

    /** How many entries pg_restore counts in a section: the check on our reading of the text. */
    public long entries(Path archive, String section) {
        return run(null, List.of(tools.pgRestore().toString(), "--list", "--section=" + section, archive.toString()))
                .lines()
                .filter(line -> !line.isBlank() && !line.startsWith(";"))
                .count();
    }

    private String run(Endpoint endpoint, List<String> command) {
        String operation = Path.of(command.get(0)).getFileName().toString();
        Path errors = null;
        try {
            errors = TemporaryFiles.create("wherry", ".err");
            ProcessBuilder builder = new ProcessBuilder(new ArrayList<>(command));
            builder.redirectError(errors.toFile());
            // PGHOSTADDR, PGSERVICE and their like would lead to another server, or change the session.
            builder.environment().keySet().removeIf(name -> name.startsWith("PG"));
            builder.environment().put("LC_ALL", "C");
            if (endpoint != null) {
                builder.environment().putAll(environment(endpoint));
            }
            Process process = builder.start();
            process.getOutputStream().close();
            String output = new String(process.getInputStream().readAllBytes(), StandardCharsets.UTF_8);
            int code = process.waitFor();
            if (code != 0) {
                throw new DataException(
                        operation,
                        endpoint == null ? "" : endpoint.toString(),
                        "exit code " + code + ": " + Files.readString(errors).strip(),
                        "Run the same program by hand against the same database to see what it needs");
            }
            return output;
        } catch (IOException e) {
            throw new DataException(operation, "", e.getMessage(), "Install PostgreSQL's client programs", e);
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
            throw new DataException(operation, "", "interrupted", "Start again", e);
        } finally {
            delete(errors);
        }
    }

    /** libpq's environment for the same database. */
    private Map<String, String> environment(Endpoint endpoint) {
        Map<String, String> environment = new HashMap<>(endpoint.server().environment());
        environment.put("PGUSER", endpoint.user());
        environment.put("PGPASSWORD", endpoint.password());
        environment.put("PGAPPNAME", Sessions.APPLICATION + migration.name() + " dump");
        environment.put("PGCLIENTENCODING", "UTF8");
        environment.put("PGTZ", "UTC");
        try {
            environment.put("PGOPTIONS", Sessions.options(migration, endpoint));
        } catch (SQLException e) {
            throw new DataException(
                    "connect",
                    endpoint.toString(),
                    e.getMessage(),
                    "Check that the server is reachable and the login right",
                    e);
        }
        return environment;
    }

    public static void delete(Path file) {
        try {
            if (file != null) {
                Files.deleteIfExists(file);
            }
        } catch (IOException e) {
            throw new DataException(
                    "delete", file.toString(), e.getMessage(), "Make the temporary directory writable", e);
        }
    }
}
