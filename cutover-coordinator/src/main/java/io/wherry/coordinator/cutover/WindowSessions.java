package io.wherry.coordinator.cutover;

import io.wherry.contract.config.Flow;
import io.wherry.contract.service.Resources;
import io.wherry.coordinator.sql.BoundSessions;
import io.wherry.coordinator.sql.Opening;
import io.wherry.coordinator.sql.Term;
import io.wherry.coordinator.sql.Window;
import io.wherry.coordinator.watch.DrainProbe;
import io.wherry.coordinator.watch.Progress;
import java.sql.Connection;
import java.sql.SQLException;

/**
 * What one window reads with: sessions on both sides, and the probe of the drain. Opened before the fence, because applications wait
 * behind it.
 */
final class WindowSessions implements AutoCloseable {
    private static final int OF_EACH_SIDE = 3;

    private final BoundSessions sessions;
    private final Opening checked;
    private final DrainProbe probe;
    private final Connection target;

    /** @throws SQLException when a side cannot be reached, or the term has ended */
    WindowSessions(Flow flow, Term term, Progress progress, Window window) throws SQLException {
        sessions = new BoundSessions(flow, window);
        checked = term.check(sessions::open);
        boolean done = false;
        DrainProbe opened = null;
        try {
            sessions.openAhead(OF_EACH_SIDE);
            opened = new DrainProbe(flow.migration(), sessions.open(flow.to(), "drain"), progress);
            target = term.open("prepare");
            done = true;
        } finally {
            if (!done) {
                Resources.closeQuietly(opened);
                sessions.close();
            }
        }
        probe = opened;
    }

    /** Sessions that end with the window; for those that change the target, the term is checked. */
    Opening opening() {
        return checked;
    }

    /** For one thread at a time. */
    DrainProbe probe() {
        return probe;
    }

    /** The session that prepares the target and commits the switch row. The caller checks the term once more. */
    Connection target() {
        return target;
    }

    @Override
    public void close() {
        Resources.closeQuietly(target);
        Resources.closeQuietly(probe);
        sessions.close();
    }
}
