package io.wherry.rehearsal.security;

import static org.assertj.core.api.Assertions.assertThat;
import static org.awaitility.Awaitility.await;

import io.wherry.cli.Preflight;
import io.wherry.contract.config.Endpoint;
import io.wherry.contract.config.MigrationFile;
import io.wherry.contract.error.Finding;
import io.wherry.contract.error.Finding.Severity;
import io.wherry.coordinator.journal.State;
import io.wherry.embedded.Cache;
import io.wherry.embedded.FreePorts;
import io.wherry.embedded.PostgresServer;
import io.wherry.rehearsal.PostgresClientInstaller;
import io.wherry.rehearsal.fixture.EveryThirdDay;
import io.wherry.rehearsal.fixture.FileMigration;
import io.wherry.rehearsal.fixture.SecurityPage;
import io.wherry.rehearsal.fixture.SharedBroker;
import io.wherry.rehearsal.servers.TestServers;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/**
 * A whole migration by roles that are no superusers, created by the SQL of {@code docs/security.md} itself. For each right that
 * is revoked, the preflight names the statement that restores it.
 */
@EveryThirdDay(2)
class LeastPrivilegeTest {
    private static final String PREPARE = """
            CREATE ROLE dba NOLOGIN;
            CREATE ROLE app LOGIN PASSWORD 'app';
            CREATE DATABASE shop OWNER dba;
            """;

    private static final String SCHEMA = """
            CREATE SCHEMA sales AUTHORIZATION app;
            GRANT CREATE ON SCHEMA public TO app;
            SET ROLE app;
            CREATE TYPE sales.state AS ENUM ('new', 'paid');
            CREATE TABLE sales.customer (id serial PRIMARY KEY, name text NOT NULL UNIQUE);
            CREATE TABLE sales.purchase (id int GENERATED ALWAYS AS IDENTITY PRIMARY KEY, state sales.state,
              customer int NOT NULL REFERENCES sales.customer, at timestamptz DEFAULT now());
            CREATE TABLE public.note (body text, n int);
            CREATE TABLE sales.part (id int, k int, PRIMARY KEY (id, k)) PARTITION BY LIST (k);
            CREATE TABLE sales.part1 PARTITION OF sales.part FOR VALUES IN (1);
            CREATE TABLE sales.guarded (id int PRIMARY KEY, v text);
            ALTER TABLE sales.guarded ENABLE ROW LEVEL SECURITY;
            CREATE POLICY few ON sales.guarded USING (id < 0);
            CREATE INDEX ON sales.purchase (customer);
            CREATE VIEW sales.paid AS SELECT * FROM sales.purchase WHERE state = 'paid';
            CREATE MATERIALIZED VIEW sales.counted AS SELECT count(*) FROM sales.customer;
            CREATE FUNCTION sales.stamp() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN NEW.v := NEW.v || ''!''; RETURN NEW; END';
            CREATE TRIGGER stamp BEFORE INSERT OR UPDATE ON sales.guarded FOR EACH ROW EXECUTE PROCEDURE sales.stamp();
            INSERT INTO sales.customer (name) SELECT 'c' || n FROM generate_series(1, 500) n;
            INSERT INTO sales.purchase (state, customer) SELECT 'new', n FROM generate_series(1, 500) n;
            INSERT INTO sales.part SELECT n, 1 FROM generate_series(1, 50) n;
            INSERT INTO sales.guarded SELECT n, 'v' FROM generate_series(1, 50) n;
            INSERT INTO public.note SELECT 'same', n % 3 FROM generate_series(1, 30) n;
            """;

    private static final String CHANGES = """
            INSERT INTO sales.customer (name) VALUES ('late');
            INSERT INTO sales.purchase (state, customer) SELECT 'paid', id FROM sales.customer WHERE name = 'late';
            UPDATE sales.purchase SET state = 'paid' WHERE id % 7 = 0;
            DELETE FROM sales.purchase WHERE id % 11 = 0;
            UPDATE public.note SET body = 'other' WHERE n = 1;
            INSERT INTO sales.guarded VALUES (100, 'by trigger');
            TRUNCATE sales.part;
            INSERT INTO sales.part VALUES (7, 1);
            """;

    @ParameterizedTest
    @CsvSource({"13, 17, no-connect, true", "16, 16, no-login, false"})
    void aWholeMigrationWithoutSuperusers(int from, int to, String fence, boolean replica) throws Exception {
        new PostgresClientInstaller(Cache.standard()).ensure(to);
        try (TestServers servers = TestServers.open()) {
            Path directory = servers.temporaryDirectory("wherry-rights");
            PostgresServer source = servers.postgres("source", from, Map.of());
            PostgresServer target = servers.postgres("target", to, Map.of());
            for (PostgresServer server : List.of(source, target)) {
                FileMigration.execute(superuser(server, "postgres"), split(PREPARE));
            }
            FileMigration.execute(superuser(source, "shop"), split(SCHEMA));
            FileMigration.execute(superuser(source, "shop"), SecurityPage.statements("source"));
            FileMigration.execute(superuser(target, "shop"), SecurityPage.statements("target"));
            if (replica) {
                FileMigration.execute(superuser(target, "shop"), SecurityPage.statements("replica"));
            }
            String yaml = """
                    name: rights-%s
                    source: {url: "%s", user: wherry, password: "change me"}
                    target: {url: "%s", user: wherry, password: "change me"}
                    kafka: %s
                    registry: {url: "%s"}
                    load: {readers: 2}
                    cutover: {stable-for: 1s, max-downtime: 1m, fence: {mode: %s, except: [postgres]}}
                    http: {listen: "127.0.0.1:%d"}
                    """.formatted(
                            fence,
                            source.jdbcUrl("shop"),
                            target.jdbcUrl("shop"),
                            SharedBroker.yaml(),
                            SharedBroker.registryUrl(),
                            fence,
                            FreePorts.next());

            eachMissingRightIsNamed(yaml, superuser(source, "shop"), SecurityPage.statements("source"));
            FileMigration.execute(superuser(source, "shop"), SecurityPage.statements(fence));
            eachMissingRightIsNamed(yaml, superuser(source, "shop"), SecurityPage.statements(fence));
            assertThat(problems(yaml)).hasSize(replica ? 0 : 1).allMatch(f -> f.problem()
                    .contains("session_replication_role"));
            eachMissingRightIsNamed(yaml, superuser(target, "shop"), SecurityPage.statements("target"));
            if (replica) {
                eachMissingRightIsNamed(yaml, superuser(target, "shop"), SecurityPage.statements("replica"));
            }

            try (FileMigration migration = new FileMigration(yaml, directory.resolve("state")).start()) {
                migration.awaitState(State.IN_SYNC);
                Endpoint app = new Endpoint(source.jdbcUrl("shop"), "app", "app");
                FileMigration.execute(app, split(CHANGES));
                rightsRevokedWhileApplying(migration, superuser(target, "shop"), app);
                migration.awaitState(State.IN_SYNC);
                migration.completeCutover();
                migration.assertEqual(superuser(source, "shop"), superuser(target, "shop"));
                FileMigration.execute(
                        new Endpoint(target.jdbcUrl("shop"), "app", "app"),
                        List.of("INSERT INTO sales.customer (name) VALUES ('after the cutover')"));
            }
        }
    }

    /** The table stops with the reason, nothing is skipped, and the table continues once the right is restored. */
    private static void rightsRevokedWhileApplying(FileMigration migration, Endpoint target, Endpoint app)
            throws Exception {
        FileMigration.execute(target, List.of("REVOKE app FROM wherry"));
        FileMigration.execute(app, List.of("INSERT INTO sales.customer (name) VALUES ('while revoked')"));
        await("the table's error")
                .atMost(Duration.ofMinutes(2))
                .until(() -> migration.services().coordinator().status().tables().stream()
                        .anyMatch(t -> t.table().equals("sales.customer")
                                && t.error() != null
                                && t.error().contains("permission denied")));
        FileMigration.execute(
                target, List.of("GRANT app TO wherry", "UPDATE wherry.relation SET stopped_because = NULL"));
        await("no error any more")
                .atMost(Duration.ofMinutes(2))
                .until(() -> migration.services().coordinator().status().tables().stream()
                        .allMatch(t -> t.error() == null));
    }

    /** Revokes what each statement grants, and expects the preflight to ask for exactly that statement. */
    private static void eachMissingRightIsNamed(String yaml, Endpoint superuser, List<String> statements)
            throws Exception {
        for (String statement : statements) {
            String undo;
            if (statement.startsWith("GRANT")) {
                undo = statement
                        .replaceFirst("^GRANT (.*) WITH ADMIN OPTION$", "REVOKE ADMIN OPTION FOR $1")
                        .replaceFirst("^GRANT ", "REVOKE ")
                        .replaceFirst(" TO (wherry|app)$", " FROM $1");
            } else if (statement.startsWith("ALTER ROLE")) {
                undo = statement.replace(" CREATEROLE", " NOCREATEROLE");
            } else {
                continue;
            }
            FileMigration.execute(superuser, List.of(undo));
            assertThat(problems(yaml))
                    .as("after " + undo)
                    .anySatisfy(f -> assertThat(f.explained().replace("\"", "")).contains(statement));
            FileMigration.execute(superuser, List.of(statement));
        }
    }

    private static List<Finding> problems(String yaml) {
        return Preflight.findings(MigrationFile.parse(yaml, Map.of())).stream()
                .filter(f -> f.severity() != Severity.INFO)
                .toList();
    }

    private static Endpoint superuser(PostgresServer server, String database) {
        return new Endpoint(server.jdbcUrl(database), server.superuser(), server.password());
    }

    private static List<String> split(String script) {
        return List.of(script.split(";\n"));
    }
}
