package io.wherry.coordinator.proof;

import io.wherry.contract.name.TableId;
import java.util.Set;
import java.util.TreeSet;

/** What the operator wants of the proof. The proof's thread carries it out. Safe for use by several threads. */
public final class Requests {
    private final Set<TableId> again = new TreeSet<>();
    private boolean stopped;

    /** Passes and rechecks pause until {@link #resume}. */
    synchronized void stop() {
        stopped = true;
    }

    synchronized void resume() {
        stopped = false;
    }

    /** Whether passes and rechecks pause because the operator wants that. */
    public synchronized boolean stopped() {
        return stopped;
    }

    /** A new pass of these tables begins, also in place of one that runs; ends a stop. */
    synchronized void again(Set<TableId> tables) {
        again.addAll(tables);
        stopped = false;
    }

    /** The tables whose new passes must begin, each once. */
    synchronized Set<TableId> takeAgain() {
        Set<TableId> taken = Set.copyOf(again);
        again.clear();
        return taken;
    }
}
