package io.wherry.rehearsal.verify;

import static org.assertj.core.api.Assertions.assertThat;
import static org.awaitility.Awaitility.await;

import io.wherry.cli.ExitCode;
import io.wherry.contract.config.Endpoint;
import io.wherry.coordinator.journal.State;
import io.wherry.coordinator.proof.Proof;
import io.wherry.rehearsal.fixture.EveryThirdDay;
import io.wherry.rehearsal.fixture.MigrationFixture;
import io.wherry.rehearsal.verify.VerifyCommandLine.Said;
import java.util.List;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;

/** {@code wherry verify --repair} brings rows right while applications write on the same tables and rows. */
@EveryThirdDay(1)
final class RepairTest {
    private static final String[] TABLES = {
        "CREATE TABLE public.hay (id int PRIMARY KEY, v text, n numeric, b bytea, big text)",
        "ALTER TABLE public.hay ALTER big SET STORAGE EXTERNAL",
        "INSERT INTO public.hay SELECT i, 'v' || i, 1.0, '\\x00ff', NULL FROM generate_series(1, 2000) i",
        "UPDATE public.hay SET big = repeat('large ', 5000) WHERE id BETWEEN 100 AND 120",
        "CREATE TABLE public.\"Order, Items\" (\"k \"\"1\"\"\" int, part text, qty int, twice int"
                + " GENERATED ALWAYS AS (qty * 2) STORED, PRIMARY KEY (part, \"k \"\"1\"\"\"))",
        "INSERT INTO public.\"Order, Items\" SELECT i, 'p, ' || i % 3, i FROM generate_series(1, 300) i",
        "CREATE TABLE public.words (w text PRIMARY KEY, v text)",
        "INSERT INTO public.words SELECT 'word ' || i, 'v' FROM generate_series(1, 300) i",
        "CREATE TABLE public.parts (id bigint PRIMARY KEY, v text)",
        "INSERT INTO public.parts SELECT i, 'v' || i FROM generate_series(1, 300) i",
        "CREATE TABLE public.filtered (id int PRIMARY KEY, kept boolean, v text)",
        "ALTER TABLE public.filtered REPLICA IDENTITY FULL",
        "INSERT INTO public.filtered SELECT i, i > 5, 'v' FROM generate_series(1, 300) i",
        "CREATE TABLE public.swapped (id int PRIMARY KEY, u text UNIQUE)",
        "INSERT INTO public.swapped SELECT i, 'u' || i FROM generate_series(1, 300) i",
        "CREATE TABLE public.counted (id int PRIMARY KEY, seq int GENERATED ALWAYS AS IDENTITY, v text)",
        "INSERT INTO public.counted (id, v) SELECT i, 'v' FROM generate_series(1, 100) i",
        "CREATE TABLE public.hot (id int PRIMARY KEY, n bigint, big text)",
        "ALTER TABLE public.hot ALTER big SET STORAGE EXTERNAL",
        "INSERT INTO public.hot SELECT i, 0, repeat('hot ', 5000) FROM generate_series(1, 3) i",
        "CREATE TABLE public.keyless (v text)",
        "INSERT INTO public.keyless SELECT 'v' || i FROM generate_series(1, 100) i",
        "GRANT ALL ON ALL TABLES IN SCHEMA public TO app"
    };

    private static final List<String> ROGUE_WRITES = List.of(
            "UPDATE public.hay SET v = 'rogue' WHERE id = 1",
            "DELETE FROM public.hay WHERE id = 2",
            "INSERT INTO public.hay VALUES (-3, 'rogue', 0)",
            "UPDATE public.hay SET n = 1.00 WHERE id = 4",
            "UPDATE public.hay SET b = '\\x00fe' WHERE id = 6",
            "UPDATE public.hay SET v = '' WHERE id = 8",
            "UPDATE public.hay SET v = NULL WHERE id = 10",
            "UPDATE public.hay SET big = repeat('Large ', 5000) WHERE id = 101",
            "UPDATE public.hay SET big = NULL WHERE id = 102",
            "UPDATE public.\"Order, Items\" SET qty = 0 WHERE \"k \"\"1\"\"\" = 7",
            "DELETE FROM public.\"Order, Items\" WHERE \"k \"\"1\"\"\" = 8",
            "INSERT INTO public.\"Order, Items\" VALUES (9, 'p, 7', 1)",
            "UPDATE public.words SET v = 'rogue' WHERE w = 'word 9'",
            "DELETE FROM public.words WHERE w = 'word 10'",
            "INSERT INTO public.words VALUES ('Wörd', 'rogue')",
            "UPDATE public.parts SET v = 'rogue' WHERE id <= 20",
            "DELETE FROM public.parts WHERE id BETWEEN 21 AND 30",
            "INSERT INTO public.parts SELECT -i, 'rogue' FROM generate_series(1, 10) i",
            "INSERT INTO public.filtered VALUES (3, true, 'rogue')",
            "UPDATE public.swapped SET u = CASE id WHEN 1 THEN 'x' ELSE 'y' END WHERE id IN (1, 2)",
            "UPDATE public.swapped SET u = CASE id WHEN 1 THEN 'u2' ELSE 'u1' END WHERE id IN (1, 2)",
            "UPDATE public.counted SET seq = DEFAULT WHERE id = 5",
            "UPDATE public.hot SET big = 'rogue' WHERE id = 1");

    private MigrationFixture migration;

    /** A second for the next pass, instead of a minute. */
    @BeforeAll
    static void passesFollowSoon() {
        System.setProperty(Proof.REPEAT_PROPERTY, "1000");
    }

    @AfterAll
    static void passesFollowAsUsual() {
        System.clearProperty(Proof.REPEAT_PROPERTY);
    }

    private Said verify(String... arguments) {
        return new VerifyCommandLine(migration).verify(arguments);
    }

    @Test
    void rogueWritesAreRepairedWhileApplicationsWrite() throws Exception {
        try (MigrationFixture fixture = new MigrationFixture("repair", 15, 15);
                SteadyWrites writes = new SteadyWrites(fixture)) {
            migration = fixture;
            migration.file("verify: {whole-within: 0s}\ntables: {where: {public.filtered: \"kept\"}}");
            migration.configure("apply: {workers: 2}", "apply: {workers: 2, partitions: {public.parts: 3}}");
            Endpoint source = migration.migration().source();
            Endpoint target = migration.migration().target();
            migration.execute(source, TABLES);
            migration.startAll();
            migration.awaitState(State.IN_SYNC);
            await().atMost(MigrationFixture.PATIENCE)
                    .until(() -> verify("status").code() == ExitCode.DONE);

            ROGUE_WRITES.forEach(sql -> execute(target, sql));
            migration.execute(target, "UPDATE public.keyless SET v = 'rogue' WHERE v = 'v1'");
            Said found = verify("start", "--wait");
            assertThat(found.code()).as(found.text()).isEqualTo(ExitCode.DATA_DIFFER);
            assertThat(found.text()).contains("public.hot (1) differs in big", "public.counted (5) differs in seq");

            assertThat(verify("status").text()).doesNotContain("1.00");
            assertThat(verify("status", "--show-values").text())
                    .contains("difference: public.hay (4) differs in n\n    n: source \"1.0\", target \"1.00\"\n")
                    .contains("difference: public.hay (10) differs in v\n    v: source \"v10\", target null\n");
            Said dry = verify("--repair", "--dry-run");
            assertThat(dry.text())
                    .contains("public.swapped: 2 rows would be repaired")
                    .contains("public.keyless: NOT REPAIRED", "wherry reload --table public.keyless");
            assertThat(dry.code()).isEqualTo(ExitCode.DATA_DIFFER);

            assertThat(verify("stop").code()).isEqualTo(ExitCode.DONE);
            Said stopped = verify("--repair");
            assertThat(stopped.text()).contains("the proof is stopped", "wherry verify resume");
            assertThat(stopped.code()).isEqualTo(ExitCode.FAILED);
            assertThat(verify("resume").code()).isEqualTo(ExitCode.DONE);
            assertThat(verify("--repair", "--tables", "public.nothing").code()).isEqualTo(ExitCode.CONFIGURATION);

            writes.every(100, (session, number) -> session.execute("UPDATE public.hot SET n = n + 1 WHERE id = 1"));
            writes.every(100, (session, number) -> session.execute("UPDATE public.hay SET v = v WHERE id <= 10"));
            writes.every(
                    50,
                    (session, number) ->
                            session.execute("UPDATE public.parts SET v = 'n' || " + number + " WHERE id % 7 = 0"));
            Said repaired = verify("--repair", "--wait");
            assertThat(repaired.text()).contains("public.keyless: NOT REPAIRED");
            assertThat(repaired.code()).as(repaired.text()).isIn(ExitCode.DATA_DIFFER);
            assertThat(repaired.text()).doesNotContain("still differs", "is not repaired:");
            writes.stop();

            migration.execute(target, "UPDATE public.keyless SET v = 'v1' WHERE v = 'rogue'");
            Said again = verify("start", "--wait");
            assertThat(again.code()).as(again.text()).isEqualTo(ExitCode.DONE);
            Said nothing = verify("--repair");
            assertThat(nothing.text()).contains("no row is known to differ");
            assertThat(nothing.code()).isEqualTo(ExitCode.DONE);
            migration.cutOverAndCompare();
            Said late = verify("--repair");
            assertThat(late.text()).contains("the target serves");
            assertThat(late.code()).isEqualTo(ExitCode.FAILED);
        }
    }

    /** The source has other partitions than the target, and one of them has its columns in another order. */
    @Test
    void aTableThatIsCarriedWholeIsRepairedToo() throws Exception {
        try (MigrationFixture fixture = new MigrationFixture("repairwhole", 15, 15)) {
            migration = fixture;
            migration.file("verify: {whole-within: 0s}\ntables: {whole: [public.parted]}");
            migration.configure("target: {", "target: {schema: existing, ");
            Endpoint source = migration.migration().source();
            Endpoint target = migration.migration().target();
            migration.execute(
                    source,
                    "CREATE TABLE public.parted (k int PRIMARY KEY, v text) PARTITION BY RANGE (k)",
                    "CREATE TABLE public.parted_1 PARTITION OF public.parted FOR VALUES FROM (0) TO (100)",
                    "CREATE TABLE public.parted_2 (v text, k int PRIMARY KEY)",
                    "ALTER TABLE public.parted ATTACH PARTITION public.parted_2 FOR VALUES FROM (100) TO (200)",
                    "INSERT INTO public.parted SELECT i, 'v' || i FROM generate_series(1, 190) i");
            migration.execute(
                    target,
                    "CREATE TABLE public.parted (k int PRIMARY KEY, v text) PARTITION BY HASH (k)",
                    "CREATE TABLE public.half_1 PARTITION OF public.parted FOR VALUES WITH (MODULUS 2, REMAINDER 0)",
                    "CREATE TABLE public.half_2 PARTITION OF public.parted FOR VALUES WITH (MODULUS 2, REMAINDER 1)");
            migration.startAll();
            migration.awaitState(State.IN_SYNC);
            await().atMost(MigrationFixture.PATIENCE)
                    .until(() -> verify("status").code() == ExitCode.DONE);
            migration.execute(
                    target,
                    "UPDATE public.parted SET v = 'rogue' WHERE k IN (7, 107)",
                    "DELETE FROM public.parted WHERE k = 108",
                    "INSERT INTO public.parted VALUES (199, 'rogue')");
            assertThat(verify("start", "--wait").code()).isEqualTo(ExitCode.DATA_DIFFER);
            Said repaired = verify("--repair", "--wait", "--json");
            assertThat(repaired.code()).as(repaired.text()).isEqualTo(ExitCode.DONE);
            assertThat(repaired.json().path("rows").asInt()).isEqualTo(4);
            assertThat(repaired.json().path("repairs"))
                    .hasSize(4)
                    .allSatisfy(row -> assertThat(row.path("state").asText()).isEqualTo("EQUAL"));
            migration.execute(source, "UPDATE public.parted SET v = v || '!' WHERE k IN (8, 108)");
            assertThat(verify("start", "--wait").code()).isEqualTo(ExitCode.DONE);
            String all = "SELECT md5(string_agg(k || v, ',' ORDER BY k)) FROM public.parted";
            assertThat(migration.text(target, all)).isEqualTo(migration.text(source, all));
        }
    }

    private void execute(Endpoint side, String sql) {
        try {
            migration.execute(side, sql);
        } catch (Exception e) {
            throw new IllegalStateException(sql, e);
        }
    }
}
