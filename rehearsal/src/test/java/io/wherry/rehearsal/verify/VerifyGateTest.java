package io.wherry.rehearsal.verify;

import static org.assertj.core.api.Assertions.assertThat;
import static org.awaitility.Awaitility.await;

import io.wherry.contract.config.Endpoint;
import io.wherry.contract.postgres.Sessions;
import io.wherry.coordinator.cutover.CutoverResult;
import io.wherry.coordinator.cutover.CutoverResult.Outcome;
import io.wherry.coordinator.cutover.Force;
import io.wherry.coordinator.journal.State;
import io.wherry.coordinator.machine.StateTime;
import io.wherry.coordinator.machine.Status.ProofView;
import io.wherry.coordinator.sql.Queries;
import io.wherry.rehearsal.fixture.EveryThirdDay;
import io.wherry.rehearsal.fixture.MigrationFixture;
import io.wherry.rehearsal.fixture.ServerPair;
import java.sql.Connection;
import java.util.Set;
import java.util.function.Predicate;
import org.junit.jupiter.api.Test;

/** A comparison that the window has no time for is foreseen, and the operator may begin all the same. */
@EveryThirdDay(0)
class VerifyGateTest {
    private static final String FORCED = "SELECT count(*) FROM wherry.journal WHERE state = 'FENCING'"
            + " AND detail->'forced' = '[\"verify\"]' AND detail ? 'fence'";

    private final ServerPair servers = ServerPair.shared();
    private MigrationFixture migration;

    @Test
    void aComparisonThatTakesTooLongIsRefusedBeforeTheFenceUnlessItIsForced() throws Exception {
        try (MigrationFixture fixture = MigrationFixture.between(servers, "foreseen")) {
            migration = fixture;
            migration.file("verify: {witness: off}");
            migration.configure("max-downtime: 2m", "max-downtime: 400ms");
            migration.execute(
                    migration.migration().source(),
                    "CREATE TABLE public.large (id int PRIMARY KEY)",
                    "INSERT INTO public.large SELECT generate_series(1, 150000)",
                    "CREATE TABLE public.small (id int PRIMARY KEY)",
                    "ANALYZE public.large");
            migration.startAll();
            migration.awaitState(State.IN_SYNC);

            CutoverResult refused = migration.cutOver();
            assertThat(refused.outcome()).isEqualTo(Outcome.REFUSED);
            assertThat(refused.reason())
                    .startsWith(
                            "the comparison in the window would take about 0.3 s, more than half of"
                                    + " cutover.max-downtime (400 ms): public.large 0.3 s (verify.witness is off), public.small 0.0 s")
                    .endsWith("wherry cutover --force verify");
            assertThat(asked(true, Set.of()).plan())
                    .contains("OBSTACLE: " + refused.reason(), "VERIFYING: compares 2 of 2 tables whole, about 0.3 s");
            assertThat(asked(true, Set.of(Force.VERIFY)).plan())
                    .contains("FORCED (verify): " + refused.reason())
                    .noneMatch(line -> line.startsWith("OBSTACLE"));
            assertThat(migration.coordinator().states())
                    .extracting(StateTime::state)
                    .doesNotContain(State.FENCING);

            try (Connection other =
                    Sessions.open(migration.migration(), migration.migration().source(), "test")) {
                other.setAutoCommit(false);
                Queries.execute(other, "LOCK TABLE public.small IN ACCESS EXCLUSIVE MODE");
                assertThat(asked(false, Set.of()).reason())
                        .contains(
                                "another session has locked a table",
                                "FROM pg_locks WHERE mode = 'AccessExclusiveLock'");
                assertThat(Queries.strings(
                                other,
                                "SELECT relation::regclass::text FROM pg_locks WHERE mode = 'AccessExclusiveLock'"))
                        .as("what the remedy shows")
                        .contains("public.small");
                other.rollback();
            }

            CutoverResult begun = asked(false, Set.of(Force.VERIFY));
            assertThat(begun.outcome()).as(begun.reason()).isIn(Outcome.ABORTED, Outcome.COMPLETED);
            assertThat(begun.plan()).contains("FORCED (verify): " + refused.reason());
            assertThat(migration.numberFromTarget(FORCED)).isEqualTo(1);
        }
    }

    @Test
    void anOldProofIsRefusedUnlessItIsForcedAndADifferenceIsRefusedInAnyCase() throws Exception {
        try (MigrationFixture fixture = MigrationFixture.between(servers, "aged")) {
            migration = fixture;
            migration.file("verify: {whole-within: 0s, max-age: 1ms}");
            Endpoint source = migration.migration().source();
            Endpoint target = migration.migration().target();
            migration.execute(
                    source,
                    "CREATE TABLE public.plain (id int PRIMARY KEY, v int)",
                    "INSERT INTO public.plain SELECT g, g FROM generate_series(1, 100) g");
            migration.startAll();
            migration.awaitState(State.IN_SYNC);
            awaitProof(proof -> proof.tables() == 1 && proof.proven() == 1);

            assertThat(asked(true, Set.of()).plan())
                    .contains("VERIFYING: compares 0 of 1 tables whole, less than 0.1 s")
                    .anyMatch(line -> line.startsWith("OBSTACLE: the proof is older than verify.max-age (1 ms)"));
            CutoverResult old = migration.cutOver();
            assertThat(old.outcome()).isEqualTo(Outcome.REFUSED);
            assertThat(old.reason())
                    .matches("the proof is older than verify.max-age \\(1 ms\\) of public.plain, [0-9.]+ m?s\\. Wait .*"
                            + " raise verify.max-age; .* wherry cutover --force verify");

            migration.execute(
                    target,
                    "CREATE FUNCTION public.keep() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN NEW.v := OLD.v; RETURN NEW; END'",
                    "CREATE TRIGGER keep BEFORE UPDATE ON public.plain FOR EACH ROW EXECUTE PROCEDURE public.keep()",
                    "ALTER TABLE public.plain ENABLE ALWAYS TRIGGER keep");
            migration.execute(source, "UPDATE public.plain SET v = 70 WHERE id = 7");
            awaitProof(proof -> proof.differences().size() == 1);
            CutoverResult different = asked(false, Set.of(Force.VERIFY));
            assertThat(different.outcome()).isEqualTo(Outcome.REFUSED);
            assertThat(different.reason()).isEqualTo("public.plain (7) differs in v");

            migration.execute(target, "DROP TRIGGER keep ON public.plain", "DROP FUNCTION public.keep()");
            migration.execute(source, "UPDATE public.plain SET v = 71 WHERE id = 7");
            awaitProof(proof -> proof.differences().isEmpty() && proof.proven() == 1);
            migration.awaitState(State.IN_SYNC);
            CutoverResult completed = asked(false, Set.of(Force.VERIFY));
            assertThat(completed.outcome()).as(completed.reason()).isEqualTo(Outcome.COMPLETED);
            assertThat(migration.numberFromTarget(FORCED)).isEqualTo(1);
            migration.awaitForeignKeys();
            migration.assertSourceEqualsTarget();
        }
    }

    private CutoverResult asked(boolean dryRun, Set<Force> forced) {
        return migration
                .coordinator()
                .cutover(dryRun, forced)
                .toCompletableFuture()
                .join();
    }

    private ProofView awaitProof(Predicate<ProofView> wanted) {
        return await().atMost(MigrationFixture.PATIENCE)
                .until(() -> migration.coordinator().status().proof(), wanted::test);
    }
}
