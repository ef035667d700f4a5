package io.wherry.coordinator.watch;

import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;

/**
 * When each service last showed that it works. A service that hangs keeps its sessions and its port, but shows no activity. Safe for use
 * by several threads.
 */
public final class Pulse {
    private static final Duration LONGEST_TURN = Duration.ofMinutes(2);
    private static final Duration LONGEST_SILENCE = Duration.ofSeconds(30);

    private volatile long turnedMillis;
    private volatile Long reportedMillis;
    private volatile Long appliedMillis;

    /** @param nowMillis by {@code MonotonicClock}, like all times here */
    public Pulse(long nowMillis) {
        turnedMillis = nowMillis;
    }

    /** The coordinator's own thread has made a turn. */
    public void turned(long nowMillis) {
        turnedMillis = nowMillis;
    }

    /** The source-connector has reported. */
    void reported(long nowMillis) {
        reportedMillis = nowMillis;
    }

    /**
     * The target was asked when the session that holds the sink-applier's lock was last active.
     *
     * @param silentMillis how long ago that was; null = there is no such session
     */
    void applied(Long silentMillis, long nowMillis) {
        if (silentMillis != null) {
            appliedMillis = nowMillis - silentMillis;
        }
    }

    /** Milliseconds since the source-connector's last sign of life; null = none was seen. */
    public Long sourceSilentMillis(long nowMillis) {
        return reportedMillis == null ? null : nowMillis - reportedMillis;
    }

    /** Milliseconds since the sink-applier's last sign of life; null = none was seen. */
    public Long sinkSilentMillis(long nowMillis) {
        return appliedMillis == null ? null : nowMillis - appliedMillis;
    }

    /** Why only a restart of this process would help; empty = this process works. */
    public Optional<String> hangs(long nowMillis) {
        long silent = nowMillis - turnedMillis;
        return silent > LONGEST_TURN.toMillis()
                ? Optional.of("cutover-coordinator: its thread has made no turn for " + silent / 1000 + " s")
                : Optional.empty();
    }

    /**
     * The services that have shown no sign of life for too long, as text for people. A service that was never seen may just be
     * starting.
     */
    public List<String> silent(long nowMillis) {
        List<String> silent = new ArrayList<>();
        look("source-connector: no report", sourceSilentMillis(nowMillis)).ifPresent(silent::add);
        look("sink-applier: no activity of the session that holds its lock", sinkSilentMillis(nowMillis))
                .ifPresent(silent::add);
        return silent;
    }

    private static Optional<String> look(String what, Long silentMillis) {
        return silentMillis != null && silentMillis > LONGEST_SILENCE.toMillis()
                ? Optional.of(what + " for " + silentMillis / 1000 + " s")
                : Optional.empty();
    }
}
