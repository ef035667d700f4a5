package io.wherry.soak;

import io.wherry.contract.name.Identifiers;
import io.wherry.embedded.EmbeddedPostgres;
import io.wherry.soak.Fleet.Role;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.sql.SQLException;
import java.util.ArrayList;
import java.util.List;
import java.util.random.RandomGenerator;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/** Starts and ends faults. Each method returns when the fault is over; its victim may need longer to recover. */
final class Faults {
    private static final Logger LOG = LoggerFactory.getLogger(Faults.class);
    // Longer than the source's wal_sender_timeout and the broker's session time-out; a hang may also last longer than
    // the 15 s of the instance lock.
    private static final int HANG_MILLIS = 7_000;
    private static final int LONG_HANG_MILLIS = 17_000;
    private static final int JVM_MILLIS = 4_000;
    private static final int FARTHEST_JUMP_SECONDS = 7_200;
    private static final int IDLE_SESSIONS_SINCE = 14;
    private static final int TRANSACTIONS_SINCE = 17;

    private final SoakServers servers;
    private final Fleet fleet;
    private final String migration;
    private final RandomGenerator random;

    /** @param migration name of the migration, by which its sessions are recognised */
    Faults(SoakServers servers, Fleet fleet, String migration, RandomGenerator random) {
        this.servers = servers;
        this.fleet = fleet;
        this.migration = migration;
        this.random = random;
    }

    /** @throws InterruptedException when the soak is being stopped */
    void strike(FaultKind kind) throws InterruptedException {
        switch (kind) {
            case KILL_SOURCE -> kill(Role.SOURCE);
            case KILL_SINK -> kill(Role.SINK);
            case KILL_COORDINATOR -> kill(Role.COORDINATOR);
            case HANG_SOURCE -> hang(Role.SOURCE);
            case HANG_SINK -> hang(Role.SINK);
            case HANG_COORDINATOR -> hang(Role.COORDINATOR);
            case TWIN_SOURCE -> twin(Role.SOURCE);
            case TWIN_SINK -> twin(Role.SINK);
            case TWIN_COORDINATOR -> twin(Role.COORDINATOR);
            case ZOMBIE_SOURCE -> zombie(Role.SOURCE);
            case ZOMBIE_SINK -> zombie(Role.SINK);
            case ZOMBIE_COORDINATOR -> zombie(Role.COORDINATOR);
            case KILL_BROKER -> {
                servers.kafka().kill();
                pause(0, 2_000);
                servers.kafka().restart();
            }
            case RESTART_BROKER -> servers.kafka().restart();
            case HANG_BROKER -> {
                servers.kafka().suspend();
                pause(HANG_MILLIS, 1_000);
                servers.kafka().resume();
            }
            case KILL_REGISTRY -> {
                servers.registry().kill();
                pause(0, 1_000);
                servers.registry().restart();
            }
            case KILL_SOURCE_DATABASE -> kill(servers.source());
            case KILL_TARGET_DATABASE -> kill(servers.target());
            case RESTART_SOURCE_DATABASE -> servers.source().restart();
            case RESTART_TARGET_DATABASE -> servers.target().restart();
            case HANG_SOURCE_DATABASE -> hang(servers.source());
            case HANG_TARGET_DATABASE -> hang(servers.target());
            case TERMINATE_SOURCE_SESSIONS -> terminate(servers.source());
            case TERMINATE_TARGET_SESSIONS -> terminate(servers.target());
            case TERMINATE_SOURCE_SESSIONS_SINGLY -> terminateSingly(servers.source());
            case TERMINATE_TARGET_SESSIONS_SINGLY -> terminateSingly(servers.target());
            case SHORT_TIMEOUTS_SOURCE_DATABASE -> shortenTimeouts(servers.source());
            case SHORT_TIMEOUTS_TARGET_DATABASE -> shortenTimeouts(servers.target());
            case CUT_SOURCE_DATABASE -> cut(servers.sourceProxy());
            case CUT_TARGET_DATABASE -> cut(servers.targetProxy());
            case CUT_BROKER -> cut(servers.kafkaProxy());
            case SILENCE_SOURCE_DATABASE -> silence(servers.sourceProxy());
            case SILENCE_TARGET_DATABASE -> silence(servers.targetProxy());
            case SILENCE_BROKER -> silence(servers.kafkaProxy());
            case DELAY_SOURCE_DATABASE -> delay(servers.sourceProxy());
            case DELAY_TARGET_DATABASE -> delay(servers.targetProxy());
            case DELAY_BROKER -> delay(servers.kafkaProxy());
            case FILL_TARGET_DISK -> {
                fill(servers.targetDisk().orElseThrow());
                if (!servers.target().isRunning()) {
                    servers.target().restart();
                }
            }
            case FILL_BROKER_DISK -> {
                fill(servers.brokerDisk().orElseThrow());
                if (!servers.kafka().isRunning()) {
                    servers.kafka().restart();
                }
            }
            case JUMP_CLOCK_SOURCE -> jumpClock(Role.SOURCE);
            case JUMP_CLOCK_SINK -> jumpClock(Role.SINK);
            case JUMP_CLOCK_COORDINATOR -> jumpClock(Role.COORDINATOR);
        }
    }

    /** Whether the fault is possible on this machine. */
    boolean isPossible(FaultKind kind) {
        return switch (kind) {
            case FILL_TARGET_DISK -> servers.targetDisk().isPresent();
            case FILL_BROKER_DISK -> servers.brokerDisk().isPresent();
            case JUMP_CLOCK_SOURCE, JUMP_CLOCK_SINK, JUMP_CLOCK_COORDINATOR ->
                fleet.clock(Role.SOURCE).isPresent();
            default -> true;
        };
    }

    /** A server that fails is started again once the disk has room, as its operator would do. */
    private void fill(SmallDisk disk) throws InterruptedException {
        disk.fill();
        pause(2_000, 4_000);
        disk.free();
        pause(1_000, 1_000);
    }

    /** The clock stays there until it jumps again. */
    private void jumpClock(Role role) throws InterruptedException {
        try {
            fleet.clock(role).orElseThrow().jumpTo(random.nextInt(-FARTHEST_JUMP_SECONDS, FARTHEST_JUMP_SECONDS));
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
        pause(2_000, 2_000);
    }

    private void kill(Role role) throws InterruptedException {
        fleet.killOldest(role);
        pause(0, 1_000);
        fleet.start(role);
    }

    private void hang(Role role) throws InterruptedException {
        fleet.oldest(role).suspend();
        pause(hangMillis(), 1_000);
        fleet.oldest(role).resume();
    }

    /** A standby takes over from an instance that is killed. */
    private void twin(Role role) throws InterruptedException {
        fleet.start(role);
        pause(JVM_MILLIS, 1_000);
        fleet.killOldest(role);
    }

    /**
     * The server ends the sessions of an instance that hangs; a standby takes over; then the first instance wakes and continues.
     */
    private void zombie(Role role) throws InterruptedException {
        fleet.start(role);
        pause(JVM_MILLIS, 1_000);
        fleet.oldest(role).suspend();
        terminate(servers.source());
        terminate(servers.target());
        pause(2_000, 5_000);
        fleet.oldest(role).resume();
        pause(500, 3_000);
        fleet.killOldest(role);
    }

    private void kill(EmbeddedPostgres server) throws InterruptedException {
        server.kill();
        pause(0, 1_000);
        server.restart();
    }

    private void hang(EmbeddedPostgres server) throws InterruptedException {
        server.suspend();
        pause(hangMillis(), 1_000);
        server.resume();
    }

    private int hangMillis() {
        return random.nextInt(4) == 0 ? LONG_HANG_MILLIS : HANG_MILLIS;
    }

    private void terminate(EmbeddedPostgres server) {
        terminate(server, "");
    }

    /** One session each second, so that some end while others of the same service are opened or closed. */
    private void terminateSingly(EmbeddedPostgres server) throws InterruptedException {
        for (int left = random.nextInt(10, 20); left > 0; left--) {
            terminate(server, " ORDER BY random() LIMIT 1");
            pause(1_000, 1);
        }
    }

    /**
     * As with an operator's settings against forgotten sessions; a server's settings apply to sessions that did not pin their
     * own.
     */
    private void shortenTimeouts(EmbeddedPostgres server) throws InterruptedException {
        List<String> settings = new ArrayList<>(List.of("idle_in_transaction_session_timeout"));
        if (server.major() >= IDLE_SESSIONS_SINCE) {
            settings.add("idle_session_timeout");
        }
        if (server.major() >= TRANSACTIONS_SINCE) {
            settings.add("transaction_timeout");
        }
        alter(server, settings, " SET ", " = '3s'");
        pause(10_000, 8_000);
        alter(server, settings, " RESET ", "");
    }

    private static void alter(EmbeddedPostgres server, List<String> settings, String verb, String value) {
        List<String> statements = new ArrayList<>();
        settings.forEach(setting -> statements.add("ALTER SYSTEM" + verb + setting + value));
        statements.add("SELECT pg_reload_conf()");
        try {
            SoakServers.execute(server, "postgres", statements.toArray(String[]::new));
        } catch (SQLException e) {
            throw new IllegalStateException("the server's settings could not be altered", e);
        }
    }

    /** @param which of the migration's sessions, as SQL; empty = all */
    private void terminate(EmbeddedPostgres server, String which) {
        try {
            SoakServers.execute(
                    server,
                    "postgres",
                    "SELECT pg_terminate_backend(pid) FROM (SELECT pid FROM pg_stat_activity WHERE application_name LIKE "
                            + Identifiers.literal("wherry " + migration + " %") + which + ") a");
        } catch (SQLException e) {
            LOG.debug("another fault has ended the sessions already", e);
        }
    }

    private void cut(TcpProxy proxy) throws InterruptedException {
        proxy.cut();
        pause(0, 3_000);
        proxy.heal();
    }

    private void silence(TcpProxy proxy) throws InterruptedException {
        proxy.swallow();
        pause(hangMillis(), 1_000);
        proxy.heal();
    }

    private void delay(TcpProxy proxy) throws InterruptedException {
        proxy.delay(random.nextInt(5, 60));
        pause(1_000, 3_000);
        proxy.heal();
    }

    private void pause(int millis, int more) throws InterruptedException {
        Thread.sleep(millis + random.nextInt(more));
    }
}
