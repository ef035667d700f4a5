package io.wherry.rehearsal.verify;

import static org.assertj.core.api.Assertions.assertThat;
import static org.awaitility.Awaitility.await;

import io.wherry.contract.config.Endpoint;
import io.wherry.coordinator.cutover.CutoverResult;
import io.wherry.coordinator.cutover.CutoverResult.Outcome;
import io.wherry.coordinator.journal.State;
import io.wherry.coordinator.machine.Status.ProofView;
import io.wherry.rehearsal.fixture.MigrationFixture;
import io.wherry.rehearsal.fixture.ServerPair;
import org.junit.jupiter.api.Test;

/** A table that is created while the migration runs is proven by itself. */
final class AddedTableProofTest {
    @Test
    void theProofOfTheOtherTablesGoesOn() throws Exception {
        try (MigrationFixture migration = MigrationFixture.between(ServerPair.shared(), "added-proof")) {
            Endpoint source = migration.migration().source();
            Endpoint target = migration.migration().target();
            migration.execute(
                    source,
                    "CREATE TABLE public.old (id int PRIMARY KEY, v text)",
                    "INSERT INTO public.old SELECT i, 'v' || i FROM generate_series(1, 50) i");
            migration.file("verify: {whole-within: 0s}");
            migration.startAll();
            migration.awaitState(State.IN_SYNC);
            awaitProven(migration, 1);

            migration.execute(
                    source,
                    "CREATE TABLE public.added (id int PRIMARY KEY, v text)",
                    "INSERT INTO public.added SELECT i, 'v' || i FROM generate_series(1, 70) i");
            awaitProven(migration, 2);

            // The witness names the new table's changes: this row is found without another pass.
            migration.awaitState(State.IN_SYNC);
            migration.coordinator().proof().stop();
            migration.execute(source, "UPDATE public.added SET v = 'new' WHERE id = 7");
            await("the change on the target").atMost(MigrationFixture.PATIENCE).until(() -> migration
                    .text(target, "SELECT v FROM public.added WHERE id = 7")
                    .equals("new"));
            migration.execute(target, "UPDATE public.added SET v = 'rogue' WHERE id = 7");
            CutoverResult aborted = migration.cutOver();
            assertThat(aborted.outcome()).as(aborted.reason()).isEqualTo(Outcome.ABORTED);
            assertThat(aborted.reason()).contains("public.added: 1 rows differ", "keys (7)");
            migration.execute(target, "UPDATE public.added SET v = 'new' WHERE id = 7");
            migration.coordinator().proof().resume();
            await("the row to be found equal").atMost(MigrationFixture.PATIENCE).until(() -> migration
                    .coordinator()
                    .status()
                    .proof()
                    .differences()
                    .isEmpty());
            migration.cutOverAndCompare();
        }
    }

    private static void awaitProven(MigrationFixture migration, int tables) {
        await(tables + " tables to be proven").atMost(MigrationFixture.PATIENCE).until(() -> {
            ProofView proof = migration.coordinator().status().proof();
            assertThat(proof.proven()).as("tables that stay proven").isGreaterThanOrEqualTo(tables - 1);
            return proof.proven() == tables && proof.tables() == tables;
        });
    }
}
