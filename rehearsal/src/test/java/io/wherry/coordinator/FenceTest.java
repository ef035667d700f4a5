package io.wherry.coordinator;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.wherry.contract.Failpoints;
import io.wherry.contract.Json;
import io.wherry.contract.Lsn;
import io.wherry.contract.Migration;
import io.wherry.contract.Migration.FenceMode;
import java.sql.Connection;
import java.sql.DriverManager;
import java.sql.SQLException;
import java.time.Duration;
import java.util.List;
import java.util.concurrent.TimeUnit;
import org.awaitility.Awaitility;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

final class FenceTest {
    @ParameterizedTest
    @ValueSource(ints = {11, 17})
    void nobodyElseGetsInWhileFencedAndEverybodyAfterwards(int major) throws Exception {
        try (TwoServers servers = new TwoServers(major, 15).seeded();
                Connection source = servers.openSource();
                Connection app = login(servers, "app")) {
            Migration migration = servers.migration();
            app.setAutoCommit(false);
            Queries.string(app, "SELECT txid_current()::text");
            assertThat(Fence.remaining(source)).hasSize(1);
            CutoverSteps steps =
                    new CutoverSteps(migration, new Progress(), TrafficSwitch.of(migration), Failpoints.NONE);
            Fence.Plan plan = steps.planFence();
            assertThat(plan.obstacles()).isEmpty();
            assertThat(plan.roles()).containsExactlyInAnyOrder("app", "reader");
            // As read back from the journal by another process.
            Fence.Plan persisted = Json.read(Json.write(plan), Fence.Plan.class);
            Lsn before = Lsn.parse(
                    Queries.string(source, "SELECT pg_current_wal_lsn()::text").orElseThrow());
            Lsn fence = steps.fence(plan, new Window(Duration.ofSeconds(20)));
            assertThat(fence.isAfter(before)).isTrue();
            assertThatThrownBy(() -> Queries.string(app, "SELECT 1")).isInstanceOf(SQLException.class);
            assertThatThrownBy(() -> login(servers, "app")).hasMessageContaining("not permitted to log in");
            steps.unfence(persisted);
            steps.unfence(persisted);
            login(servers, "app").close();
            assertThat(Queries.strings(source, "SELECT rolname FROM pg_roles WHERE rolcanlogin AND rolname = 'keeper'"))
                    .isEmpty();
        }
    }

    /** Seen to fail without the lock: the source is open again in the middle of the successor's window. */
    @Test
    void aCoordinatorThatWasReplacedNeitherOpensNorClosesTheFence() throws Exception {
        try (TwoServers servers = new TwoServers(15, 15).seeded()) {
            Migration migration = servers.migration();
            try (CutoverSteps zombie =
                            new CutoverSteps(migration, new Progress(), TrafficSwitch.of(migration), Failpoints.NONE);
                    CutoverSteps successor =
                            new CutoverSteps(migration, new Progress(), TrafficSwitch.of(migration), Failpoints.NONE)) {
                Fence.Plan first = zombie.planFence();
                zombie.fence(first, new Window(Duration.ofSeconds(20)));
                // The successor gives that window up, although the zombie still has its session, and begins its own.
                successor.unfence(first);
                login(servers, "app").close();
                Fence.Plan second = successor.planFence();
                successor.fence(second, new Window(Duration.ofSeconds(20)));

                assertThatThrownBy(() -> zombie.unfenceIfOurs(first)).hasMessageContaining("another coordinator");
                assertThatThrownBy(() -> zombie.fence(first, new Window(Duration.ofSeconds(20))))
                        .hasMessageContaining("another coordinator");
                assertThatThrownBy(() -> login(servers, "app")).hasMessageContaining("not permitted to log in");

                successor.unfence(second);
                login(servers, "app").close();
                zombie.unfenceIfOurs(first);
            }
        }
    }

    @Test
    void whoLostTheFenceDoesNotSwitch() throws Exception {
        try (TwoServers servers = new TwoServers(15, 15).seeded();
                FenceLock zombie = new FenceLock(servers.migration());
                FenceLock successor = new FenceLock(servers.migration())) {
            assertThatThrownBy(zombie::require).hasMessageContaining("lost");
            zombie.act(source -> {});
            zombie.require();
            successor.actAsSuccessor(source -> {});
            successor.require();
            assertThatThrownBy(zombie::require).hasMessageContaining("lost");
        }
    }

    @Test
    void aPreparedTransactionHoldsTheFenceUpUntilItEndsOrTheWindowDoes() throws Exception {
        try (TwoServers servers = new TwoServers(15, 15).seeded();
                Connection source = servers.openSource()) {
            servers.run(
                    servers.source, "shop", "BEGIN; INSERT INTO public.note VALUES ('x'); PREPARE TRANSACTION 'held'");
            Migration migration = servers.migration();
            CutoverSteps steps =
                    new CutoverSteps(migration, new Progress(), TrafficSwitch.of(migration), Failpoints.NONE);
            Fence.Plan plan = steps.planFence();
            assertThatThrownBy(() -> steps.fence(plan, new Window(Duration.ofMillis(500))))
                    .hasMessageContaining("max-downtime")
                    .hasMessageContaining("prepared transaction 'held'");
            Window window = new Window(Duration.ofSeconds(30));
            Thread operator = Threads.named("operator").newThread(() -> {
                Awaitility.await().until(() -> window.waitsFor().contains("held"));
                try {
                    servers.run(servers.source, "shop", "ROLLBACK PREPARED 'held'");
                } catch (SQLException e) {
                    window.giveUp(e.getMessage());
                }
            });
            operator.start();
            assertThat(steps.fence(plan, window)).isNotNull();
            operator.join(TimeUnit.SECONDS.toMillis(10));
            steps.unfence(plan);
            assertThat(Fence.remaining(source)).isEmpty();
        }
    }

    @Test
    void connectIsTakenAndGivenBackAsItWas() throws Exception {
        try (TwoServers servers = new TwoServers(15, 15).seeded();
                Connection source = servers.openSource()) {
            servers.run(
                    servers.source,
                    "shop",
                    "REVOKE CONNECT ON DATABASE shop FROM PUBLIC; GRANT CONNECT ON DATABASE shop TO app WITH GRANT OPTION");
            Fence.Plan plan = Fence.plan(source, FenceMode.NO_CONNECT, List.of());
            assertThat(plan.obstacles()).isEmpty();
            login(servers, "app").close();
            Fence.close(source, plan);
            assertThatThrownBy(() -> login(servers, "app")).hasMessageContaining("permission denied for database");
            Fence.open(source, plan);
            login(servers, "app").close();
            assertThatThrownBy(() -> login(servers, "reader")).hasMessageContaining("permission denied for database");
            assertThat(Fence.plan(source, FenceMode.NO_CONNECT, List.of())).isEqualTo(plan);
            servers.run(servers.source, "shop", "CREATE ROLE boss SUPERUSER LOGIN");
            assertThat(Fence.plan(source, FenceMode.NO_CONNECT, List.of()).obstacles())
                    .hasSize(1)
                    .first()
                    .asString()
                    .contains("boss");
        }
    }

    @Test
    void theApplicationUsingOurRoleIsEndedAndSeenWhenItComesBack() throws Exception {
        try (TwoServers servers = new TwoServers(15, 15).seeded();
                Connection source = servers.openSource();
                Connection app = DriverManager.getConnection(
                        servers.source.jdbcUrl("shop"), servers.source.superuser(), servers.source.password())) {
            assertThat(Fence.remaining(source)).hasSize(1).first().asString().contains("PostgreSQL JDBC Driver");
            Fence.endSessions(source, Fence.plan(source, FenceMode.NO_LOGIN, List.of()));
            Awaitility.await().until(() -> Fence.remaining(source).isEmpty());
            assertThatThrownBy(() -> Queries.string(app, "SELECT 1")).isInstanceOf(SQLException.class);
        }
    }

    private static Connection login(TwoServers servers, String role) throws SQLException {
        return DriverManager.getConnection(servers.source.jdbcUrl("shop"), role, role);
    }
}
