package io.wherry.rehearsal.verify;

import static org.assertj.core.api.Assertions.assertThat;
import static org.awaitility.Awaitility.await;

import io.wherry.contract.config.Endpoint;
import io.wherry.coordinator.cutover.CutoverResult;
import io.wherry.coordinator.cutover.CutoverResult.Outcome;
import io.wherry.coordinator.journal.State;
import io.wherry.coordinator.machine.Status.ProofView;
import io.wherry.rehearsal.fixture.MigrationFixture;
import java.util.function.Predicate;
import org.junit.jupiter.api.Test;

/** A migration whose rows are proven equal before the window, so that the window compares what changed last. */
class ProvenCutoverTest {
    private MigrationFixture migration;

    @Test
    void whatIsLostOrAlteredOnItsWayIsNamedBeforeTheCutoverAndWhatIsEqualIsNotComparedAgain() throws Exception {
        try (MigrationFixture fixture = new MigrationFixture("proven", 11, 17)) {
            migration = fixture;
            migration.file("verify: {whole-within: 0s}");
            migration.fillWithSample(20_000);
            Endpoint source = migration.migration().source();
            Endpoint target = migration.migration().target();
            migration.execute(
                    source,
                    "CREATE TABLE public.\"Plain Values\" (\"key \"\"k\"\"\" text COLLATE \"C\", at date, v numeric,"
                            + " PRIMARY KEY (\"key \"\"k\"\"\", at))",
                    "INSERT INTO public.\"Plain Values\" SELECT 'k' || g, '2020-01-01', g / 10.0 FROM generate_series(1, 2000) g",
                    "CREATE TABLE public.keyless (v int)",
                    "INSERT INTO public.keyless SELECT generate_series(1, 100)",
                    "CREATE TABLE public.hot (id int PRIMARY KEY, n bigint)",
                    "INSERT INTO public.hot VALUES (1, 0)");
            migration.startAll();
            migration.keepWriting(50);
            migration.awaitState(State.IN_SYNC);
            awaitProof(proof -> proof.tables() > 5 && proof.proven() == proof.tables());

            // Lost between the topics and the target: the target's trigger keeps the old value of one row.
            migration.execute(
                    target,
                    "CREATE FUNCTION public.keep() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN NEW.v := OLD.v; RETURN NEW; END'",
                    "CREATE TRIGGER keep BEFORE UPDATE ON public.\"Plain Values\" FOR EACH ROW EXECUTE PROCEDURE public.keep()",
                    "ALTER TABLE public.\"Plain Values\" ENABLE ALWAYS TRIGGER keep");
            migration.execute(
                    source,
                    "UPDATE public.\"Plain Values\" SET v = 70.0 WHERE \"key \"\"k\"\"\" = 'k7'",
                    "UPDATE public.\"Plain Values\" SET v = 0.80 WHERE \"key \"\"k\"\"\" = 'k8'");
            ProofView found = awaitProof(proof -> proof.differences().size() == 2);
            assertThat(found.differences())
                    .containsExactlyInAnyOrder(
                            "public.Plain Values (k7,2020-01-01) differs in v",
                            "public.Plain Values (k8,2020-01-01) differs in v");
            CutoverResult refused = migration.cutOver();
            assertThat(refused.outcome()).isEqualTo(Outcome.REFUSED);
            assertThat(refused.reason()).contains("public.Plain Values (k7,2020-01-01) differs in v");

            migration.execute(target, "DROP TRIGGER keep ON public.\"Plain Values\"", "DROP FUNCTION public.keep()");
            migration.execute(source, "UPDATE public.\"Plain Values\" SET v = v + 1 WHERE v IN (70.0, 0.80)");
            awaitProof(proof -> proof.differences().isEmpty() && proof.proven() == proof.tables());

            migration.stopWriting();
            for (int i = 0; i < 200; i++) {
                migration.execute(source, "UPDATE public.hot SET n = n + 1");
            }
            migration.execute(source, "INSERT INTO public.keyless VALUES (101)");
            migration.awaitState(State.IN_SYNC);
            CutoverResult done = migration.cutOver();
            assertThat(done.outcome()).as(done.reason()).isEqualTo(Outcome.COMPLETED);
            assertThat(migration.numberFromTarget(
                            "SELECT (detail->>'proven')::int FROM wherry.journal WHERE detail ? 'proven'"))
                    .as("tables that were not compared whole in the window")
                    .isGreaterThan(5);
            migration.awaitForeignKeys();
            migration.assertSourceEqualsTarget();
        }
    }

    private ProofView awaitProof(Predicate<ProofView> wanted) {
        return await().atMost(MigrationFixture.PATIENCE)
                .until(() -> migration.coordinator().status().proof(), wanted::test);
    }
}
