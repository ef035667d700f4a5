package io.wherry.rehearsal;

import static org.assertj.core.api.Assertions.assertThat;
import static org.awaitility.Awaitility.await;

import io.wherry.contract.service.Failpoints;
import java.time.Duration;
import java.util.List;
import java.util.Optional;
import java.util.function.BiConsumer;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Instances of one service that die one after another, each at the next failpoint. While one is at work the next one already
 * stands by, and takes over: starting a JVM then costs no time of its own.
 */
final class FailpointRelay {
    private static final Logger LOG = LoggerFactory.getLogger(FailpointRelay.class);
    // On a quiet machine none takes ten seconds.
    private static final Duration LIMIT = Duration.ofMinutes(6);
    private static final Duration POLL = Duration.ofMillis(50);

    private final MigrationFixture migration;
    private final String service;
    private final List<String> failpoints;
    private final Runnable others;
    private int started;

    /** @param others asked again and again; throws when to go on makes no sense */
    FailpointRelay(MigrationFixture migration, String service, List<String> failpoints, Runnable others) {
        this.migration = migration;
        this.service = service;
        this.failpoints = failpoints;
        this.others = others;
    }

    /**
     * Has the service die at every failpoint.
     *
     * @param last whether one more instance, which is not armed, shall go on
     * @param meanwhile what is to happen until it dies, again and again, given the failpoint and the instance at work
     */
    void run(boolean last, BiConsumer<String, String> meanwhile) {
        String current = start(Optional.of(failpoints.get(0)));
        for (int i = 0; i < failpoints.size(); i++) {
            long began = System.nanoTime();
            // It waits for its turn, or has it; so the next one cannot come before it.
            awaitThat(failpoints.get(i), current, () -> {}, key -> !migration
                    .log(key)
                    .isEmpty());
            Optional<String> next = i + 1 < failpoints.size() ? Optional.of(failpoints.get(i + 1)) : Optional.empty();
            String following = next.isPresent() || last ? start(next) : null;
            String failpoint = failpoints.get(i);
            String armed = current;
            awaitThat(failpoint, armed, () -> meanwhile.accept(failpoint, armed), key -> false);
            LOG.info("{} {} after {} ms", service, failpoint, (System.nanoTime() - began) / 1_000_000);
            current = following;
        }
    }

    private interface Sign {
        boolean seenOf(String key);
    }

    /** Returns when the instance is dead, or the sign seen. */
    private void awaitThat(String failpoint, String key, Runnable meanwhile, Sign sign) {
        await(service + " " + failpoint).atMost(LIMIT).pollInterval(POLL).until(() -> {
            others.run();
            if (migration.isAlive(key)) {
                meanwhile.run();
                return sign.seenOf(key);
            }
            assertThat(migration.exitCode(key))
                    .as(() -> failpoint + ": " + migration.log(key))
                    .isEqualTo(Failpoints.EXIT_CODE);
            return true;
        });
    }

    private String start(Optional<String> failpoint) {
        String key = service + "-" + started++;
        migration.startArmed(key, service, failpoint);
        return key;
    }
}
