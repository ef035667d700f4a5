package io.wherry.rehearsal.cutover;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.wherry.contract.config.Flow;
import io.wherry.contract.config.Migration;
import io.wherry.contract.error.DataException;
import io.wherry.contract.error.RetryableException;
import io.wherry.contract.name.TableId;
import io.wherry.contract.postgres.Lsn;
import io.wherry.coordinator.CutoverCoordinator;
import io.wherry.coordinator.cutover.CutoverResult;
import io.wherry.coordinator.cutover.CutoverResult.Outcome;
import io.wherry.coordinator.cutover.Decision;
import io.wherry.coordinator.cutover.StateMachine;
import io.wherry.coordinator.cutover.Story;
import io.wherry.coordinator.fence.Fence;
import io.wherry.coordinator.journal.Event;
import io.wherry.coordinator.journal.Journal;
import io.wherry.coordinator.journal.State;
import io.wherry.coordinator.machine.Status;
import io.wherry.coordinator.sql.Queries;
import io.wherry.coordinator.sql.Term;
import io.wherry.rehearsal.fixture.SharedBroker;
import io.wherry.rehearsal.fixture.StandInServices;
import io.wherry.rehearsal.fixture.TwoServers;
import java.nio.file.Path;
import java.sql.Connection;
import java.sql.SQLException;
import java.time.Duration;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.TimeUnit;
import org.apache.kafka.common.TopicPartition;
import org.awaitility.Awaitility;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** What happens within a cutover's window and at its ends, on one migration that goes from state to state. */
final class CutoverWindowTest {
    private static final StateMachine MACHINE = new StateMachine(Story.STEPS);
    private static final Duration LONG = Duration.ofMinutes(2);
    private static final TableId ANIMAL = new TableId("public", "animal");
    private static final String COMPARING = "SELECT count(*) FROM pg_stat_activity WHERE state = 'active'"
            + " AND query LIKE '%public.gate()%' AND pid <> pg_backend_pid()";
    // The first three rows are compared at once; the query for the rows that differ sleeps.
    private static final String GATED = "CREATE TABLE public.gated (id int PRIMARY KEY);"
            + " INSERT INTO public.gated VALUES (1), (2), (3);"
            + " CREATE SEQUENCE public.calls MINVALUE -1000000 START 1;"
            + " CREATE FUNCTION public.gate() RETURNS boolean LANGUAGE plpgsql AS 'BEGIN"
            + " IF nextval(''public.calls'') > 3 THEN PERFORM pg_sleep(600); END IF; RETURN true; END'";

    @TempDir
    private Path directory;

    private TwoServers servers;
    private Migration migration;
    private CutoverCoordinator coordinator;
    private CutoverCoordinator standby;

    @Test
    void aWindowLeavesNothingBehindAndNobodyChangesWhatItIsDecidedOn() throws Exception {
        try (TwoServers both = new TwoServers("window", 15, 15)) {
            servers = both;
            for (var server : List.of(both.source, both.target)) {
                both.run(server, "postgres", "CREATE DATABASE shop");
            }
            both.run(both.source, "shop", GATED);
            both.run(
                    both.source,
                    "shop",
                    "CREATE TABLE public.animal (id int PRIMARY KEY, name text); INSERT INTO public.animal VALUES (1, 'cat')");
            migration = migration(Duration.ofSeconds(10));
            try (StandInServices services = new StandInServices(both, migration)) {
                start();
                awaitTables();
                services.load();
                await(State.IN_SYNC);
                aComparisonEndsWithItsWindow();
                theDeadlineEndsADrainThatNeverEnds(services);
                migration = migration(LONG);
                theLastAbortIsToldAfterARestart();
                aCoordinatorThatLosesItsLockStandsBy();
                standby = new CutoverCoordinator(Flow.first(migration), directory.resolve("standby"));
                standby.start();
                CompletableFuture<CutoverResult> ofStandby =
                        standby.cutover(false).toCompletableFuture();
                aLoadWithinTheWindowIsNotSwitchedTo();
                aStandbyAnswers(ofStandby);
                anOrderJustGivenIsKnownToTheCutover();
                everythingThatChangedIsNamed();
                aSwitchRowThatIsJustCommittedIsGoneOnFrom();
            } finally {
                coordinator.close();
                if (standby != null) {
                    standby.close();
                }
                SharedBroker.forget(migration.name());
            }
        }
    }

    /** Without the fix: the query for the rows that differ continued for its ten minutes on a source that served again. */
    private void aComparisonEndsWithItsWindow() throws Exception {
        servers.run(servers.target, "shop", "DELETE FROM public.gated WHERE id = 2");
        CutoverResult aborted = coordinator.cutover(false).toCompletableFuture().get(2, TimeUnit.MINUTES);
        assertThat(aborted.outcome()).isEqualTo(Outcome.ABORTED);
        assertThat(aborted.reason()).contains("max-downtime", "the comparison of all rows");
        try (Connection source = servers.openSource()) {
            Awaitility.await().atMost(Duration.ofSeconds(10)).untilAsserted(() -> assertThat(
                            Queries.number(source, COMPARING))
                    .isZero());
        }
        servers.run(servers.source, "shop", "SELECT setval('public.calls', -1000000)");
        servers.run(servers.target, "shop", "INSERT INTO public.gated VALUES (2)");
        await(State.IN_SYNC);
        assertThat(coordinator.status().lastAbort().step()).isEqualTo(State.VERIFYING);
    }

    /** Without the fix: no message said that there had been an attempt. */
    private void theLastAbortIsToldAfterARestart() {
        coordinator.close();
        start();
        await(State.IN_SYNC);
        assertThat(coordinator.status().lastAbort().step()).isEqualTo(State.DRAINING);
        assertThat(coordinator.status().lastAbort().reason()).contains("max-downtime");
        assertThat(coordinator.status().lastAbort().at()).startsWith("20");
    }

    /**
     * Another session gets the lock while this coordinator has nothing to write to its journal. Without the fix: this coordinator
     * stayed in sync, gave orders, and would have built, followed and tried on a target that belongs to another coordinator.
     */
    private void aCoordinatorThatLosesItsLockStandsBy() throws Exception {
        try (Connection other = servers.openTarget();
                Connection seeing = servers.openTarget()) {
            CompletableFuture<Void> locked = CompletableFuture.runAsync(() -> {
                try {
                    Queries.string(other, "SELECT pg_advisory_lock(?)::text", Term.LOCK.number());
                } catch (SQLException e) {
                    throw new IllegalStateException(e);
                }
            });
            Awaitility.await()
                    .atMost(LONG)
                    .until(() -> Queries.truth(seeing, "SELECT EXISTS (SELECT FROM pg_locks WHERE NOT granted)"));
            Queries.strings(
                    seeing,
                    "SELECT pg_terminate_backend(pid)::text FROM pg_stat_activity WHERE application_name = 'wherry "
                            + migration.name() + " coordinator'");
            locked.get(1, TimeUnit.MINUTES);
            Awaitility.await().atMost(LONG).untilAsserted(() -> assertThat(
                            coordinator.status().waitsFor())
                    .contains("another coordinator"));
            assertThatThrownBy(() -> coordinator.reload(Optional.of("public.animal")))
                    .isInstanceOf(RetryableException.class)
                    .hasMessageContaining("another coordinator");
        }
        Awaitility.await()
                .atMost(LONG)
                .untilAsserted(() -> assertThat(coordinator.status().waitsFor()).doesNotContain("another coordinator"));
        await(State.IN_SYNC);
    }

    /** A table that is re-loaded within the window is no longer the table that was compared: no switch row is committed. */
    private void aLoadWithinTheWindowIsNotSwitchedTo() throws Exception {
        try (Connection holding = servers.openTarget()) {
            holding.setAutoCommit(false);
            Queries.execute(holding, "LOCK TABLE public.animal IN ACCESS EXCLUSIVE MODE");
            CompletableFuture<CutoverResult> asked = coordinator.cutover(false).toCompletableFuture();
            await(State.VERIFYING);
            assertThat(coordinator.status().lastAbort()).as("another attempt").isNull();
            assertThatThrownBy(() -> coordinator.reload(Optional.of("public.animal")))
                    .isInstanceOf(DataException.class)
                    .hasMessageContaining("VERIFYING");
            loadedAs(0);
            holding.rollback();
            CutoverResult aborted = asked.get(2, TimeUnit.MINUTES);
            assertThat(aborted.reason()).contains("public.animal is being re-loaded");
            assertThat(aborted.outcome()).isEqualTo(Outcome.ABORTED);
        }
        loadedAs(1);
        await(State.IN_SYNC);
    }

    /** Without the fix: a standby never answered a caller. */
    private static void aStandbyAnswers(CompletableFuture<CutoverResult> asked) throws Exception {
        CutoverResult answer = asked.get(1, TimeUnit.MINUTES);
        assertThat(answer.outcome()).isEqualTo(Outcome.REFUSED);
        assertThat(answer.reason()).contains("stands by");
    }

    /** The order has yet to come back from Kafka. */
    private void anOrderJustGivenIsKnownToTheCutover() throws Exception {
        assertThat(coordinator.reload(Optional.of("public.animal"))).containsExactly(ANIMAL);
        CutoverResult refused = coordinator.cutover(false).toCompletableFuture().get(1, TimeUnit.MINUTES);
        assertThat(refused.outcome()).isEqualTo(Outcome.REFUSED);
        assertThat(refused.reason()).contains("1 of 2 tables to be loaded");
        loadedAs(2);
        await(State.IN_SYNC);
    }

    private void everythingThatChangedIsNamed() throws Exception {
        try (Connection target = servers.openTarget()) {
            Map<TopicPartition, Long> vector = Map.of(new TopicPartition("window.public.animal", 0), 0L);
            Decision decision = new Decision(new Lsn(1000), vector, Decision.loads(target));
            Map<TableId, Integer> wanted = Map.of(ANIMAL, 2);
            target.setAutoCommit(false);
            decision.require(target, vector, wanted);
            changed(
                    target,
                    "UPDATE wherry.relation SET stopped_because = 'a conflict'",
                    decision,
                    "stopped: a conflict");
            changed(target, "UPDATE wherry.relation SET ready_at = NULL", decision, "being re-loaded");
            changed(target, "UPDATE wherry.relation SET chunks = 2", decision, "being re-loaded");
            changed(target, "DELETE FROM wherry.chunk", decision, "being re-loaded");
            changed(target, "DELETE FROM wherry.relation", decision, "not loaded");
            changed(
                    target,
                    "UPDATE wherry.checkpoint SET next_offset = -1",
                    decision,
                    "up to offset 0 are applied only up to offset -1");
            changed(target, "DELETE FROM wherry.checkpoint", decision, "are applied only up to the beginning");
            changed(target, "UPDATE wherry.checkpoint SET commit_lsn = '0/400'", decision, "after the fence (0/3E8)");
            assertThatThrownBy(() -> decision.require(target, vector, Map.of(ANIMAL, 3)))
                    .hasMessageContaining("being re-loaded");
        }
    }

    private static void changed(Connection target, String sql, Decision decision, String said) throws SQLException {
        Queries.execute(target, sql);
        assertThatThrownBy(() -> decision.require(target, decision.vector(), Map.of(ANIMAL, 2)))
                .isInstanceOf(RetryableException.class)
                .hasMessageContaining(said);
        target.rollback();
    }

    private void theDeadlineEndsADrainThatNeverEnds(StandInServices services) throws Exception {
        services.silent = true;
        CutoverResult aborted = coordinator.cutover(false).toCompletableFuture().get(2, TimeUnit.MINUTES);
        assertThat(aborted.outcome()).isEqualTo(Outcome.ABORTED);
        assertThat(aborted.reason()).contains("max-downtime", "source-connector");
        assertThat(coordinator.status().servedBy()).isEqualTo("source");
        Awaitility.await().atMost(LONG).until(() -> coordinator.status().lag().endToEndMillis() > 5_000);
        assertThat(coordinator
                        .cutover(false)
                        .toCompletableFuture()
                        .get(1, TimeUnit.MINUTES)
                        .outcome())
                .isEqualTo(Outcome.REFUSED);
        services.silent = false;
        await(State.IN_SYNC);
    }

    /** Without the fix: the coordinator that took over stopped, with the target open and no traffic switched. */
    private void aSwitchRowThatIsJustCommittedIsGoneOnFrom() throws Exception {
        String epoch = "SELECT coalesce(max(epoch), 0) FROM wherry.applier";
        try (Connection target = servers.openTarget();
                Connection dying = servers.openTarget();
                Connection source = servers.openSource()) {
            Fence.Plan plan = Fence.plan(source, migration.cutover().fence(), List.of());
            // As a coordinator that dies leaves it: its last transaction is still in progress.
            Journal journal = Journal.read(target).orElseThrow();
            journal.advance(target, MACHINE.require(journal.state(), Event.CUTOVER), Map.of("fence", plan));
            journal.advance(target, MACHINE.require(journal.state(), Event.DONE), Map.of("fenceLsn", "0/1"));
            journal.advance(target, MACHINE.require(journal.state(), Event.DONE), Map.of());
            long row = journal.advance(target, MACHINE.require(journal.state(), Event.DONE), Map.of())
                            == State.PREPARING_TARGET
                    ? journal.last().id()
                    : 0;
            dying.setAutoCommit(false);
            Queries.update(
                    dying,
                    "INSERT INTO wherry.journal (id, generation, state) OVERRIDING SYSTEM VALUE VALUES (?, 1, 'SWITCHING')",
                    row + 1);
            coordinator.close();
            coordinator = standby;
            standby = null;
            Awaitility.await()
                    .atMost(LONG)
                    .until(() -> Queries.truth(
                            target,
                            "SELECT EXISTS (SELECT FROM pg_stat_activity WHERE wait_event_type = 'Lock'"
                                    + " AND query LIKE '%INTO wherry.journal%')"));
            dying.commit();
            await(State.COMPLETED);
            assertThat(Queries.number(target, epoch))
                    .as("no switch of this coordinator")
                    .isZero();
        }
    }

    /** As when the load of that epoch is complete. */
    private void loadedAs(int epoch) throws SQLException {
        try (Connection target = servers.openTarget()) {
            Queries.update(target, "UPDATE wherry.relation SET load_epoch = ? WHERE table_name = 'animal'", epoch);
            Queries.update(target, "UPDATE wherry.chunk SET load_epoch = ? WHERE table_name = 'animal'", epoch);
        }
    }

    private void start() {
        coordinator = new CutoverCoordinator(Flow.first(migration), directory);
        coordinator.start();
    }

    private void awaitTables() {
        Awaitility.await().atMost(LONG).until(() -> {
            try (Connection target = servers.openTarget()) {
                return Journal.read(target).isPresent();
            }
        });
    }

    private void await(State state) {
        Awaitility.await().atMost(LONG).pollInterval(Duration.ofMillis(20)).untilAsserted(() -> assertThat(
                        coordinator.status())
                .as("%s", coordinator.status())
                .extracting(Status::state)
                .isEqualTo(state));
    }

    private Migration migration(Duration maxDowntime) {
        Migration base = servers.migration().withServers(SharedBroker.clientProperties(), "http://unused");
        return new Migration(
                base.name(),
                base.source(),
                base.target(),
                base.schema(),
                new Migration.Tables(
                        List.of("*"), List.of(), Map.of("public.gated", "public.gate()"), List.of(), List.of()),
                base.kafka(),
                base.registryUrl(),
                base.load(),
                base.apply(),
                new Migration.Cutover(
                        base.cutover().maxLag(),
                        Duration.ofMillis(200),
                        maxDowntime,
                        base.cutover().fence(),
                        base.cutover().traffic()),
                base.http());
    }
}
