package io.wherry.random;

import static org.assertj.core.api.Assertions.assertThat;
import static org.awaitility.Awaitility.await;

import io.wherry.cli.ExitCode;
import io.wherry.coordinator.journal.State;
import io.wherry.rehearsal.fixture.MigrationFixture;
import io.wherry.rehearsal.rebuild.RebuiltDatabase;
import io.wherry.rehearsal.rebuild.SourceSnapshot;
import java.util.Optional;
import java.util.SplittableRandom;
import java.util.concurrent.CompletableFuture;

/** Other databases from the topics of a random migration. */
final class RandomRebuild {
    private final MigrationFixture migration;
    private final SplittableRandom random;

    /** @param seed decides the moment */
    RandomRebuild(MigrationFixture migration, long seed) {
        this.migration = migration;
        this.random = new SplittableRandom(seed + 17);
    }

    /** The steps of a history. */
    interface Steps {
        /** Runs the next one; transactions may be open after it. */
        void one();

        /** Runs many, ends all transactions, and alters tables. */
        void many();
    }

    /**
     * Chooses a moment between two steps, mostly one at which transactions are open, and makes the database of that moment while the
     * steps go on. Every table must be loaded before: a rebuild goes back to the last load at most.
     *
     * @param most steps before the moment
     */
    void ofMoment(Steps steps, int most) throws Exception {
        migration.awaitState(State.IN_SYNC);
        int before = random.nextInt(most);
        for (int i = 0; i < before; i++) {
            steps.one();
        }
        Optional<SourceSnapshot> then = SourceSnapshot.now(migration.migration());
        while (then.isEmpty()) {
            steps.one();
            then = SourceSnapshot.now(migration.migration());
        }
        CompletableFuture<Void> meanwhile = CompletableFuture.runAsync(steps::many);
        RebuiltDatabase rebuilt = new RebuiltDatabase(migration, migration.name + "_then");
        String until = then.get().until().toString();
        int code = await("the topics have passed " + until)
                .atMost(MigrationFixture.PATIENCE)
                .until(
                        () -> rebuilt.rebuild("--until", until),
                        ended -> ended != ExitCode.NOT_IN_SYNC
                                || !rebuilt.said().contains("the topics reach to commit"));
        meanwhile.join();
        assertThat(code).as("until " + until + ": " + rebuilt.said()).isZero();
        then.get().assertEqual(migration.migration(), rebuilt.endpoint());
    }

    /** After the cutover: the database that serves. What the topics do not hold is named. */
    void ofTarget(String beside, String largeObjects) throws Exception {
        RebuiltDatabase rebuilt = new RebuiltDatabase(migration, migration.name + "_rebuilt");
        rebuilt.assertDone(rebuilt.rebuild());
        rebuilt.assertEqualsTarget();
        assertThat(migration.text(rebuilt.endpoint(), beside))
                .isEqualTo(migration.text(migration.migration().target(), beside));
        assertThat(rebuilt.said().contains("missing: large objects"))
                .as(rebuilt.said())
                .isEqualTo(migration.text(migration.migration().source(), largeObjects) != null);
        assertThat(rebuilt.said()).contains("missing: rows of public.system, a table of an extension");
    }
}
