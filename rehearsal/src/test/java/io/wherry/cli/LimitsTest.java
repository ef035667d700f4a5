package io.wherry.cli;

import static org.assertj.core.api.Assertions.assertThat;

import io.wherry.embedded.Cache;
import io.wherry.embedded.ChildProcesses;
import io.wherry.embedded.EmbeddedPostgres;
import io.wherry.rehearsal.PostgresClientInstaller;
import io.wherry.rehearsal.fixture.EveryThirdDay;
import io.wherry.rehearsal.servers.PoolerStandIn;
import io.wherry.rehearsal.servers.TestExtension;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.regex.Pattern;
import java.util.stream.Collectors;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;

/** Every refusal in docs/limits.md is provoked, and its message equals the printed one; the document leaves none out. */
@Tag("embedded-only")
@EveryThirdDay(2)
final class LimitsTest extends Refusals {
    @Test
    void theMessagesOfTheDocumentAreThosePrinted() throws Exception {
        new PostgresClientInstaller(Cache.standard()).ensure(18);
        try (ChildProcesses processes = new ChildProcesses()) {
            EmbeddedPostgres source = start(processes, 15, Map.of());
            EmbeddedPostgres target = start(processes, 18, Map.of("idle_replication_slot_timeout", "10min"));
            TestExtension.install(15);
            TestExtension.install(18);
            tooOldOrNotReady(processes, source, target);
            rights(source, target);
            tables(source, target);
            existing(source, target);
            whole(source, target);
            addresses(source, target);
            extensions(source, target);
            virtual(target);
        }
        assertThat(remediesRun()).as("number of remedies that were run").isGreaterThan(50);
        List<String> documented = Files.readAllLines(Path.of("..", "docs", "limits.md")).stream()
                .filter(line -> line.startsWith("error: ") || line.startsWith("warning: "))
                .toList();
        List<Pattern> patterns = documented.stream()
                .map(line -> Pattern.compile(
                        Arrays.stream(line.split("…", -1)).map(Pattern::quote).collect(Collectors.joining(".+"))))
                .toList();
        assertThat(said()).as("printed, but not in docs/limits.md").allMatch(line -> patterns.stream()
                .anyMatch(p -> p.matcher(line).matches()));
        assertThat(patterns).as("in docs/limits.md, but not printed").allMatch(p -> said().stream()
                .anyMatch(line -> p.matcher(line).matches()));
    }

    private void tooOldOrNotReady(ChildProcesses processes, EmbeddedPostgres source, EmbeddedPostgres target)
            throws Exception {
        execute(source, "postgres", "CREATE DATABASE kept", "ALTER DATABASE kept SET work_mem = '5MB'");
        execute(source, "kept", "CREATE TABLE kept (id int PRIMARY KEY, name text)");
        execute(target, "postgres", "CREATE DATABASE empty");

        EmbeddedPostgres ancient = start(processes, 9, Map.of());
        execute(ancient, "postgres", "CREATE TABLE kept (id int PRIMARY KEY)");
        check(url(ancient, "postgres"), url(target, "empty"), "");

        EmbeddedPostgres older = start(processes, 13, Map.of());
        execute(older, "postgres", "CREATE DATABASE kept", "ALTER DATABASE kept SET operator_precedence_warning = on");
        execute(older, "kept", "CREATE TABLE kept (id int PRIMARY KEY, name text)");
        check(url(source, "kept"), url(older, "postgres"), "");
        check(url(older, "kept"), url(target, "empty"), "tables: {where: {public.kept: \"id > 1\"}}");
        execute(older, "postgres", "CREATE TABLE whole (id int) PARTITION BY LIST (id)");
        check(url(older, "postgres"), url(target, "empty"), "tables: {whole: [public.whole]}");

        EmbeddedPostgres scarce = start(processes, 15, Map.of("max_replication_slots", "2", "max_wal_senders", "2"));
        execute(
                scarce,
                "postgres",
                "CREATE TABLE kept (id int PRIMARY KEY, name text)",
                "ALTER SYSTEM SET synchronous_standby_names = '*'",
                "SELECT pg_reload_conf()");
        check(url(scarce, "postgres"), url(target, "empty"), "");

        Path place = processes.temporaryDirectory("wherry-limits");
        EmbeddedPostgres replica = EmbeddedPostgres.start(
                processes,
                15,
                place,
                Map.of(
                        "wal_level",
                        "replica",
                        "max_replication_slots",
                        "0",
                        "max_wal_senders",
                        "1",
                        "max_slot_wal_keep_size",
                        "1GB"));
        execute(replica, "postgres", "CREATE TABLE kept (id int PRIMARY KEY, name text)");
        check(url(replica, "postgres"), url(target, "empty"), "");
        replica.stop();
        Files.createFile(place.resolve("data/standby.signal"));
        replica.restart();
        check(url(replica, "postgres"), url(target, "empty"), "");
        note(url(source, "kept"), url(replica, "postgres"), "");

        // Only noted: target and source are the same database, so the remedy for an existing table would drop the
        // source's table.
        note(url(source, "kept"), url(source, "kept"), "");
        execute(source, "postgres", "CREATE DATABASE latin TEMPLATE template0 ENCODING 'LATIN1'");
        execute(source, "latin", "CREATE TABLE kept (id int PRIMARY KEY)");
        check(url(source, "latin"), url(target, "empty"), "");
    }

    private void addresses(EmbeddedPostgres source, EmbeddedPostgres target) throws Exception {
        execute(source, "kept", "CREATE TABLE filtered (id int PRIMARY KEY, note text)");
        check(
                url(source, "kept").replace("/kept", "/kept?options=-csearch_path%3Dpublic&socketTimeout=5"),
                "{url: \"jdbc:postgresql://%2Frun%2Fpostgresql/empty\", user: postgres, password: postgres}",
                "");
        check(url(source, "kept").replace("/kept", "/"), url(target, "empty").replace("/empty", "/em/pty"), "");
        try (PoolerStandIn refusing = new PoolerStandIn(source.port(), false);
                PoolerStandIn ignoring = new PoolerStandIn(target.port(), true)) {
            check(
                    url(source, "kept").replace(":" + source.port(), ":" + refusing.port()),
                    url(target, "empty").replace(":" + target.port(), ":" + ignoring.port()),
                    "");
        }
        check(
                url(source, "kept"),
                url(target, "used"),
                "tables: {where: {public.filtered: \"id > 1\", public.kept: \"to_jsonb(name) ? 'a'\"}}");
    }

    private void rights(EmbeddedPostgres source, EmbeddedPostgres target) throws Exception {
        for (EmbeddedPostgres server : List.of(source, target)) {
            execute(server, "postgres", "CREATE ROLE plain LOGIN PASSWORD 'postgres'");
        }
        execute(source, "postgres", "CREATE DATABASE faulty", "ALTER ROLE plain SET zero_damaged_pages = on");
        execute(
                source,
                "faulty",
                "CREATE TABLE keyless (a int)",
                "CREATE TABLE secret (id int PRIMARY KEY)",
                "ALTER TABLE secret ENABLE ROW LEVEL SECURITY",
                "ALTER TABLE secret FORCE ROW LEVEL SECURITY",
                "ALTER TABLE secret OWNER TO plain",
                "CREATE SCHEMA systems",
                "CREATE EXTENSION wherry_systems SCHEMA systems",
                "SELECT lo_create(0)",
                "CREATE SUBSCRIPTION feed CONNECTION 'host=127.0.0.1 dbname=none' PUBLICATION p WITH (connect = false)",
                "ALTER SUBSCRIPTION feed ENABLE");
        check(url(source, "faulty").replace("user: postgres", "user: plain"), url(target, "empty"), "");
        check(url(source, "kept"), url(target, "empty").replace("user: postgres", "user: plain"), "");
        // The remedies have granted rights to the role; the refusals after this need a role without these rights.
        for (EmbeddedPostgres server : List.of(source, target)) {
            execute(
                    server,
                    "postgres",
                    "REVOKE postgres, pg_monitor, pg_signal_backend FROM plain",
                    "ALTER ROLE plain NOBYPASSRLS");
        }
    }

    private void tables(EmbeddedPostgres source, EmbeddedPostgres target) throws Exception {
        execute(source, "postgres", "CREATE ROLE seller", "CREATE DATABASE tables");
        execute(
                source,
                "tables",
                "CREATE EXTENSION adminpack",
                "CREATE TABLE kept (id int PRIMARY KEY, name text)",
                "CREATE TABLE keyless (a int)",
                "ALTER TABLE keyless OWNER TO seller",
                "CREATE TABLE priced (id int, fixed numeric(8, 2), price numeric, PRIMARY KEY (id, fixed, price))",
                "CREATE UNLOGGED TABLE scratch (a int PRIMARY KEY)",
                "CREATE TABLE heavy (id int PRIMARY KEY, b bytea)",
                "INSERT INTO heavy SELECT 1, decode(repeat('00', 510000000), 'hex')",
                "CREATE TABLE parent (id int PRIMARY KEY)",
                "CREATE TABLE orphan (id int PRIMARY KEY, parent int CONSTRAINT orphan_parent REFERENCES parent)",
                "SET session_replication_role = replica",
                "INSERT INTO kept VALUES (1, '')",
                "ALTER TABLE orphan ADD kept int CONSTRAINT orphan_kept REFERENCES kept",
                "INSERT INTO orphan VALUES (1, 1, 1)",
                "RESET session_replication_role",
                "CREATE TABLE colour (code text PRIMARY KEY)",
                "CREATE FUNCTION known(c text) RETURNS boolean LANGUAGE sql STABLE"
                        + " AS 'SELECT EXISTS (SELECT FROM colour WHERE code = c)'",
                "CREATE TABLE boat (id int PRIMARY KEY, paint text CONSTRAINT painted CHECK (known(paint)))",
                "CREATE SCHEMA wherry",
                "CREATE TABLE wherry.precious (a int)");
        check(
                url(source, "tables"),
                url(target, "empty"),
                "tables: {where: {public.kept: \"name <> ''\"}}\napply: {partitions: {public.keyless: 4, public.priced: 2}}");

        execute(source, "kept", "CREATE TABLE public.full (id int PRIMARY KEY)");
        execute(target, "postgres", "CREATE DATABASE taken", "CREATE DATABASE used");
        execute(
                target,
                "taken",
                "CREATE SCHEMA wherry",
                "CREATE TABLE wherry.migration (name text)",
                "INSERT INTO wherry.migration VALUES ('other')");
        check(url(source, "kept"), url(target, "taken"), "");
        execute(
                target,
                "used",
                "CREATE TABLE kept (id int)",
                "CREATE TABLE public.full (id int)",
                "INSERT INTO public.full VALUES (1)",
                "SELECT lo_create(0)");
        check(url(source, "kept"), url(target, "used"), "");
    }

    private void existing(EmbeddedPostgres source, EmbeddedPostgres target) throws Exception {
        execute(source, "postgres", "CREATE DATABASE made");
        execute(target, "postgres", "CREATE DATABASE made");
        execute(
                source,
                "made",
                "CREATE TYPE mood AS ENUM ('glad', 'sad')",
                "CREATE TYPE pair AS (a int, b text)",
                "CREATE DOMAIN price AS numeric(10, 2)",
                "CREATE TABLE absent (id int PRIMARY KEY)",
                "CREATE TABLE public.full (id int PRIMARY KEY)",
                "CREATE TABLE made (id int PRIMARY KEY, amount numeric(10, 2), at timestamp, code text, twice int, note text,"
                        + " gone text, same mood, both_of pair, costs price, n serial)");
        execute(
                target,
                "made",
                "CREATE TYPE mood AS ENUM ('sad')",
                "CREATE TYPE pair AS (a int, b varchar(3))",
                "CREATE DOMAIN price AS numeric(10, 1)",
                "CREATE TABLE public.full (id int PRIMARY KEY)",
                "INSERT INTO public.full VALUES (1)",
                "CREATE TABLE made (id int PRIMARY KEY, amount numeric(10, 1), at timestamp(0), code char(5),"
                        + " twice int GENERATED ALWAYS AS (id * 2) STORED, note text NOT NULL, more int, same mood, both_of pair,"
                        + " costs price, n int)",
                "CREATE FUNCTION stamp() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NEW; END'",
                "CREATE TRIGGER stamp BEFORE INSERT ON made FOR EACH ROW EXECUTE FUNCTION stamp()",
                "CREATE TRIGGER quiet BEFORE INSERT ON made FOR EACH ROW EXECUTE FUNCTION stamp()",
                "ALTER TABLE made ENABLE ALWAYS TRIGGER stamp",
                "CREATE RULE doubled AS ON DELETE TO made DO ALSO NOTHING",
                "ALTER TABLE made ENABLE ALWAYS RULE doubled");
        check(url(source, "made"), url(target, "made").replace("{url", "{schema: existing, url"), "");
    }

    private void whole(EmbeddedPostgres source, EmbeddedPostgres target) throws Exception {
        for (EmbeddedPostgres server : List.of(source, target)) {
            execute(server, "postgres", "CREATE DATABASE parts");
            execute(
                    server,
                    "parts",
                    "CREATE FOREIGN DATA WRAPPER elsewhere",
                    "CREATE SERVER elsewhere FOREIGN DATA WRAPPER elsewhere",
                    "CREATE TABLE whole (id int NOT NULL) PARTITION BY LIST (id)");
        }
        execute(
                source,
                "parts",
                "CREATE TABLE whole_excluded PARTITION OF whole FOR VALUES IN (1)",
                "CREATE FOREIGN TABLE whole_foreign PARTITION OF whole FOR VALUES IN (2) SERVER elsewhere",
                "CREATE UNLOGGED TABLE whole_unlogged PARTITION OF whole FOR VALUES IN (3)",
                "CREATE TABLE whole_index PARTITION OF whole FOR VALUES IN (4)",
                "CREATE UNIQUE INDEX one ON whole_index (id)",
                "ALTER TABLE whole_index REPLICA IDENTITY USING INDEX one",
                "CREATE TABLE whole_hidden PARTITION OF whole FOR VALUES IN (5)",
                "ALTER TABLE whole_hidden ENABLE ROW LEVEL SECURITY",
                "ALTER TABLE whole_hidden FORCE ROW LEVEL SECURITY",
                "CREATE TABLE whole_foreigner PARTITION OF whole FOR VALUES IN (6)",
                "ALTER TABLE whole OWNER TO plain",
                "ALTER TABLE whole_hidden OWNER TO plain",
                "ALTER TABLE whole_excluded OWNER TO plain",
                "ALTER TABLE whole_unlogged OWNER TO plain",
                "ALTER TABLE whole_index OWNER TO plain",
                "GRANT CREATE ON DATABASE parts TO plain",
                "CREATE TABLE twice (id int PRIMARY KEY)",
                "CREATE TABLE twice_1 (id int PRIMARY KEY)",
                "CREATE TABLE away (id int)");
        execute(
                target,
                "parts",
                "CREATE TABLE twice (id int PRIMARY KEY) PARTITION BY RANGE (id)",
                "CREATE TABLE twice_1 PARTITION OF twice FOR VALUES FROM (0) TO (100)",
                "CREATE FUNCTION stamp() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NEW; END'",
                "CREATE TRIGGER stamp BEFORE INSERT ON twice_1 FOR EACH ROW EXECUTE FUNCTION stamp()",
                "ALTER TABLE twice_1 ENABLE ALWAYS TRIGGER stamp",
                "CREATE TABLE away (id int) PARTITION BY RANGE (id)",
                "CREATE FOREIGN TABLE away_1 PARTITION OF away FOR VALUES FROM (0) TO (100) SERVER elsewhere");
        String existing = url(target, "parts").replace("{url", "{schema: existing, url");
        check(
                url(source, "parts"),
                existing,
                "tables: {whole: [public.whole, public.twice], exclude: [public.whole_excluded],"
                        + " where: {public.whole: \"id > 1\"}}\napply: {partitions: {public.whole: 4}}");
        check(
                url(source, "parts").replace("user: postgres", "user: plain"),
                existing,
                "tables: {whole: [public.whole], include: [\"public.whole*\"]}");
    }

    private void extensions(EmbeddedPostgres source, EmbeddedPostgres target) throws Exception {
        execute(source, "postgres", "CREATE DATABASE owned");
        execute(
                source,
                "owned",
                "CREATE TABLE kept (id int PRIMARY KEY)",
                "CREATE SCHEMA systems",
                "CREATE EXTENSION wherry_systems SCHEMA systems",
                "INSERT INTO systems.note SELECT g, repeat(md5(g::text), 50) FROM generate_series(1, 45000) g");
        execute(
                target,
                "postgres",
                "CREATE DATABASE lacks",
                "CREATE DATABASE other",
                "CREATE DATABASE far",
                "CREATE DATABASE owned");
        for (String database : List.of("lacks", "other", "far", "owned")) {
            execute(
                    target,
                    database,
                    "CREATE SCHEMA systems",
                    "CREATE TABLE kept (id int PRIMARY KEY)",
                    "ALTER TABLE kept OWNER TO plain",
                    "GRANT CREATE ON DATABASE " + database + " TO plain");
        }
        execute(target, "other", "CREATE EXTENSION wherry_systems SCHEMA systems VERSION '2.0'");
        execute(
                target,
                "owned",
                "CREATE EXTENSION wherry_systems SCHEMA systems VERSION '1.0'",
                "INSERT INTO systems.system VALUES (77, 'of somebody else')");
        execute(target, "far", "CREATE EXTENSION wherry_systems VERSION '1.0'");
        for (String database : List.of("lacks", "other", "far")) {
            String existing = url(target, database).replace("{url", "{schema: existing, url");
            check(url(source, "owned"), existing, "tables: {exclude: [systems.s*]}");
        }
        check(
                url(source, "owned"),
                url(target, "owned").replace("{url", "{schema: existing, url"),
                "tables: {exclude: [systems.tenant, systems.note]}");
        check(
                url(source, "owned"),
                url(target, "owned").replace("{url", "{schema: existing, url").replace("user: postgres", "user: plain"),
                "tables: {exclude: [systems.s*, systems.note]}");
    }

    private void virtual(EmbeddedPostgres source) throws Exception {
        execute(source, "postgres", "CREATE DATABASE virtual");
        execute(
                source,
                "virtual",
                "CREATE TABLE virtual (a int, v int GENERATED ALWAYS AS (a + 1) VIRTUAL)",
                "CREATE TABLE virtual_full (a int PRIMARY KEY, v int GENERATED ALWAYS AS (a + 1) VIRTUAL)",
                "ALTER TABLE virtual_full REPLICA IDENTITY FULL",
                "CREATE TABLE virtual_unique (a int NOT NULL, v int GENERATED ALWAYS AS (a + 1) VIRTUAL)",
                "CREATE UNIQUE INDEX one_each ON virtual_unique (a)");
        check(url(source, "virtual"), url(source, "empty"), "");
    }

    private static EmbeddedPostgres start(ChildProcesses processes, int version, Map<String, String> settings) {
        return EmbeddedPostgres.start(processes, version, processes.temporaryDirectory("wherry-limits"), settings);
    }
}
