package io.wherry.rehearsal.cutover;

import static org.assertj.core.api.Assertions.assertThat;
import static org.awaitility.Awaitility.await;

import io.wherry.contract.name.Identifiers;
import io.wherry.contract.service.Failpoints;
import io.wherry.rehearsal.RehearsalDatabase;
import io.wherry.rehearsal.fixture.MigrationFixture;
import java.net.http.HttpResponse;
import java.time.Duration;
import java.util.Optional;
import java.util.concurrent.Callable;
import java.util.concurrent.CompletableFuture;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/** Coordinators of one migration: the second acts when the first is dead, and one that comes back too late does nothing. */
class StandbyCoordinatorTest {
    private static final Logger LOG = LoggerFactory.getLogger(StandbyCoordinatorTest.class);
    private static final Duration POLL = Duration.ofMillis(100);
    /** A coordinator starts before the target has its schema. */
    private static final String HAS_JOURNAL =
            "SELECT count(*) FROM pg_catalog.pg_class WHERE oid = pg_catalog.to_regclass('wherry.journal')";

    private static final String STATE = "SELECT state FROM wherry.journal ORDER BY id DESC LIMIT 1";
    private static final String JOURNAL = "SELECT string_agg(state, ' ' ORDER BY id) FROM wherry.journal";
    private static final String MAY_LOG_IN = "SELECT count(*) FROM pg_roles WHERE rolcanlogin AND rolname = "
            + Identifiers.literal(RehearsalDatabase.APPLICATION);
    // Longer than it takes to stop a process, but soon over.
    private static final Duration WINDOW_OF_SECOND = Duration.ofSeconds(15);

    private MigrationFixture migration;
    private CompletableFuture<HttpResponse<String>> asked;

    /**
     * The first is killed behind its fence; the second opens the source. The second is stopped behind its own fence, and the
     * network has lost its session on the target; the third opens the source, fences it again and completes. When the second
     * comes back, its window is over, and it cannot see the target's journal before it has a session there.
     *
     * <p>Seen to fail while a free lock of the fence was enough to open the source: applications could write to the source after
     * the switch.
     */
    @Tag("slow")
    @Test
    void killedInTheWindowAndStoppedInTheWindow() throws Exception {
        try (MigrationFixture fixture = new MigrationFixture("standbyc", 15, 15)) {
            migration = fixture;
            fixture.fillWithSample(4_000);
            fixture.file("");
            fixture.configure("stable-for: 2s", "stable-for: 100ms");
            fixture.startArmed("first", "coordinator", Optional.of("after-draining"));
            fixture.startProcess("source");
            fixture.startProcess("sink");
            fixture.keepWriting(50);
            awaitUp("first");
            fixture.startTwin("second", "coordinator", WINDOW_OF_SECOND.toSeconds() + "s");
            awaitUp("second");

            await("the journal")
                    .atMost(MigrationFixture.PATIENCE)
                    .until(() -> fixture.number(fixture.migration().target(), HAS_JOURNAL) == 1);
            askUntil("first", () -> !fixture.isAlive("first"));
            assertThat(fixture.awaitEnd("first")).isEqualTo(Failpoints.EXIT_CODE);
            awaitOpened("killed");

            fixture.startTwin("third", "coordinator");
            awaitUp("third");
            await("in sync").atMost(MigrationFixture.PATIENCE).until(() -> state().equals("IN_SYNC"));
            // So that the drain does not end.
            fixture.signal("sink", "STOP");
            askUntil("second", () -> state().equals("DRAINING"));
            long draining = System.nanoTime();
            fixture.signal("second", "STOP");
            assertThat(isOpen()).as("stopped behind its fence").isFalse();
            fixture.endLockSession(fixture.migration().target(), "coordinator");
            awaitOpened("stopped");

            fixture.signal("sink", "CONT");
            askUntil("third", () -> state().equals("COMPLETED"));
            assertThat(fixture.awaitEnd("third")).isZero();
            fixture.stopWriting();
            assertThat(isOpen()).as("the target serves").isFalse();
            String journal = fixture.text(fixture.migration().target(), JOURNAL);

            await("the second's window is over")
                    .atMost(MigrationFixture.PATIENCE)
                    .until(() -> System.nanoTime() - draining > WINDOW_OF_SECOND.toNanos());
            fixture.signal("second", "CONT");
            assertThat(fixture.awaitEnd("second")).isZero();
            assertThat(isOpen()).as("the source stays closed").isFalse();
            assertThat(fixture.text(fixture.migration().target(), JOURNAL)).isEqualTo(journal);
            fixture.assertSourceEqualsTarget();
        }
    }

    private String state() {
        return migration.text(migration.migration().target(), STATE);
    }

    private boolean isOpen() {
        return migration.number(migration.migration().source(), MAY_LOG_IN) == 1;
    }

    private void awaitUp(String coordinator) {
        await(coordinator).atMost(MigrationFixture.PATIENCE).pollInterval(POLL).until(() -> migration
                .log(coordinator)
                .contains("HTTP on"));
    }

    private void awaitOpened(String what) {
        long began = System.nanoTime();
        await("the source is open")
                .atMost(MigrationFixture.PATIENCE)
                .pollInterval(POLL)
                .until(this::isOpen);
        LOG.info("{}: the successor has opened the source after {} ms", what, (System.nanoTime() - began) / 1_000_000);
    }

    /** Asks for the cutover whenever it can start. */
    private void askUntil(String coordinator, Callable<Boolean> reached) {
        asked = CompletableFuture.completedFuture(null);
        await(coordinator).atMost(MigrationFixture.PATIENCE).pollInterval(POLL).until(() -> {
            boolean done = reached.call();
            if (!done && asked.isDone() && state().equals("IN_SYNC")) {
                asked = migration.askForCutover(coordinator);
            }
            return done;
        });
    }
}
