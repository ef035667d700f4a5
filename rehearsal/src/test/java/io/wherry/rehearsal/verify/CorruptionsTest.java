package io.wherry.rehearsal.verify;

import static org.assertj.core.api.Assertions.assertThat;
import static org.awaitility.Awaitility.await;

import io.wherry.contract.config.Endpoint;
import io.wherry.contract.postgres.Sessions;
import io.wherry.coordinator.cutover.CutoverResult;
import io.wherry.coordinator.cutover.CutoverResult.Outcome;
import io.wherry.coordinator.journal.State;
import io.wherry.coordinator.machine.Status.ProofView;
import io.wherry.coordinator.proof.Proof;
import io.wherry.rehearsal.fixture.EveryThirdDay;
import io.wherry.rehearsal.fixture.MigrationFixture;
import java.sql.Connection;
import java.sql.ResultSet;
import java.sql.SQLException;
import java.sql.Statement;
import java.time.Duration;
import java.util.List;
import java.util.Set;
import java.util.TreeSet;
import java.util.stream.IntStream;
import java.util.stream.Stream;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * The checker is checked: a migration is corrupted in every way that we know, while applications write. Each corruption is found and
 * named, and nothing else is.
 */
@EveryThirdDay(2)
final class CorruptionsTest {
    private static final Logger LOG = LoggerFactory.getLogger(CorruptionsTest.class);

    // Applications write to hay beyond 1000, to hot and to ticks; nobody changes the rows that are corrupted.
    private static final String[] TABLES = {
        "CREATE TABLE public.hay (id int PRIMARY KEY, v text, f double precision, b bytea, n numeric)",
        "INSERT INTO public.hay SELECT i, 'v' || i, 0, '\\x00ff', 1.0 FROM generate_series(1, 20000) i",
        "CREATE INDEX hay_v ON public.hay (v)",
        "CREATE TABLE public.keyless (v text, n int)",
        "INSERT INTO public.keyless SELECT 'v' || i, i FROM generate_series(1, 1000) i",
        "CREATE TABLE public.parted (k int PRIMARY KEY, v text) PARTITION BY RANGE (k)",
        "CREATE TABLE public.parted_1 PARTITION OF public.parted FOR VALUES FROM (0) TO (100)",
        "CREATE TABLE public.parted_2 PARTITION OF public.parted FOR VALUES FROM (100) TO (200)",
        "INSERT INTO public.parted SELECT i, 'v' || i FROM generate_series(1, 199) i",
        "CREATE TABLE public.chunked (id int PRIMARY KEY, v text)",
        "INSERT INTO public.chunked SELECT i, 'v' || i FROM generate_series(1, 2000) i",
        "CREATE TABLE public.lossy (id int PRIMARY KEY, v text, w text)",
        "INSERT INTO public.lossy SELECT i, 'v' || i, 'w' || i FROM generate_series(1, 1000) i",
        "CREATE TABLE public.twice (v text, n int)",
        "INSERT INTO public.twice SELECT 'v' || i, i FROM generate_series(1, 100) i",
        "CREATE TABLE public.hot (id int PRIMARY KEY, n bigint, label text)",
        "INSERT INTO public.hot VALUES (1, 0, 'one'), (2, 0, 'two')",
        "CREATE TABLE public.ticks (v text, n int)",
        "INSERT INTO public.ticks SELECT 'v' || i, i FROM generate_series(1, 100) i",
        "GRANT ALL ON ALL TABLES IN SCHEMA public TO app",
        "GRANT ALL ON ALL SEQUENCES IN SCHEMA public TO app"
    };

    private static final String MOVE_TO_ANOTHER_PARTITION = """
            BEGIN;
            ALTER TABLE public.parted DETACH PARTITION public.parted_2;
            INSERT INTO public.parted_2 SELECT * FROM public.parted_1 WHERE k = 7;
            DELETE FROM public.parted_1 WHERE k = 7;
            -- The server takes the constraint for checked, and so does not look at the rows again.
            ALTER TABLE public.parted_2 ADD CONSTRAINT lies CHECK (k IS NOT NULL AND k >= 100 AND k < 200) NOT VALID;
            UPDATE pg_catalog.pg_constraint SET convalidated = true WHERE conname = 'lies';
            ALTER TABLE public.parted_2 SET (fillfactor = 99);
            ALTER TABLE public.parted ATTACH PARTITION public.parted_2 FOR VALUES FROM (100) TO (200);
            ALTER TABLE public.parted_2 RESET (fillfactor);
            ALTER TABLE public.parted_2 DROP CONSTRAINT lies;
            COMMIT
            """;

    /** A transaction of 20, 22 and 1024 is lost, a column of 30 is not written, and the old key 40 stays. */
    private static final String WRONG_APPLIER = """
            CREATE FUNCTION public.wrong() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
              IF pg_trigger_depth() > 1 THEN RETURN NULL; END IF;
              IF TG_TABLE_NAME = 'twice' THEN INSERT INTO public.twice VALUES (NEW.*); RETURN NULL; END IF;
              IF TG_OP <> 'DELETE' AND NEW.id IN (20, 1024) THEN DELETE FROM public.lossy WHERE id = NEW.id; END IF;
              IF TG_OP <> 'INSERT' AND OLD.id IN (20, 22, 40) THEN INSERT INTO public.lossy VALUES (OLD.*); END IF;
              IF TG_OP = 'UPDATE' AND NEW.id = 30 THEN UPDATE public.lossy SET v = OLD.v WHERE id = 30; END IF;
              RETURN NULL; END $$;
            CREATE TRIGGER wrong AFTER INSERT OR UPDATE OR DELETE ON public.lossy FOR EACH ROW EXECUTE PROCEDURE public.wrong();
            ALTER TABLE public.lossy ENABLE ALWAYS TRIGGER wrong;
            CREATE TRIGGER wrong AFTER INSERT ON public.twice FOR EACH ROW EXECUTE PROCEDURE public.wrong();
            ALTER TABLE public.twice ENABLE ALWAYS TRIGGER wrong
            """;

    private static final String LOST_BEFORE_THE_TOPIC =
            "UPDATE public.hay SET v = 'lost' WHERE id = 20; DELETE FROM public.hay WHERE id = 22;"
                    + " INSERT INTO public.hay (id, v) VALUES (-3, 'lost')";
    private static final String LOST_BEFORE_THE_TARGET =
            "UPDATE public.lossy SET v = 'lost' WHERE id = 20; DELETE FROM public.lossy WHERE id = 22;"
                    + " INSERT INTO public.lossy VALUES (1024, 'lost', 'lost')";

    /**
     * @param sql on the target; repeated as {@code repair} it would be undone
     * @param reported how the proof names what differs
     */
    private record Corruption(String sql, String repair, String... reported) {}

    private static final List<Corruption> ON_THE_TARGET = List.of(
            new Corruption(
                    "DELETE FROM public.hay WHERE id = 400",
                    "INSERT INTO public.hay VALUES (400, 'v400', 0, '\\x00ff', 1.0)",
                    "public.hay (400) is missing on the target"),
            new Corruption(
                    "INSERT INTO public.hay (id) VALUES (-7)",
                    "DELETE FROM public.hay WHERE id = -7",
                    "public.hay (-7) is only on the target"),
            new Corruption(
                    "UPDATE public.hay SET b = set_bit(b, 3, 1 - get_bit(b, 3)) WHERE id = 2",
                    "UPDATE public.hay SET b = '\\x00ff' WHERE id = 2",
                    "public.hay (2) differs in b"),
            new Corruption(
                    "UPDATE public.hay SET f = '-0' WHERE id = 4",
                    "UPDATE public.hay SET f = 0 WHERE id = 4",
                    "public.hay (4) differs in f"),
            new Corruption(
                    "UPDATE public.hay SET v = v || ' ' WHERE id = 6",
                    "UPDATE public.hay SET v = 'v6' WHERE id = 6",
                    "public.hay (6) differs in v"),
            new Corruption(
                    "UPDATE public.hay SET n = 1.00 WHERE id = 8",
                    "UPDATE public.hay SET n = 1.0 WHERE id = 8",
                    "public.hay (8) differs in n"),
            new Corruption(
                    "UPDATE public.keyless SET n = 3 - n WHERE n IN (1, 2)",
                    "UPDATE public.keyless SET n = 3 - n WHERE n IN (1, 2)",
                    "public.keyless holds other rows on the target"),
            new Corruption(
                    MOVE_TO_ANOTHER_PARTITION,
                    "INSERT INTO public.parted_1 VALUES (7, 'v7'); DELETE FROM public.parted_2 WHERE k = 7",
                    "public.parted_1 (7) is missing on the target",
                    "public.parted_2 (7) is only on the target"),
            // A chunk of the load of which only a part was applied.
            new Corruption(
                    "DELETE FROM public.chunked WHERE id BETWEEN 301 AND 800",
                    "INSERT INTO public.chunked SELECT i, 'v' || i FROM generate_series(301, 800) i",
                    IntStream.rangeClosed(301, 800)
                            .mapToObj(id -> "public.chunked (" + id + ") is missing on the target")
                            .toArray(String[]::new)));

    private static final List<Corruption> ON_THE_WAY = List.of(
            new Corruption(
                    LOST_BEFORE_THE_TOPIC,
                    LOST_BEFORE_THE_TOPIC,
                    "public.hay (20) differs in v",
                    "public.hay (22) is only on the target",
                    "public.hay (-3) is missing on the target"),
            new Corruption(
                    LOST_BEFORE_THE_TARGET,
                    LOST_BEFORE_THE_TARGET,
                    "public.lossy (20) differs in v",
                    "public.lossy (22) is only on the target",
                    "public.lossy (1024) is missing on the target"),
            new Corruption(
                    "UPDATE public.lossy SET v = 'new', w = 'new' WHERE id = 30",
                    "UPDATE public.lossy SET v = 'new' WHERE id = 30",
                    "public.lossy (30) differs in v"),
            new Corruption(
                    "UPDATE public.lossy SET id = 1040 WHERE id = 40",
                    "DELETE FROM public.lossy WHERE id = 40",
                    "public.lossy (40) is only on the target"),
            new Corruption(
                    "INSERT INTO public.twice VALUES ('again', 101)",
                    "DELETE FROM public.twice WHERE ctid = (SELECT max(ctid) FROM public.twice WHERE n = 101)",
                    "public.twice holds other rows on the target"));

    private MigrationFixture migration;
    private Endpoint source;
    private Endpoint target;

    /** A second for the next pass, instead of a minute. */
    @BeforeAll
    static void passesFollowSoon() {
        System.setProperty(Proof.REPEAT_PROPERTY, "1000");
    }

    @AfterAll
    static void passesFollowAsUsual() {
        System.clearProperty(Proof.REPEAT_PROPERTY);
    }

    @Test
    void eachCorruptionIsFoundAndNamedWhileApplicationsWrite() throws Exception {
        try (MigrationFixture fixture = new MigrationFixture("corruptions", 11, 17);
                LossyWire wire = new LossyWire(fixture.source().port());
                SteadyWrites writes = new SteadyWrites(fixture)) {
            migration = fixture;
            migration.file("verify: {whole-within: 0s}");
            migration.fillWithSample(4_000);
            source = migration.migration().source();
            target = migration.migration().target();
            migration.keepWriting(50);
            migration.execute(source, TABLES);
            migration.startAllBehind(wire.port());
            write(writes);
            migration.awaitState(State.IN_SYNC);
            awaitProof();

            corrupt(wire);
            CutoverResult refused = migration.cutOver();
            assertThat(refused.outcome()).isEqualTo(Outcome.REFUSED);
            assertThat(refused.reason())
                    .contains("public.chunked (", ") is missing on the target", "more rows that differ");
            aMissingIndexIsNamedAndBuiltAgain();
            repair();

            rowsThatAlwaysChangeAreComparedInTheWindow();
            migration.execute(target, "SELECT setval('public.invoice_number', 1000)");
            migration.stopWriting();
            migration.cutOverAndCompare();
            assertThat(migration.number(target, "SELECT last_value FROM public.invoice_number"))
                    .as("the sequence that was behind on the target")
                    .isGreaterThan(5003)
                    .isEqualTo(migration.number(source, "SELECT last_value FROM public.invoice_number"));
            assertThat(writes.written()).isGreaterThan(1_000);
        }
    }

    private static void write(SteadyWrites writes) {
        writes.every(100, (session, i) -> session.execute("UPDATE public.hot SET n = n + 1 WHERE id = 1"));
        writes.every(50, (session, i) -> session.execute("INSERT INTO public.ticks VALUES ('t', " + i + ")"));
        writes.every(50, (session, i) -> {
            long id = 1_001 + i * 37 % 18_000;
            session.execute(
                    switch ((int) (i % 5)) {
                        case 0 -> "INSERT INTO public.hay (id, v) VALUES (" + (100_000 + i) + ", 'new')";
                        case 1 -> "UPDATE public.hay SET id = id + 100000 WHERE id = " + (100_000 + i - 1);
                        case 2 -> "DELETE FROM public.hay WHERE id = " + (200_000 + i - 2);
                        case 3 -> "SELECT nextval('public.invoice_number')";
                        default -> "UPDATE public.hay SET v = 'u" + i + "', n = n + 0.10 WHERE id = " + id;
                    });
        });
    }

    private void corrupt(LossyWire wire) throws SQLException {
        Set<String> expected = new TreeSet<>();
        Stream.concat(ON_THE_TARGET.stream(), ON_THE_WAY.stream())
                .forEach(corruption -> expected.addAll(List.of(corruption.reported())));
        for (Corruption corruption : ON_THE_TARGET) {
            migration.execute(target, corruption.sql());
        }
        migration.execute(target, WRONG_APPLIER);
        for (Corruption corruption : ON_THE_WAY) {
            try (Connection session = Sessions.open(migration.migration(), source, "test");
                    Statement statement = session.createStatement()) {
                session.setAutoCommit(false);
                if (corruption.sql().equals(LOST_BEFORE_THE_TOPIC)) {
                    wire.lose(transaction(statement));
                }
                statement.execute(corruption.sql());
                session.commit();
            }
        }
        awaitDifferences(expected);
        assertThat(wire.hasLost()).isTrue();
    }

    private static long transaction(Statement session) throws SQLException {
        try (ResultSet row = session.executeQuery("SELECT txid_current()")) {
            row.next();
            return row.getLong(1);
        }
    }

    /** Waits until the proof names all of these, and no other at any time. */
    private void awaitDifferences(Set<String> expected) {
        Set<String> seen = new TreeSet<>();
        long began = System.nanoTime();
        await().atMost(MigrationFixture.PATIENCE)
                .pollInterval(Duration.ofMillis(100))
                .until(
                        () -> {
                            List<String> found = proof().differences();
                            assertThat(expected).containsAll(found);
                            if (seen.addAll(found)) {
                                long millis = (System.nanoTime() - began) / 1_000_000;
                                LOG.info("{} of {} after {} ms", seen.size(), expected.size(), millis);
                            }
                            return Set.copyOf(found);
                        },
                        expected::equals);
    }

    private void repair() throws SQLException {
        migration.execute(target, "DROP FUNCTION public.wrong() CASCADE");
        for (Corruption corruption : ON_THE_TARGET) {
            migration.execute(target, corruption.repair());
        }
        for (Corruption corruption : ON_THE_WAY) {
            migration.execute(target, corruption.repair());
        }
        awaitProof();
    }

    /** The schema's comparison finds an index that somebody has dropped, names it, and brings it again. */
    private void aMissingIndexIsNamedAndBuiltAgain() throws Exception {
        String there = "SELECT count(*) FROM pg_index WHERE indexrelid = to_regclass('public.hay_v') AND indisvalid";
        try (Connection other = Sessions.open(migration.migration(), target, "test");
                Statement statement = other.createStatement()) {
            // So that the index cannot be built before we have looked.
            statement.execute("DROP INDEX public.hay_v");
            other.setAutoCommit(false);
            statement.execute("LOCK TABLE public.hay IN ROW EXCLUSIVE MODE");
            await().atMost(MigrationFixture.PATIENCE)
                    .until(() -> migration.coordinator().status().nextSteps(), steps -> steps.stream()
                            .anyMatch(step -> step.contains("index public.hay_v")));
            assertThat(migration.compareSchemas().onlyOnSource())
                    .anyMatch(sql -> sql.startsWith("CREATE INDEX hay_v ON public.hay"));
            other.rollback();
        }
        await().atMost(MigrationFixture.PATIENCE).until(() -> migration.number(target, there) == 1);
    }

    /** No comparison beside the applications may say anything of a row that changes all the time, but the window does. */
    private void rowsThatAlwaysChangeAreComparedInTheWindow() throws SQLException {
        migration.execute(
                target,
                "CREATE FUNCTION public.mislabel() RETURNS trigger LANGUAGE plpgsql AS"
                        + " 'BEGIN NEW.label := ''wrong''; RETURN NEW; END'",
                "CREATE TRIGGER mislabel BEFORE UPDATE ON public.hot FOR EACH ROW EXECUTE PROCEDURE public.mislabel()",
                "ALTER TABLE public.hot ENABLE ALWAYS TRIGGER mislabel",
                "UPDATE public.ticks SET n = 3 - n WHERE v IN ('v1', 'v2')");
        CutoverResult aborted = migration.cutOver();
        assertThat(aborted.outcome()).as(aborted.reason()).isEqualTo(Outcome.ABORTED);
        assertThat(aborted.reason().lines())
                .as(aborted.reason())
                .anyMatch(line -> line.contains("public.hot: 1 rows differ") && line.contains("(1)"))
                .anyMatch(line -> line.contains("public.ticks: "));
        migration.execute(
                target,
                "DROP FUNCTION public.mislabel() CASCADE",
                "UPDATE public.ticks SET n = 3 - n WHERE v IN ('v1', 'v2')");
        migration.awaitState(State.IN_SYNC);
        awaitProof();
    }

    private ProofView proof() {
        return migration.coordinator().status().proof();
    }

    /** Tables without key that change all the time are not proven before the window. */
    private void awaitProof() {
        await().atMost(MigrationFixture.PATIENCE)
                .until(
                        this::proof,
                        proof -> proof.tables() > 10
                                && proof.differences().isEmpty()
                                && proof.unproven().stream().allMatch(CorruptionsTest::alwaysChanges));
    }

    private static boolean alwaysChanges(String unproven) {
        return unproven.startsWith("public.ticks:") || unproven.startsWith("public.audit_log:");
    }
}
