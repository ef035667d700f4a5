package io.wherry.rehearsal.cutover;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.wherry.contract.config.Flow;
import io.wherry.contract.config.Migration;
import io.wherry.contract.name.TableId;
import io.wherry.contract.postgres.Lsn;
import io.wherry.contract.postgres.Sessions;
import io.wherry.contract.record.LoadPlan;
import io.wherry.contract.record.Order;
import io.wherry.contract.service.Failpoints;
import io.wherry.coordinator.cutover.CutoverActs;
import io.wherry.coordinator.cutover.StateMachine;
import io.wherry.coordinator.cutover.Story;
import io.wherry.coordinator.fence.FenceKeeper;
import io.wherry.coordinator.journal.State;
import io.wherry.coordinator.machine.CoordinatorSession;
import io.wherry.coordinator.machine.Orders;
import io.wherry.coordinator.proof.Prover;
import io.wherry.coordinator.schema.SchemaCopy;
import io.wherry.coordinator.sql.Databases;
import io.wherry.coordinator.sql.Opening;
import io.wherry.coordinator.sql.Queries;
import io.wherry.coordinator.sql.Term;
import io.wherry.coordinator.traffic.TrafficSwitch;
import io.wherry.coordinator.watch.Progress;
import io.wherry.rehearsal.fixture.TwoServers;
import java.sql.Connection;
import java.sql.SQLException;
import java.util.List;
import java.util.Optional;
import java.util.concurrent.atomic.AtomicBoolean;
import org.awaitility.Awaitility;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;

/** A coordinator that has lost its lock on the target without knowing it, and acts between two rows of its journal. */
final class TermTest {
    private static final TableId TABLE = new TableId("public", "t");
    private static final String LOST = "does not hold the lock on the target any more";

    private TwoServers servers;
    private Migration migration;
    private Term replaced;
    private Term successor;

    @BeforeEach
    void start() throws Exception {
        servers = new TwoServers(15, 15);
        for (var server : List.of(servers.source, servers.target)) {
            servers.run(server, "postgres", "CREATE DATABASE shop");
        }
        servers.run(servers.source, "shop", "CREATE TABLE public.t (id int PRIMARY KEY)");
        migration = servers.migration();
        new SchemaCopy(Flow.first(migration), TwoServers.tools(migration)).run();
        replaced = new Term(Flow.first(migration));
        successor = new Term(Flow.first(migration));
    }

    @AfterEach
    void stop() {
        servers.close();
    }

    /** Seen to fail without the check: the sessions opened, and another coordinator's target would have been changed. */
    @Test
    void noSessionThatChangesTheTargetIsOpened() throws Exception {
        try (CoordinatorSession lost = take(replaced);
                Connection early = replaced.open("index")) {
            Queries.execute(early, "CREATE TABLE public.early ()");
            endLockOf(lost);
            assertThatThrownBy(() -> replaced.open("index")).hasMessageContaining(LOST);
            try (CoordinatorSession held = take(successor);
                    Connection of = successor.open("index")) {
                assertThatThrownBy(() -> Queries.execute(early, "CREATE TABLE public.late ()"))
                        .as("a session that is older than the successor")
                        .isInstanceOf(SQLException.class);
                assertThatThrownBy(() -> replaced.open("index")).hasMessageContaining(LOST);
                Opening checked = replaced.check((endpoint, purpose) -> Sessions.open(migration, endpoint, purpose));
                assertThatThrownBy(() -> checked.open(migration.target(), Databases.CHANGES + "large objects"))
                        .hasMessageContaining(LOST);
                checked.open(migration.source(), "large objects").close();
                Queries.execute(of, "CREATE TABLE public.late ()");
                assertThat(held.journal().state()).isEqualTo(State.LOADING);
            }
        }
    }

    /** Seen to fail without the check: the table that the successor's cutover finds stopped was continued. */
    @Test
    void noOrderIsGiven() throws Exception {
        Progress progress = new Progress(Flow.first(migration));
        progress.planned(new LoadPlan(1, Lsn.ZERO, List.of(new LoadPlan.Table(TABLE, "test.public.t", 1, 1, 0, 0))));
        servers.run(
                servers.target,
                "shop",
                "INSERT INTO wherry.relation (schema_name, table_name, topic, partitions, load_epoch, snapshot_lsn, chunks,"
                        + " rows_estimated, bytes_estimated, stopped_because)"
                        + " VALUES ('public', 't', 'test.public.t', 1, 1, '0/0', 1, 0, 0, 'a conflict')");
        try (CoordinatorSession lost = take(replaced)) {
            endLockOf(lost);
            try (CoordinatorSession held = take(successor)) {
                assertThat(held.journal().state()).isEqualTo(State.LOADING);
                Orders orders = new Orders(migration, replaced, progress);
                for (Order.Kind kind : Order.Kind.values()) {
                    assertThatThrownBy(() -> orders.give(kind, Optional.of("public.t"), State.IN_SYNC))
                            .hasMessageContaining(LOST);
                }
            }
        }
        try (Connection target = servers.openTarget()) {
            assertThat(Queries.string(target, "SELECT stopped_because FROM wherry.relation"))
                    .contains("a conflict");
        }
    }

    /** Seen to fail without the check: a coordinator that came back in SWITCHING ran the command once more, perhaps hours later. */
    @Test
    void noTrafficIsMoved() throws Exception {
        AtomicBoolean moved = new AtomicBoolean();
        TrafficSwitch traffic = new TrafficSwitch() {
            @Override
            public List<String> plan() {
                return List.of();
            }

            @Override
            public void move(String fenceLsn) {
                moved.set(true);
            }
        };
        try (CoordinatorSession lost = take(replaced);
                CutoverActs steps = new CutoverActs(
                        Flow.first(migration),
                        replaced,
                        new Progress(Flow.first(migration)),
                        traffic,
                        new StateMachine(Story.STEPS),
                        new Prover(Flow.first(migration), new Progress(Flow.first(migration))),
                        Failpoints.NONE)) {
            FenceKeeper.Claim claim = steps.claim(lost.journal().last().id());
            steps.moveTraffic("0/1", claim);
            assertThat(moved.getAndSet(false)).as("while its term lasts").isTrue();
            endLockOf(lost);
            try (CoordinatorSession held = take(successor)) {
                assertThat(held.journal().last())
                        .as("the journal row is the same")
                        .isEqualTo(lost.journal().last());
                assertThatThrownBy(() -> steps.moveTraffic("0/1", claim)).hasMessageContaining(LOST);
                assertThat(moved).isFalse();
            }
        }
    }

    private CoordinatorSession take(Term term) {
        return Awaitility.await()
                .until(() -> CoordinatorSession.take(Flow.first(migration), term, Failpoints.NONE), Optional::isPresent)
                .orElseThrow();
    }

    /** As when the network between a stopped process and the server breaks: the process does not know. */
    private void endLockOf(CoordinatorSession control) throws SQLException {
        control.requireTerm();
        servers.run(
                servers.target,
                "shop",
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'wherry test coordinator'");
    }
}
