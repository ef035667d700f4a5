package io.wherry.rehearsal.verify;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.awaitility.Awaitility.await;

import io.wherry.contract.config.Endpoint;
import io.wherry.contract.config.Migration.Tables;
import io.wherry.contract.name.TableId;
import io.wherry.contract.postgres.Lsn;
import io.wherry.coordinator.cutover.CutoverResult;
import io.wherry.coordinator.cutover.CutoverResult.Outcome;
import io.wherry.coordinator.journal.State;
import io.wherry.coordinator.proof.ProofInWindow.Chosen;
import io.wherry.coordinator.proof.ProofInWindow.Plan;
import io.wherry.coordinator.recheck.DirtyKeys;
import io.wherry.coordinator.sql.Queries;
import io.wherry.rehearsal.fixture.EveryThirdDay;
import io.wherry.rehearsal.fixture.MigrationFixture;
import java.sql.Connection;
import java.sql.DriverManager;
import java.sql.SQLException;
import java.time.Duration;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeSet;
import java.util.stream.Collectors;
import org.junit.jupiter.api.Test;

/** Small tables, and tables without key that have changed, are compared whole in the window, in the sessions of the proof. */
@EveryThirdDay(1)
final class WholeInWindowTest {
    private static final Duration NOTHING_FOR_CHOICE = Duration.ZERO;
    private static final Duration EVERYTHING = Duration.ofMinutes(1);
    private static final String TABLES = """
            CREATE TABLE public.small (id int PRIMARY KEY, v text);
            INSERT INTO public.small SELECT i, 'v' || i FROM generate_series(1, 50) i;
            CREATE TABLE public.filtered (id int PRIMARY KEY, kept boolean);
            INSERT INTO public.filtered SELECT i, true FROM generate_series(1, 50) i;
            CREATE TABLE public.keyless (v text, n int);
            INSERT INTO public.keyless SELECT 'v' || i, i FROM generate_series(1, 100) i;
            CREATE TABLE public.parts (id int, day date, PRIMARY KEY (id, day)) PARTITION BY RANGE (day);
            CREATE TABLE public.parts_1 PARTITION OF public.parts FOR VALUES FROM ('2020-01-01') TO ('2021-01-01');
            CREATE TABLE public.parts_2 PARTITION OF public.parts FOR VALUES FROM ('2021-01-01') TO ('2022-01-01');
            INSERT INTO public.parts SELECT i, '2020-01-01'::date + i FROM generate_series(1, 700) i;
            """;
    private static final Set<String> ALL = Set.of("small", "filtered", "keyless", "parts");

    private static ProvenPair pair() throws SQLException {
        Tables selected = new Tables(
                List.of("*"), List.of(), Map.of("public.filtered", "kept"), List.of(), List.of("public.parts"));
        return new ProvenPair(11, 17, TABLES, selected, new DirtyKeys(1 << 24, 10_000));
    }

    private static Set<String> names(Set<TableId> tables) {
        return tables.stream().map(TableId::table).collect(Collectors.toCollection(TreeSet::new));
    }

    @Test
    void whatNoPassHasSeenIsFoundByAComparisonOfAllRows() throws Exception {
        try (ProvenPair pair = pair()) {
            pair.settle();
            assertThat(pair.proven()).isEqualTo(ALL);
            assertThat(pair.plan(NOTHING_FOR_CHOICE))
                    .returns(ALL, plan -> names(plan.rest()))
                    .returns(Set.of(), ProvenPair::whole);
            Plan plan = pair.plan(EVERYTHING);
            assertThat(names(ProvenPair.whole(plan))).isEqualTo(ALL);
            assertThat(plan.rest()).isEmpty();
            assertThat(pair.equalAsWhole(ProvenPair.whole(plan))).isEqualTo(ALL);

            pair.onSource("INSERT INTO public.keyless VALUES ('late', 101)");
            pair.dirty.changedWhole(ProvenPair.table("keyless"), pair.now());
            pair.onSource("UPDATE public.filtered SET kept = false WHERE id = 1");
            pair.changed("filtered", "1");
            assertThat(names(ProvenPair.whole(pair.plan(NOTHING_FOR_CHOICE))))
                    .as("the table without key must be compared whole")
                    .containsExactly("keyless");
            assertThat(pair.equalAsWhole(ProvenPair.whole(plan)))
                    .as("not applied")
                    .containsExactly("parts", "small");
            pair.onTarget("INSERT INTO public.keyless VALUES ('late', 101)");
            pair.onTarget("DELETE FROM public.filtered WHERE id = 1");
            assertThat(pair.equalAsWhole(ProvenPair.whole(plan))).isEqualTo(ALL);

            pair.onTarget("UPDATE public.small SET v = 'v7 ' WHERE id = 7");
            pair.onTarget("UPDATE public.parts_2 SET id = id + 1000 WHERE id = 650");
            pair.onTarget("UPDATE public.keyless SET n = 3 - n WHERE n IN (1, 2)");
            assertThat(pair.finish("small").equal())
                    .as("no change names the row")
                    .isTrue();
            assertThat(pair.equalAsWhole(ProvenPair.whole(plan)))
                    .as("rogue writes")
                    .containsExactly("filtered");
        }
    }

    /** The proof reads the catalogs now and then, and its statements leave out a column that is younger. */
    @Test
    void aTableThatWasAlteredAMomentAgoIsLeftToAComparisonThatReadsTheCatalogs() throws Exception {
        try (ProvenPair pair = pair()) {
            pair.settle();
            pair.onSource("ALTER TABLE public.small ADD COLUMN more text");
            assertThat(pair.proven()).as("not known yet").isEqualTo(ALL);
            assertThat(pair.plan(EVERYTHING))
                    .as("altered on the source")
                    .returns(Set.of("filtered", "keyless", "parts"), plan -> names(ProvenPair.whole(plan)))
                    .returns(Set.of(), Plan::rest);
            pair.onTarget("ALTER TABLE public.keyless RENAME COLUMN n TO m");
            pair.onTarget("ALTER TABLE public.parts DROP CONSTRAINT parts_pkey");
            pair.onSource("ALTER TABLE public.filtered RENAME TO other");
            pair.onSource("CREATE TABLE public.filtered (id int PRIMARY KEY, kept boolean)");
            assertThat(ProvenPair.whole(pair.plan(EVERYTHING)))
                    .as("altered on either side")
                    .isEmpty();

            await("the proof to look at the shapes, before it reads the catalogs each minute")
                    .atMost(Duration.ofSeconds(50))
                    .until(() -> {
                        pair.pass();
                        pair.turn();
                        return pair.proven().equals(Set.of("parts"));
                    });
        }
    }

    @Test
    void aTableThatIsLockedIsWaitedForUntilTheWindowEndsAndOneThatIsGoneIsLeftOut() throws Exception {
        try (ProvenPair pair = pair();
                Connection other = pair.openSource()) {
            pair.settle();
            Set<TableId> small = Set.of(ProvenPair.table("small"));
            other.setAutoCommit(false);
            Queries.execute(other, "LOCK TABLE public.small IN ACCESS EXCLUSIVE MODE");
            assertThat(names(ProvenPair.whole(pair.plan(EVERYTHING))))
                    .as("the plan does not wait")
                    .isEqualTo(ALL);
            assertThatThrownBy(() -> pair.proof.whole(pair.sides, small, Duration.ofMillis(300)))
                    .isInstanceOf(SQLException.class)
                    .extracting(failure -> ((SQLException) failure).getSQLState())
                    .isEqualTo("57014");
            other.rollback();
            assertThat(pair.equalAsWhole(small)).containsExactly("small");

            pair.onTarget("DROP TABLE public.small");
            assertThat(pair.equalAsWhole(Set.of(ProvenPair.table("small"), ProvenPair.table("keyless"))))
                    .containsExactly("keyless");
        }
    }

    @Test
    void aTableForWhichThereIsNoTimeAnyMoreIsLeftToItsRowsThatChangedLast() throws Exception {
        try (ProvenPair pair = pair();
                Connection other = pair.openSource()) {
            pair.settle();
            Set<TableId> choice = pair.plan(EVERYTHING).choice();
            assertThat(names(choice)).isEqualTo(ALL);
            assertThat(pair.proof.choice(pair.sides, choice, Duration.ofNanos(1)))
                    .as("no time at all")
                    .isEqualTo(new Chosen(List.of(), choice));
            TableId first = choice.iterator().next();
            other.setAutoCommit(false);
            Queries.execute(other, "LOCK TABLE " + first.quoted() + " IN ACCESS EXCLUSIVE MODE");
            assertThat(pair.proof.choice(pair.sides, choice, Duration.ofSeconds(1)))
                    .as("the first takes longer than was measured")
                    .isEqualTo(new Chosen(List.of(), choice));
            other.rollback();
            assertThat(pair.proof.choice(pair.sides, choice, EVERYTHING))
                    .returns(Set.of(), Chosen::left)
                    .returns(4, chosen -> chosen.equal().size());
        }
    }

    /** A log without key never rests on a busy source, so that no pass of it begins. */
    @Test
    void aTableWithoutKeyThatAlwaysChangesIsMeasuredForTheWindow() throws Exception {
        try (ProvenPair pair = pair()) {
            for (int turn = 0; turn < 50; turn++) {
                pair.dirty.changedWhole(ProvenPair.table("keyless"), new Lsn(Long.MAX_VALUE));
                pair.pass();
                pair.turn();
            }
            assertThat(pair.proven()).doesNotContain("keyless");
            assertThat(names(ProvenPair.whole(pair.plan(NOTHING_FOR_CHOICE)))).containsExactly("keyless");
        }
    }

    @Test
    void theEndOfTheWindowEndsAComparisonThatWaitsForALock() throws Exception {
        try (MigrationFixture migration = new MigrationFixture("locked-in-window", 15, 17)) {
            migration.file("verify: {whole-within: 1m}");
            migration.configure("max-downtime: 2m", "max-downtime: 15s");
            Endpoint source = migration.migration().source();
            migration.execute(
                    source,
                    "CREATE TABLE public.small (id int)",
                    "INSERT INTO public.small SELECT generate_series(1, 50)");
            migration.startAll();
            migration.awaitState(State.IN_SYNC);
            await("the proof")
                    .atMost(MigrationFixture.PATIENCE)
                    .until(() -> migration.coordinator().status().proof().proven() == 1);
            // Otherwise a pass may wait for the lock, and not the window.
            migration.coordinator().proof().stop();
            migration.execute(source, "INSERT INTO public.small VALUES (51)");
            await("the row on the target")
                    .atMost(MigrationFixture.PATIENCE)
                    .until(() -> migration.numberFromTarget("SELECT count(*) FROM public.small") == 51);
            try (Connection holding = DriverManager.getConnection(
                    migration.target().jdbcUrl(migration.database()),
                    migration.target().superuser(),
                    migration.target().password())) {
                holding.setAutoCommit(false);
                Queries.execute(holding, "LOCK TABLE public.small IN ACCESS EXCLUSIVE MODE");
                CutoverResult aborted = migration.cutOver();
                assertThat(aborted.outcome()).as(aborted.reason()).isEqualTo(Outcome.ABORTED);
                assertThat(aborted.reason())
                        .contains(
                                "max-downtime (15000 ms) passed while waiting for the comparison of all rows of tables"
                                        + " that take little time");
            }
            migration.execute(source, "INSERT INTO public.small VALUES (52)");
            migration.cutOverAndCompare();
        }
    }

    @Test
    void aCutoverFindsWhatNobodyHasNamedAndCompletesOnceThatIsRepaired() throws Exception {
        try (MigrationFixture migration = new MigrationFixture("whole-in-window", 11, 17)) {
            migration.file("verify: {whole-within: 1m}");
            Endpoint source = migration.migration().source();
            Endpoint target = migration.migration().target();
            migration.execute(
                    source,
                    "CREATE TABLE public.small (id int PRIMARY KEY, v text)",
                    "INSERT INTO public.small SELECT i, 'v' || i FROM generate_series(1, 50) i",
                    "CREATE TABLE public.keyless (v int)",
                    "INSERT INTO public.keyless SELECT generate_series(1, 100)");
            migration.startAll();
            migration.awaitState(State.IN_SYNC);
            await("the proof")
                    .atMost(MigrationFixture.PATIENCE)
                    .until(() -> migration.coordinator().status().proof().proven() == 2);
            // No pass reads these rows before the window does.
            migration.coordinator().proof().stop();
            migration.execute(source, "INSERT INTO public.keyless VALUES (101)");
            await("the row on the target")
                    .atMost(MigrationFixture.PATIENCE)
                    .until(() -> migration.number(target, "SELECT count(*) FROM public.keyless") == 101);
            migration.execute(
                    target,
                    "UPDATE public.keyless SET v = 102 WHERE v = 101",
                    "UPDATE public.small SET v = 'other' WHERE id = 7");

            CutoverResult aborted = migration.cutOver();
            assertThat(aborted.outcome()).as(aborted.reason()).isEqualTo(Outcome.ABORTED);
            assertThat(aborted.reason())
                    .contains("public.keyless: 2 rows differ", "public.small: 1 rows differ", "keys (7)");

            migration.execute(
                    target,
                    "UPDATE public.keyless SET v = 101 WHERE v = 102",
                    "UPDATE public.small SET v = 'v7' WHERE id = 7");
            migration.cutOverAndCompare();
        }
    }
}
