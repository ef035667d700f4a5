package io.wherry.coordinator.watch;

import io.wherry.contract.config.Flow;
import io.wherry.contract.postgres.Sessions;
import io.wherry.contract.record.Pieces;
import io.wherry.contract.record.SchemaEvent;
import io.wherry.contract.record.SchemaLog;
import io.wherry.coordinator.sql.Term;
import io.wherry.coordinator.thread.Repeater;
import java.sql.Connection;
import java.sql.SQLException;

/** Brings the events of the target's schema to the control topic, in their order, so that the topics alone make the schema again. */
record SchemaSender(Flow flow, Term term, Progress progress) implements Repeater.Work {
    private static final long POLL_MILLIS = 1_000;

    @Override
    public void run(Repeater repeater) throws SQLException, InterruptedException {
        // The source-connector creates the topic; with a load plan there is one.
        while (!repeater.closing() && !progress.hasLoadPlan()) {
            repeater.pause(POLL_MILLIS);
        }
        if (repeater.closing()) {
            return;
        }
        try (Connection target = Sessions.open(flow.migration(), flow.to(), "schema events");
                ControlTopicWriter control = new ControlTopicWriter(flow.migration())) {
            while (!repeater.closing()) {
                for (SchemaLog.Entry entry : SchemaLog.waiting(target)) {
                    // A coordinator that was replaced would bring events in another order than its successor.
                    term.require(target);
                    for (Pieces.Piece piece : Pieces.of(entry.id(), entry.event())) {
                        control.write(SchemaEvent.KEY, piece);
                    }
                    SchemaLog.sent(target, entry.id());
                }
                repeater.pause(POLL_MILLIS);
            }
        }
    }
}
