package io.wherry.coordinator.machine;

import io.wherry.contract.config.Flow;
import io.wherry.contract.service.Failpoints;
import io.wherry.coordinator.cutover.AfterSwitch;
import io.wherry.coordinator.cutover.CutoverActs;
import io.wherry.coordinator.cutover.CutoverRun;
import io.wherry.coordinator.cutover.Step;
import io.wherry.coordinator.cutover.SwitchTrial;
import io.wherry.coordinator.follow.IndexBuilder;
import io.wherry.coordinator.follow.SchemaFollower;
import io.wherry.coordinator.follow.SchemaWatch;
import io.wherry.coordinator.proof.Prover;
import io.wherry.coordinator.sql.Term;
import java.util.List;

/** What the coordinator's thread starts on other threads. The end of each piece of work comes back as an observation. */
record Workers(
        IndexBuilder indexes,
        SchemaFollower follower,
        SchemaWatch watch,
        SwitchTrial trial,
        Prover prover,
        CutoverRun run,
        AfterSwitch afterwards)
        implements AutoCloseable {
    static Workers of(
            Flow flow,
            Term term,
            CutoverActs acts,
            Prover prover,
            List<Step> steps,
            Failpoints failpoints,
            Inbox inbox) {
        return new Workers(
                new IndexBuilder(flow, term, inbox::add, failpoints),
                new SchemaFollower(flow, term, inbox::add),
                new SchemaWatch(flow, inbox::add),
                new SwitchTrial(flow.migration(), term, inbox::add),
                prover,
                new CutoverRun(flow.migration(), acts, steps, inbox::add),
                new AfterSwitch(flow, term, inbox::add));
    }

    @Override
    public void close() {
        indexes.close();
        follower.close();
        watch.close();
        trial.close();
        afterwards.close();
        prover.close();
        run.close();
    }
}
