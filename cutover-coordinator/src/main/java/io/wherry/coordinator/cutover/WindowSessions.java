package io.wherry.coordinator.cutover;

import io.wherry.contract.config.Flow;
import io.wherry.contract.postgres.Catalog;
import io.wherry.contract.postgres.SelectedTables;
import io.wherry.contract.service.Resources;
import io.wherry.coordinator.fence.Fence;
import io.wherry.coordinator.row.RowTypes;
import io.wherry.coordinator.schema.Sequences;
import io.wherry.coordinator.sql.BoundSessions;
import io.wherry.coordinator.sql.FreeConnections;
import io.wherry.coordinator.sql.LockLimit;
import io.wherry.coordinator.sql.Opening;
import io.wherry.coordinator.sql.Term;
import io.wherry.coordinator.sql.Window;
import io.wherry.coordinator.thread.Threads;
import io.wherry.coordinator.watch.DrainProbe;
import io.wherry.coordinator.watch.Progress;
import java.sql.Connection;
import java.sql.SQLException;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * What one window reads with: sessions on both sides, and the probe of the drain. Opened before the fence, because applications wait
 * behind it.
 */
final class WindowSessions implements AutoCloseable {
    private static final Logger LOG = LoggerFactory.getLogger(WindowSessions.class);
    private static final int OF_EACH_SIDE = 3;
    private static final Duration LOCK = Duration.ofMillis(200);

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
            if (roomBesideApplications(flow)) {
                sessions.openAhead(OF_EACH_SIDE);
                warm(flow);
            }
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

    /** Before the fence the applications are connected, and must not be refused because of these sessions; behind it there is room. */
    private boolean roomBesideApplications(Flow flow) throws SQLException {
        try (Connection source = sessions.open(flow.from(), "ask")) {
            return FreeConnections.in(source) > 2 * OF_EACH_SIDE;
        }
    }

    /**
     * Asks in each session what the window will ask. The first answer in a session takes many times longer than the next, because the
     * server reads its catalogs for that session; and so does the first run of this program's code.
     */
    private void warm(Flow flow) {
        List<Thread> asking = new ArrayList<>();
        for (int i = 0; i < OF_EACH_SIDE; i++) {
            asking.add(Threads.named("wherry-sessions").newThread(() -> ask(flow)));
        }
        asking.forEach(Thread::start);
        asking.forEach(thread -> Threads.join(thread, 0));
    }

    private void ask(Flow flow) {
        try (Connection source = sessions.open(flow.from(), "ask");
                Connection ofTarget = sessions.open(flow.to(), "ask")) {
            // Not behind the lock of another session: what is asked here has no use of its own.
            LockLimit.within(
                    LOCK,
                    () -> {
                        SelectedTables.names(source, flow.migration());
                        SelectedTables.read(source, flow.migration());
                        Catalog.withPartitioned(ofTarget);
                        RowTypes.read(source, ofTarget);
                        Catalog.ofExtensions(source);
                        Catalog.ofExtensions(ofTarget);
                        Sequences.read(flow, source, ofTarget);
                        return Fence.remaining(source);
                    },
                    source,
                    ofTarget);
        } catch (SQLException e) {
            // The window asks again, and then the failure counts.
            LOG.debug("A session could not be prepared for the window", e);
        }
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
        sessions.close();
        Resources.closeQuietly(probe);
    }
}
