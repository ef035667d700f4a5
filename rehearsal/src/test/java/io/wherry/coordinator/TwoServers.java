package io.wherry.coordinator;

import io.wherry.contract.Endpoint;
import io.wherry.contract.Identifiers;
import io.wherry.contract.Migration;
import io.wherry.contract.Migration.Apply;
import io.wherry.contract.Migration.Cutover;
import io.wherry.contract.Migration.FenceMode;
import io.wherry.contract.Migration.Http;
import io.wherry.contract.Migration.Load;
import io.wherry.contract.Migration.Switch;
import io.wherry.contract.Migration.Tables;
import io.wherry.contract.Migration.TargetSchemaMode;
import io.wherry.contract.Sessions;
import io.wherry.contract.TableId;
import io.wherry.rehearsal.Cache;
import io.wherry.rehearsal.EmbeddedPostgres;
import io.wherry.rehearsal.PostgresClientInstaller;
import io.wherry.rehearsal.SharedServer;
import java.io.IOException;
import java.io.InputStream;
import java.io.UncheckedIOException;
import java.nio.charset.StandardCharsets;
import java.sql.Connection;
import java.sql.SQLException;
import java.time.Duration;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import org.postgresql.PGConnection;

/** A source that holds the sample schema and an empty target, on the servers that all tests of this JVM share. */
final class TwoServers implements AutoCloseable {
    final EmbeddedPostgres source;
    final EmbeddedPostgres target;
    private final String name;
    private final List<SharedServer> shared;

    TwoServers(int sourceMajor, int targetMajor) {
        this("test", sourceMajor, targetMajor);
    }

    /** @param name of the migration, and so of its topics on the shared broker */
    TwoServers(String name, int sourceMajor, int targetMajor) {
        new PostgresClientInstaller(Cache.standard()).ensure(Math.max(sourceMajor, targetMajor));
        this.name = name;
        shared = List.of(SharedServer.source(sourceMajor), SharedServer.target(targetMajor));
        shared.forEach(SharedServer::requireClean);
        source = shared.get(0).postgres();
        target = shared.get(1).postgres();
    }

    /** Both databases are called shop. */
    Migration migration() {
        return migration(Map.of());
    }

    Migration migration(Map<String, String> roleMap) {
        return new Migration(
                name,
                new Endpoint(source.jdbcUrl("shop"), source.superuser(), source.password()),
                new Endpoint(target.jdbcUrl("shop"), target.superuser(), target.password()),
                TargetSchemaMode.CREATE,
                new Tables(List.of("*"), List.of()),
                Map.of(),
                Optional.empty(),
                Map.of(),
                new Load(2),
                new Apply(2, Map.of()),
                new Cutover(
                        Duration.ofSeconds(5),
                        Duration.ofSeconds(2),
                        Duration.ofSeconds(20),
                        FenceMode.NO_LOGIN,
                        new Switch.None()),
                new Http("127.0.0.1", 0, Optional.of("secret")),
                roleMap);
    }

    /** Makes roles and databases, and the sample schema on the source. */
    TwoServers seeded() throws SQLException {
        for (EmbeddedPostgres server : List.of(source, target)) {
            run(
                    server,
                    "postgres",
                    "CREATE ROLE reader LOGIN PASSWORD 'reader'; CREATE ROLE keeper; CREATE ROLE app LOGIN PASSWORD 'app'");
            run(server, "postgres", "CREATE DATABASE shop");
        }
        run(source, "shop", resource("schema.sql"));
        if (source.major() >= 15) {
            run(source, "shop", resource("schema-15.sql"));
        }
        return this;
    }

    void run(EmbeddedPostgres server, String database, String sql) throws SQLException {
        Migration migration = migration();
        Endpoint endpoint = new Endpoint(server.jdbcUrl(database), server.superuser(), server.password());
        try (Connection connection = Databases.openForScripts(migration, endpoint, "test")) {
            Queries.execute(connection, "SET search_path = public, pg_catalog");
            Queries.execute(connection, sql);
        }
    }

    Connection openSource() throws SQLException {
        return Sessions.open(migration(), migration().source(), "test");
    }

    Connection openTarget() throws SQLException {
        return Sessions.open(migration(), migration().target(), "test");
    }

    /** Copies the rows of every table, as the load does: before keys and triggers are there. */
    void copyRows() throws SQLException, IOException {
        try (Connection from = openSource();
                Connection to = openTarget()) {
            for (var table : io.wherry.contract.Catalog.tables(from)) {
                String columns = String.join(
                        ", ",
                        table.writable().stream()
                                .map(c -> Identifiers.quote(c.name()))
                                .toList());
                copy(from, to, table.id(), columns.isEmpty() ? "" : "(" + columns + ")");
            }
        }
    }

    private static void copy(Connection from, Connection to, TableId table, String columns)
            throws SQLException, IOException {
        java.io.ByteArrayOutputStream rows = new java.io.ByteArrayOutputStream();
        from.unwrap(PGConnection.class).getCopyAPI().copyOut("COPY " + table.quoted() + columns + " TO STDOUT", rows);
        to.unwrap(PGConnection.class)
                .getCopyAPI()
                .copyIn(
                        "COPY " + table.quoted() + columns + " FROM STDIN",
                        new java.io.ByteArrayInputStream(rows.toByteArray()));
    }

    static PostgresTools tools(Migration migration) throws SQLException {
        return PostgresTools.locate(SchemaCopy.toolsVersion(migration));
    }

    private static String resource(String name) {
        try (InputStream in = TwoServers.class.getResourceAsStream(name)) {
            return new String(in.readAllBytes(), StandardCharsets.UTF_8);
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    @Override
    public void close() {
        shared.forEach(server -> server.clean(true));
    }
}
