package io.wherry.coordinator.watch;

import io.wherry.contract.config.Flow;
import io.wherry.contract.postgres.Sessions;
import io.wherry.coordinator.sql.Term;
import io.wherry.coordinator.thread.Repeater;
import java.sql.Connection;
import java.sql.SQLException;
import java.util.Optional;

/** Records in Kafka which database is the target, once there is a load plan: see {@link KnownTarget}. */
record TargetNote(Flow flow, Term term, Progress progress) implements Repeater.Work {
    private static final long POLL_MILLIS = 1_000;

    @Override
    public void run(Repeater repeater) throws SQLException, InterruptedException {
        // A plan names tables that go to the target, or says that there are none.
        while (!repeater.closing() && !progress.hasLoadPlan()) {
            repeater.pause(POLL_MILLIS);
        }
        if (repeater.closing()) {
            return;
        }
        KnownTarget now;
        try (Connection target = Sessions.open(flow.migration(), flow.to(), "known target")) {
            term.require(target);
            now = KnownTarget.read(flow, target);
        }
        if (!KnownTarget.last(flow).equals(Optional.of(now))) {
            try (ControlTopicWriter control = new ControlTopicWriter(flow.migration())) {
                control.write(KnownTarget.KEY, now);
            }
        }
        while (!repeater.closing()) {
            repeater.pause(Long.MAX_VALUE / 10_000_000);
        }
    }
}
