package io.wherry.rehearsal.cutover;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.awaitility.Awaitility.await;

import io.wherry.contract.config.Flow;
import io.wherry.coordinator.sql.BoundSessions;
import io.wherry.coordinator.sql.FreeConnections;
import io.wherry.coordinator.sql.LockLimit;
import io.wherry.coordinator.sql.Queries;
import io.wherry.coordinator.sql.Window;
import io.wherry.rehearsal.fixture.MigrationFixture;
import io.wherry.rehearsal.fixture.TwoServers;
import java.sql.Connection;
import java.sql.SQLException;
import java.time.Duration;
import org.junit.jupiter.api.Test;

/** The sessions of a window. */
final class BoundSessionsTest {
    @Test
    void aSessionIsLentAgainUnlessItHasEndedOrTheWindowIsOver() throws Exception {
        try (TwoServers servers = new TwoServers("lent", 15, 17).seeded();
                Connection other = servers.openSource()) {
            Flow flow = Flow.first(servers.migration());
            Window window = new Window(Duration.ofMinutes(5));
            try (BoundSessions sessions = new BoundSessions(flow, window)) {
                long first;
                try (Connection session = sessions.open(flow.from(), "one")) {
                    first = pid(session);
                    assertThat(name(session)).endsWith(" window one");
                    session.setAutoCommit(false);
                    Queries.execute(session, "CREATE TEMPORARY TABLE left_open (v int)");
                }
                try (Connection session = sessions.open(flow.from(), "two")) {
                    assertThat(pid(session)).as("lent again").isEqualTo(first);
                    assertThat(name(session)).endsWith(" window two");
                    assertThat(session.getAutoCommit()).isTrue();
                    assertThat(Queries.truth(session, "SELECT to_regclass('left_open') IS NULL"))
                            .as("rolled back")
                            .isTrue();
                }
                Queries.truth(other, "SELECT pg_terminate_backend(" + first + ")");
                try (Connection last = sessions.open(flow.from(), "three")) {
                    assertThat(pid(last)).as("not the one that has ended").isNotEqualTo(first);
                    window.end();
                    await().atMost(MigrationFixture.PATIENCE).untilAsserted(() -> assertThatThrownBy(() -> pid(last))
                            .isInstanceOf(SQLException.class));
                }
                assertThatThrownBy(() -> sessions.open(flow.from(), "four")).isInstanceOf(SQLException.class);
            }
        }
    }

    @Test
    void theLimitOfTheDatabaseCountsForTheRoomBesideApplications() throws Exception {
        try (TwoServers servers = new TwoServers("room", 15, 17).seeded();
                Connection source = servers.openSource()) {
            assertThat(FreeConnections.in(source)).isGreaterThan(6);
            Queries.execute(source, "ALTER DATABASE " + source.getCatalog() + " CONNECTION LIMIT 3");
            assertThat(FreeConnections.in(source)).isLessThanOrEqualTo(2);
        }
    }

    @Test
    void aQuestionThatMeetsALockEndsAndLeavesNoLimitBehind() throws Exception {
        try (TwoServers servers = new TwoServers("locked", 15, 17).seeded();
                Connection asking = servers.openSource();
                Connection other = servers.openSource()) {
            Queries.execute(other, "CREATE TABLE public.locked (v int)");
            other.setAutoCommit(false);
            Queries.execute(other, "LOCK TABLE public.locked IN ACCESS EXCLUSIVE MODE");
            assertThatThrownBy(() -> LockLimit.within(
                            Duration.ofMillis(50),
                            () -> Queries.number(asking, "SELECT pg_relation_size('public.locked')"),
                            asking))
                    .isInstanceOfSatisfying(SQLException.class, e -> assertThat(LockLimit.reached(e))
                            .isTrue());
            assertThat(Queries.string(asking, "SHOW lock_timeout")).contains("0");
            other.rollback();
        }
    }

    private static long pid(Connection session) throws SQLException {
        return Queries.number(session, "SELECT pg_backend_pid()");
    }

    private static String name(Connection session) throws SQLException {
        return Queries.string(session, "SHOW application_name").orElseThrow();
    }
}
