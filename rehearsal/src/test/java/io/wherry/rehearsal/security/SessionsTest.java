package io.wherry.rehearsal.security;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.wherry.contract.config.Endpoint;
import io.wherry.contract.config.Migration;
import io.wherry.contract.postgres.KeptAliveSockets;
import io.wherry.contract.postgres.PoolerException;
import io.wherry.contract.postgres.Sessions;
import io.wherry.rehearsal.fixture.MigrationFixture;
import io.wherry.rehearsal.servers.PoolerStandIn;
import java.net.Socket;
import java.sql.Connection;
import java.sql.ResultSet;
import java.sql.SQLException;
import java.sql.Statement;
import java.util.List;
import java.util.TimeZone;
import jdk.net.ExtendedSocketOptions;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;

/** The settings of Wherry's sessions, whatever role, database, server and machine configure. */
final class SessionsTest {
    private static MigrationFixture fixture;
    private static Migration migration;

    /** Opens a session of one kind. */
    private interface Kind {
        Connection open() throws SQLException;
    }

    @BeforeAll
    static void start() throws Exception {
        fixture = new MigrationFixture("any-session", 11, 18);
        migration = fixture.migration();
    }

    @AfterAll
    static void stop() {
        fixture.close();
    }

    @Test
    void theTimeZoneOfTheMachineDoesNotComeIntoTheTextOfValues() throws Exception {
        TimeZone machines = TimeZone.getDefault();
        TimeZone.setDefault(TimeZone.getTimeZone("Asia/Kolkata"));
        try {
            for (Endpoint side : List.of(migration.source(), migration.target())) {
                List<Kind> kinds = List.of(
                        () -> Sessions.open(migration, side, "test"),
                        () -> Sessions.openLock(migration, side, "test"),
                        () -> Sessions.openReplication(migration, side, "test"),
                        () -> Sessions.openForScripts(migration, side, "test"));
                for (Kind kind : kinds) {
                    try (Connection session = kind.open()) {
                        assertThat(show(session, "timezone")).isEqualTo("UTC");
                    }
                }
                try (Connection session = Sessions.openForScripts(migration, side, "test")) {
                    Sessions.reset(session);
                    assertThat(show(session, "timezone")).isEqualTo("UTC");
                    assertThat(show(session, "search_path")).isEqualTo("pg_catalog");
                }
            }
        } finally {
            TimeZone.setDefault(machines);
        }
    }

    @Test
    void aRoleThatHasLostARightToSetIsNotLockedOut() throws Exception {
        fixture.execute(migration.target(), "CREATE ROLE fallen SUPERUSER LOGIN PASSWORD 'fallen'");
        Endpoint fallen = new Endpoint(migration.target().url(), "fallen", "fallen");
        fixture.execute(migration.target(), "ALTER ROLE fallen SET session_replication_role = replica");
        try (Connection session = Sessions.open(migration, fallen, "test")) {
            assertThat(show(session, "session_replication_role")).isEqualTo("origin");
        }
        fixture.execute(migration.target(), "ALTER ROLE fallen NOSUPERUSER");
        try (Connection session = Sessions.open(migration, fallen, "test")) {
            assertThat(show(session, "search_path")).isEqualTo("pg_catalog");
        }
    }

    @Test
    void theRoleOfASessionIsTheOneThatLoggedIn() throws Exception {
        fixture.execute(
                migration.target(),
                "CREATE ROLE worker LOGIN PASSWORD 'worker'",
                "ALTER ROLE worker SET role = 'pg_monitor'");
        fixture.execute(migration.target(), "GRANT pg_monitor TO worker");
        try (Connection session =
                Sessions.open(migration, new Endpoint(migration.target().url(), "worker", "worker"), "test")) {
            assertThat(show(session, "role")).isEqualTo("none");
        }
    }

    /** Materialized views are refreshed on the target. Seen to fail: 'access to non-system view "seen" is restricted'. */
    @Test
    void aSettingThatForbidsViewsDoesNotForbidThemToWherry() throws Exception {
        fixture.execute(
                migration.target(),
                "CREATE ROLE cautious SUPERUSER LOGIN PASSWORD 'cautious'",
                "CREATE VIEW public.seen AS SELECT 1 AS n",
                "CREATE MATERIALIZED VIEW public.kept AS SELECT n FROM public.seen",
                "ALTER ROLE cautious SET restrict_nonsystem_relation_kind = 'view, foreign-table'");
        Endpoint cautious = new Endpoint(migration.target().url(), "cautious", "cautious");
        try (Connection session = Sessions.open(migration, cautious, "test");
                Statement statement = session.createStatement()) {
            statement.execute("REFRESH MATERIALIZED VIEW public.kept");
            assertThat(show(session, "restrict_nonsystem_relation_kind")).isEmpty();
        }
    }

    @Test
    void aServerDetectsAVanishedClientInEverySession() throws Exception {
        for (Endpoint side : List.of(migration.source(), migration.target())) {
            try (Connection session = Sessions.open(migration, side, "test");
                    Connection lock = Sessions.openLock(migration, side, "test");
                    Connection replication = Sessions.openReplication(migration, side, "test")) {
                assertThat(show(session, "tcp_keepalives_idle")).isEqualTo("30");
                assertThat(show(replication, "tcp_keepalives_idle")).isEqualTo("30");
                assertThat(show(lock, "tcp_keepalives_idle")).isEqualTo("3");
                assertLockIsFreeWithinTenSeconds(lock);
            }
        }
        try (Socket socket = new KeptAliveSockets().createSocket()) {
            assertThat(socket.getKeepAlive()).isTrue();
            assertThat(socket.getOption(ExtendedSocketOptions.TCP_KEEPIDLE)).isEqualTo(30);
        }
    }

    /** The server itself must detect a machine that has vanished; then a standby takes over. */
    private static void assertLockIsFreeWithinTenSeconds(Connection lock) throws SQLException {
        try (Statement statement = lock.createStatement();
                ResultSet row = statement.executeQuery("SELECT 1000 * (current_setting('tcp_keepalives_idle')::int"
                        + " + current_setting('tcp_keepalives_interval')::int"
                        + " * current_setting('tcp_keepalives_count')::int),"
                        + " (SELECT setting::int FROM pg_settings WHERE name = 'tcp_user_timeout')")) {
            row.next();
            assertThat(row.getLong(1)).isPositive().isLessThan(10_000 - Sessions.LOCK_POLL_MILLIS);
            if (row.getObject(2) != null) {
                assertThat(row.getLong(2)).isPositive().isLessThan(10_000 - Sessions.LOCK_POLL_MILLIS);
            }
        }
    }

    @Test
    void aPoolerThatLeavesOutTheSettingsOfASessionIsNotTakenForTheServer() throws Exception {
        for (boolean ignores : List.of(false, true)) {
            try (PoolerStandIn pooler = new PoolerStandIn(fixture.target().port(), ignores)) {
                Endpoint target = new Endpoint(
                        migration.target().url().replace(":" + fixture.target().port(), ":" + pooler.port()),
                        migration.target().user(),
                        migration.target().password());
                assertThatThrownBy(() -> Sessions.open(migration, target, "test"))
                        .isInstanceOf(PoolerException.class)
                        .hasMessageContaining(ignores ? "a connection pooler" : "PgBouncer");
            }
        }
    }

    private static String show(Connection session, String setting) throws SQLException {
        try (Statement statement = session.createStatement();
                ResultSet row = statement.executeQuery("SHOW " + setting)) {
            row.next();
            return row.getString(1);
        }
    }
}
