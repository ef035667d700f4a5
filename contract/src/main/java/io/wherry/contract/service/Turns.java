package io.wherry.contract.service;

import java.time.Duration;
import java.util.Optional;

/**
 * When the thread that drives a service last made a turn of its loop. A thread that hangs makes none, while the process keeps its
 * sessions and its port. Safe for use by several threads.
 */
public final class Turns {
    /** Longer than one turn can take: a broker that does not answer, twice, and then threads that do not end. */
    static final Duration LONGEST = Duration.ofMinutes(4);

    private final String service;
    private volatile long lastNanos;

    /**
     * @param service for display
     * @param nowNanos {@link System#nanoTime}
     */
    public Turns(String service, long nowNanos) {
        this.service = service;
        this.lastNanos = nowNanos;
    }

    /** The thread has made a turn. */
    public void made(long nowNanos) {
        lastNanos = nowNanos;
    }

    /** Why only a restart of the process would help; empty = the thread makes its turns. */
    public Optional<String> hangs(long nowNanos) {
        Duration silent = Duration.ofNanos(nowNanos - lastNanos);
        return silent.compareTo(LONGEST) > 0
                ? Optional.of(service + ": its thread has made no turn for " + silent.toSeconds() + " s")
                : Optional.empty();
    }
}
