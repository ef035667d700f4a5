package io.wherry.rehearsal.schema;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.wherry.contract.config.Flow;
import io.wherry.contract.config.Migration;
import io.wherry.contract.error.DataException;
import io.wherry.contract.error.Finding;
import io.wherry.contract.name.TableId;
import io.wherry.coordinator.carry.ExtensionRows;
import io.wherry.coordinator.carry.ExtensionTables;
import io.wherry.coordinator.preflight.TargetPreflight;
import io.wherry.coordinator.schema.SchemaCompare;
import io.wherry.coordinator.schema.SchemaCopy;
import io.wherry.coordinator.sql.Databases;
import io.wherry.coordinator.sql.Queries;
import io.wherry.rehearsal.fixture.TwoServers;
import java.sql.Connection;
import java.sql.DriverManager;
import java.sql.SQLException;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionException;
import java.util.concurrent.atomic.AtomicBoolean;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.slf4j.LoggerFactory;

/** What extensions, and servers that are built with other options, put into a schema. */
final class SchemaOfExtensionsTest {
    private static TwoServers servers;

    @BeforeAll
    static void start() {
        servers = new TwoServers(15, 15);
    }

    @AfterAll
    static void stop() {
        servers.close();
    }

    @BeforeEach
    void emptyDatabases() throws SQLException {
        for (var server : List.of(servers.source, servers.target)) {
            servers.run(server, "postgres", "DROP DATABASE IF EXISTS shop");
            servers.run(server, "postgres", "CREATE DATABASE shop TEMPLATE template0");
        }
    }

    /** Seen on Debian's 15.20, where every column has this parameter. */
    @Test
    void aColumnParameterOfTheSourcesServerAloneDoesNotFailTheCopyAndIsNoDifference() throws Exception {
        servers.run(servers.source, "shop", """
                CREATE TABLE public.t (id int PRIMARY KEY, "a (b)" int, c int);
                ALTER TABLE public.t ALTER COLUMN c SET (n_distinct = -0.5);
                UPDATE pg_attribute SET attoptions = array_append(attoptions, 'pg_attver=3')
                 WHERE attrelid = 'public.t'::regclass AND attnum > 0;
                UPDATE pg_attribute SET attoptions = array_append(attoptions, 'of_a_fork=on')
                 WHERE attrelid = 'public.t'::regclass AND attname = 'c'
                """);
        Migration migration = servers.migration();
        assertThat(TargetPreflight.check(Flow.first(migration)))
                .extracting(Finding::object)
                .contains("column parameter of_a_fork", "column parameter pg_attver");
        new SchemaCopy(Flow.first(migration), TwoServers.tools(migration)).run();
        try (Connection target = servers.openTarget()) {
            assertThat(Queries.strings(
                            target,
                            "SELECT attname || ' ' || attoptions::text FROM pg_attribute"
                                    + " WHERE attrelid = 'public.t'::regclass AND attoptions IS NOT NULL"))
                    .containsExactly("c {n_distinct=-0.5}");
        }
        servers.run(
                servers.target,
                "shop",
                "UPDATE pg_attribute SET attoptions = array_append(attoptions, 'pg_attver=7')"
                        + " WHERE attrelid = 'public.t'::regclass AND attnum > 0");
        SchemaCopyTest.finish(servers);
        SchemaCompare.Result schema = new SchemaCompare(Flow.first(migration), TwoServers.tools(migration)).run();
        assertThat(schema.notFollowed()).isEmpty();
        assertThat(schema.onlyOnSource()).isEmpty();
        assertThat(schema.onlyOnTarget()).isEmpty();
    }

    @Test
    void anExtensionWhoseScriptReadsTheResetSearchPathIsCreatedAsByPsql() throws Exception {
        servers.run(servers.source, "shop", """
                CREATE SCHEMA far;
                CREATE EXTENSION cube SCHEMA far; CREATE EXTENSION earthdistance SCHEMA far;
                ALTER DATABASE shop SET search_path = "$user", public, far
                """);
        try (Connection source = DriverManager.getConnection(
                servers.source.jdbcUrl("shop"), servers.source.superuser(), servers.source.password())) {
            Queries.execute(source, "CREATE EXTENSION wherry_by_path");
        }
        Migration migration = servers.migration();
        new SchemaCopy(Flow.first(migration), TwoServers.tools(migration)).run();
        try (Connection target = servers.openTarget()) {
            assertThat(Queries.strings(target, "SELECT extname FROM pg_extension"))
                    .contains("cube", "earthdistance", "wherry_by_path");
            assertThat(Databases.searchPath(target)).as("before the switch").isEmpty();
        }
        SchemaCopyTest.finish(servers);
        try (Connection source = servers.openSource();
                Connection target = servers.openTarget()) {
            assertThat(Databases.searchPath(target))
                    .isEqualTo(Databases.searchPath(source))
                    .contains("\"$user\", public, far, by_path");
        }
    }

    @Test
    void anExtensionThatTheTargetHasInAnotherVersionIsRefusedBeforeAnythingIsLoaded() throws Exception {
        servers.run(servers.source, "shop", "CREATE SCHEMA systems; CREATE EXTENSION wherry_systems SCHEMA systems");
        servers.run(
                servers.target,
                "shop",
                "CREATE SCHEMA systems; CREATE EXTENSION wherry_systems SCHEMA systems VERSION '2.0'");
        Migration migration = servers.migration();
        String problem =
                "column systems.tenant.name: is missing on the target: extension wherry_systems has version 2.0 on the target";
        assertThat(TargetPreflight.check(Flow.first(migration)))
                .filteredOn(finding -> finding.severity() == Finding.Severity.ERROR)
                .extracting(Finding::explained)
                .anyMatch(line -> line.startsWith(problem));
        assertThatThrownBy(() -> new SchemaCopy(Flow.first(migration), TwoServers.tools(migration)).run())
                .isInstanceOf(DataException.class)
                .hasMessageContaining("has version 2.0 on the target");
        // The remedy.
        servers.run(
                servers.target,
                "shop",
                "DROP EXTENSION wherry_systems; CREATE EXTENSION wherry_systems SCHEMA systems VERSION '1.0'");
        assertThat(TargetPreflight.check(Flow.first(migration)))
                .noneMatch(finding -> finding.severity() == Finding.Severity.ERROR);
    }

    @Test
    void rowsThatOnlyTheTargetHasInATableOfAnExtensionAreNotOverwritten() throws Exception {
        for (var server : List.of(servers.source, servers.target)) {
            servers.run(server, "shop", "CREATE SCHEMA systems; CREATE EXTENSION wherry_systems SCHEMA systems");
        }
        servers.run(servers.target, "shop", "INSERT INTO systems.system VALUES (77, 'somebody''s')");
        Migration migration = servers.migration();
        List<Finding> errors = TargetPreflight.check(Flow.first(migration)).stream()
                .filter(finding -> finding.severity() == Finding.Severity.ERROR)
                .toList();
        assertThat(errors).hasSize(1);
        String remedy = errors.get(0).remedy();
        servers.run(servers.target, "shop", remedy.substring(remedy.indexOf("DELETE")));
        assertThat(TargetPreflight.check(Flow.first(migration)))
                .noneMatch(finding -> finding.severity() == Finding.Severity.ERROR);
        try (Connection target = servers.openTarget()) {
            assertThat(Queries.number(target, "SELECT count(*) FROM systems.system"))
                    .isEqualTo(2);
        }
    }

    /** Background workers act on some of these rows; the largest tables take too long to be followed. */
    @Test
    void rowsOfALargeTableOfAnExtensionComeWithTheSwitchRowOrNotAtAll() throws Exception {
        servers.run(servers.source, "shop", """
                CREATE SCHEMA systems; CREATE EXTENSION wherry_systems SCHEMA systems;
                INSERT INTO systems.note SELECT g % 1000, repeat(md5(g::text), 50) FROM generate_series(1, 6000) g;
                INSERT INTO systems.note VALUES (1, 'twice'), (1, 'twice'), (NULL, NULL);
                INSERT INTO systems.system VALUES (70, 'early')
                """);
        Migration migration = servers.migration();
        new SchemaCopy(Flow.first(migration), TwoServers.tools(migration)).run();
        ExtensionRows rows = new ExtensionRows(Flow.first(migration));
        try (Connection source = servers.openSource();
                Connection target = servers.openTarget()) {
            assertThat(Queries.number(target, "SELECT count(*) FROM systems.system"))
                    .isEqualTo(3);
            assertThat(Queries.number(target, "SELECT count(*) FROM systems.note"))
                    .isZero();
            assertThat(rows.differing(source, target)).isEmpty();
            servers.run(servers.source, "shop", "UPDATE systems.system SET code = 71 WHERE code = 70");
            assertThat(rows.differing(source, target))
                    .extracting(TableId::toString)
                    .containsExactly("systems.system");
            target.setAutoCommit(false);
            assertThat(rows.bring(source, target, ExtensionTables.When.EARLY)).isEqualTo(1);
            target.commit();
            rows.bring(source, target, ExtensionTables.When.SWITCH);
            assertThat(Queries.number(target, "SELECT count(*) FROM systems.note WHERE body = 'twice'"))
                    .isEqualTo(2);
            target.rollback();
            assertThat(Queries.number(target, "SELECT count(*) FROM systems.note"))
                    .isZero();
            assertThat(Queries.strings(target, "SELECT name FROM systems.system WHERE code > 2"))
                    .containsExactly("early");
        }
    }

    @Test
    void rowsOfAnExtensionMayChangeWhileTheyAreBrought() throws Exception {
        servers.run(servers.source, "shop", "CREATE SCHEMA systems; CREATE EXTENSION wherry_systems SCHEMA systems");
        Migration migration = servers.migration();
        new SchemaCopy(Flow.first(migration), TwoServers.tools(migration)).run();
        AtomicBoolean ended = new AtomicBoolean();
        CompletableFuture<Void> application = CompletableFuture.runAsync(() -> {
            try (Connection source = servers.openSource()) {
                Queries.execute(source, "INSERT INTO systems.system VALUES (70, 'counter')");
                for (int i = 0; !ended.get(); i++) {
                    Queries.update(source, "UPDATE systems.system SET name = ? WHERE code = 70", "counter " + i);
                }
            } catch (SQLException e) {
                throw new CompletionException(e);
            }
        });
        ExtensionRows rows = new ExtensionRows(Flow.first(migration));
        try (Connection source = servers.openSource();
                Connection target = servers.openTarget()) {
            target.setAutoCommit(false);
            for (int i = 0; i < 20; i++) {
                rows.bring(source, target, ExtensionTables.When.EARLY);
                target.commit();
            }
            ended.set(true);
            application.join();
            rows.bring(source, target, ExtensionTables.When.EARLY);
            target.commit();
            target.setAutoCommit(true);
            assertThat(rows.differing(source, target)).isEmpty();
            assertThat(source.getAutoCommit()).isTrue();
        } finally {
            ended.set(true);
        }
    }

    @Test
    @Tag("slow")
    void everyExtensionOfContribIsCopied() throws Exception {
        int made = 0;
        try (Connection source = servers.openSource()) {
            for (String extension : Queries.strings(
                    source, "SELECT name FROM pg_available_extensions WHERE name !~ '^wherry' ORDER BY 1")) {
                try {
                    Queries.execute(
                            source, "CREATE EXTENSION IF NOT EXISTS \"" + extension + "\" SCHEMA public CASCADE");
                    made++;
                } catch (SQLException e) {
                    // Some extensions have their own schema, or a library that is not shipped.
                    try {
                        Queries.execute(source, "CREATE EXTENSION IF NOT EXISTS \"" + extension + "\" CASCADE");
                        made++;
                    } catch (SQLException f) {
                        LoggerFactory.getLogger(getClass()).info("{}: {}", extension, f.getMessage());
                    }
                }
            }
        }
        assertThat(made).isGreaterThan(30);
        Migration migration = servers.migration();
        new SchemaCopy(Flow.first(migration), TwoServers.tools(migration)).run();
        SchemaCopyTest.finish(servers);
        SchemaCompare.Result schema = new SchemaCompare(Flow.first(migration), TwoServers.tools(migration)).run();
        assertThat(schema.onlyOnSource()).isEmpty();
        assertThat(schema.onlyOnTarget()).isEmpty();
        try (Connection target = servers.openTarget()) {
            assertThat(Queries.number(target, "SELECT count(*) FROM pg_extension WHERE extname <> 'plpgsql'"))
                    .isGreaterThanOrEqualTo(made - 1);
        }
    }
}
