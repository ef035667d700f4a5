package io.wherry.contract.service;

import io.wherry.contract.error.ConfigurationException;
import java.util.Locale;
import java.util.concurrent.locks.LockSupport;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Places where a test makes the process die as by {@code kill -9}: before and after each {@link Effect}. None is armed unless the
 * system property {@value #PROPERTY} names it, as {@code before-slot} or {@code after-kafka-commit}. {@code hang-slot-advance}
 * makes a thread hang instead.
 */
public final class Failpoints {
    /** Names the armed place. */
    public static final String PROPERTY = "wherry.failpoint";

    /** Exit code of a process that died at a failpoint; no other end of a process has this code. */
    public static final int EXIT_CODE = 86;

    /** Nothing is armed. */
    public static final Failpoints NONE = new Failpoints(null, false, false);

    private static final Logger LOG = LoggerFactory.getLogger(Failpoints.class);

    private static final String HANG = "hang-";

    private final Effect effect;
    private final boolean after;
    private final boolean hangs;

    private Failpoints(Effect effect, boolean after, boolean hangs) {
        this.effect = effect;
        this.after = after;
        this.hangs = hangs;
    }

    /** Reads the system property. @throws ConfigurationException when it names no place */
    public static Failpoints armed() {
        String place = System.getProperty(PROPERTY);
        if (place == null) {
            return NONE;
        }
        for (Effect known : Effect.values()) {
            if (hanging(known).equals(place)) {
                return new Failpoints(known, false, true);
            }
            for (boolean isAfter : new boolean[] {false, true}) {
                if (name(known, isAfter).equals(place)) {
                    return new Failpoints(known, isAfter, false);
                }
            }
        }
        throw new ConfigurationException(
                PROPERTY, "'" + place + "' is not a failpoint", "Write before-, after- or hang- and an effect");
    }

    /** The name by which a place is armed. */
    public static String name(Effect effect, boolean after) {
        return (after ? "after-" : "before-") + place(effect);
    }

    /**
     * The name of a failpoint at which the thread waits forever before the effect, whatever interrupts it; the process does not
     * die.
     */
    public static String hanging(Effect effect) {
        return HANG + place(effect);
    }

    private static String place(Effect effect) {
        return effect.name().toLowerCase(Locale.ROOT).replace('_', '-');
    }

    /** The effect comes next. */
    public void before(Effect reached) {
        if (reached == effect && !after) {
            die();
        }
    }

    /** The effect has happened. */
    public void after(Effect reached) {
        if (reached == effect && after) {
            die();
        }
    }

    private void die() {
        while (hangs) {
            LockSupport.parkNanos(1_000_000_000L);
        }
        LOG.warn("failpoint {} reached", name(effect, after));
        // No hook, no finally, no buffer written: as a kill from outside.
        Runtime.getRuntime().halt(EXIT_CODE);
    }
}
