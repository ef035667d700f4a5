package io.wherry.coordinator.machine;

import io.wherry.contract.config.Migration.Cutover;
import io.wherry.coordinator.watch.Lag;
import java.util.Optional;

/** Decides when the target has been close behind for long enough. Used by the coordinator's thread only. */
final class Gate {
    private final Cutover limits;
    private Long goodSinceMillis;
    private String obstacle = "the first heartbeat";

    Gate(Cutover limits) {
        this.limits = limits;
    }

    /** Looks at what is known now. */
    void look(Lag lag, Optional<String> problem, long nowMillis) {
        if (problem.isPresent()) {
            obstacle = problem.get();
            goodSinceMillis = null;
        } else if (!lag.under(limits.maxLag())) {
            obstacle = lag.endToEndMillis() == null
                    ? "the first heartbeat to arrive"
                    : "a lag under " + limits.maxLag().toMillis() + " ms; the lag is " + lag.endToEndMillis() + " ms";
            goodSinceMillis = null;
        } else {
            if (goodSinceMillis == null) {
                goodSinceMillis = nowMillis;
            }
            obstacle = "the lag to stay low for another "
                    + Math.max(0, limits.stableFor().toMillis() - (nowMillis - goodSinceMillis)) / 1000 + " s";
        }
    }

    /** Whether the last look found a low lag and no obstacle. */
    boolean good() {
        return goodSinceMillis != null;
    }

    boolean stable(long nowMillis) {
        return good() && nowMillis - goodSinceMillis >= limits.stableFor().toMillis();
    }

    String obstacle() {
        return obstacle;
    }
}
