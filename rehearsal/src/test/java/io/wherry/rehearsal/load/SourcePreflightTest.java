package io.wherry.rehearsal.load;

import static org.assertj.core.api.Assertions.assertThat;

import io.wherry.contract.config.Flow;
import io.wherry.contract.config.Migration;
import io.wherry.contract.config.MigrationFile;
import io.wherry.contract.error.Finding;
import io.wherry.embedded.ChildProcesses;
import io.wherry.embedded.EmbeddedPostgres;
import io.wherry.source.check.SourcePreflight;
import java.nio.file.Path;
import java.sql.Connection;
import java.sql.DriverManager;
import java.sql.SQLException;
import java.sql.Statement;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;

@Tag("embedded-only")
final class SourcePreflightTest {
    @Test
    void everyFaultIsOneLineWithItsRemedy() throws Exception {
        try (ChildProcesses children = new ChildProcesses()) {
            Path directory = children.temporaryDirectory("wherry-test-");
            EmbeddedPostgres postgres = EmbeddedPostgres.start(
                    children, 15, directory.resolve("source"), Map.of("fsync", "off", "wal_level", "replica"));
            try (Connection session = DriverManager.getConnection(
                    postgres.jdbcUrl("postgres"), postgres.superuser(), postgres.password())) {
                seed(session);
            }
            String superuser = postgres.superuser();
            String password = postgres.password();

            assertThat(explained(check(postgres, superuser, password, "postgres", "public.*")))
                    .anySatisfy(
                            line -> assertThat(line).contains("wal_level: is replica", "ALTER SYSTEM SET wal_level"))
                    .anySatisfy(line -> assertThat(line).contains("public.scratch: is unlogged", "SET LOGGED"))
                    .anySatisfy(line ->
                            assertThat(line).contains("public.keyless: has no key; Wherry sets REPLICA IDENTITY FULL"))
                    .anySatisfy(line -> assertThat(line).contains("schema wherry: holds tables", "precious"))
                    .anySatisfy(
                            line -> assertThat(line).contains("public.heavy column t: holds values of 60 MB", "-Xmx"))
                    .hasSize(5);
            assertThat(explained(check(postgres, "reader", "secret", "postgres", "public.*")))
                    .anySatisfy(line -> assertThat(line).contains("role \"reader\": may not replicate", "REPLICATION"))
                    .anySatisfy(line ->
                            assertThat(line).contains("may not create a publication", "GRANT CREATE ON DATABASE"))
                    .anySatisfy(line ->
                            assertThat(line).contains("public.keyless: belongs to postgres", "GRANT \"postgres\" TO"))
                    .anySatisfy(
                            line -> assertThat(line).contains("public.keyless: may not be read", "GRANT SELECT ON"));
            assertThat(explained(check(postgres, superuser, password, "postgres", "nowhere.*")))
                    .anySatisfy(line -> assertThat(line).contains("no table is selected"));
            assertThat(explained(check(postgres, "reader", "wrong", "postgres", "public.*")))
                    .singleElement()
                    .satisfies(line -> assertThat(line).contains("wrong password", "Correct source.user"));
            assertThat(explained(check(postgres, superuser, password, "missing", "public.*")))
                    .singleElement()
                    .satisfies(line -> assertThat(line).contains("no such database"));
            postgres.stop();
            assertThat(explained(check(postgres, superuser, password, "postgres", "public.*")))
                    .singleElement()
                    .satisfies(line -> assertThat(line).contains("cannot be reached"));
        }
    }

    private static void seed(Connection session) throws SQLException {
        for (String sql : List.of(
                "CREATE TABLE keyless (a int)",
                "CREATE UNLOGGED TABLE scratch (a int PRIMARY KEY)",
                "CREATE SCHEMA wherry",
                "CREATE TABLE wherry.precious (a int)",
                "CREATE TABLE heavy (id int PRIMARY KEY, t text)",
                "ALTER TABLE heavy ALTER t SET STORAGE EXTERNAL",
                "INSERT INTO heavy SELECT 1, repeat('x', 60000000)",
                "CREATE ROLE reader LOGIN PASSWORD 'secret'")) {
            try (Statement statement = session.createStatement()) {
                statement.execute(sql);
            }
        }
    }

    private static List<Finding> check(
            EmbeddedPostgres postgres, String user, String password, String database, String tables) {
        String url = postgres.jdbcUrl(database);
        Migration migration = MigrationFile.parse("""
                name: shop
                source: {url: "%s", user: "%s", password: "%s"}
                target: {url: "%s", user: "none"}
                tables: {include: ["%s"]}
                """.formatted(url, user, password, url, tables), Map.of());
        return SourcePreflight.check(Flow.first(migration).groups().get(0));
    }

    private static List<String> explained(List<Finding> findings) {
        List<String> lines = findings.stream().map(Finding::explained).toList();
        assertThat(lines).allSatisfy(line -> assertThat(line).doesNotContain("\n"));
        return lines;
    }
}
