package io.wherry.coordinator.machine;

import io.wherry.coordinator.follow.SchemaFollower;
import io.wherry.coordinator.thread.MonotonicClock;
import io.wherry.coordinator.watch.Observation;
import io.wherry.coordinator.watch.Observation.AfterwardsDone;
import io.wherry.coordinator.watch.Observation.AppliedToOthers;
import io.wherry.coordinator.watch.Observation.Built;
import io.wherry.coordinator.watch.Observation.Command;
import io.wherry.coordinator.watch.Observation.Failed;
import io.wherry.coordinator.watch.Observation.Followed;
import io.wherry.coordinator.watch.Observation.HeartbeatArrived;
import io.wherry.coordinator.watch.Observation.HeartbeatEmitted;
import io.wherry.coordinator.watch.Observation.IdentitiesTaken;
import io.wherry.coordinator.watch.Observation.Positioned;
import io.wherry.coordinator.watch.Observation.Reported;
import io.wherry.coordinator.watch.Observation.SchemaSeen;
import io.wherry.coordinator.watch.Observation.SchemasCompared;
import io.wherry.coordinator.watch.Observation.StepDone;
import io.wherry.coordinator.watch.Observation.StepFailed;
import io.wherry.coordinator.watch.Observation.TargetSeen;
import io.wherry.coordinator.watch.Observation.Tried;
import java.sql.SQLException;

/**
 * The immediate effect of each observation: a changed fact, or the end of a piece of work. Used by the coordinator's thread only.
 *
 * @param completed runs once all work after COMPLETED has ended
 */
record Reactions(
        Facts facts, Decider decider, Transitions transitions, Workers workers, StatusBoard board, Runnable completed)
        implements Observation.Receiver {
    @Override
    public void see(Positioned seen) {
        facts.lags().see(seen);
    }

    @Override
    public void see(HeartbeatEmitted seen) {
        facts.lags().see(seen);
    }

    @Override
    public void see(HeartbeatArrived seen) {
        facts.lags().see(seen);
    }

    @Override
    public void see(AppliedToOthers seen) {
        facts.lags().see(seen);
    }

    @Override
    public void see(IdentitiesTaken seen) {
        facts.see(seen);
    }

    @Override
    public void see(Reported seen) {
        facts.see(seen.status());
    }

    @Override
    public void see(TargetSeen seen) {
        facts.see(seen, MonotonicClock.millis());
    }

    @Override
    public void see(Failed seen) {
        facts.see(seen, MonotonicClock.millis());
    }

    @Override
    public void see(SchemaSeen seen) {
        decider.follow(seen.drift());
    }

    @Override
    public void see(Followed seen) {
        workers.follower().ended(seen);
        if (seen.object().equals(SchemaFollower.TABLES)) {
            workers.indexes().parentsOutdated();
        }
        workers.trial().outdated();
    }

    @Override
    public void see(SchemasCompared seen) {
        workers.watch().ended(seen);
    }

    @Override
    public void see(Built seen) {
        facts.tables().see(seen);
        workers.indexes().ended(seen);
        board.indexed(seen.seconds());
    }

    @Override
    public void see(Tried seen) {
        workers.trial().ended(seen);
    }

    @Override
    public void see(StepDone seen) throws SQLException {
        transitions.ended(seen);
    }

    @Override
    public void see(StepFailed seen) throws SQLException {
        transitions.ended(seen);
    }

    @Override
    public void see(AfterwardsDone seen) {
        transitions.publish();
        completed.run();
    }

    @Override
    public void see(Command seen) throws SQLException {
        seen.action().run();
    }
}
