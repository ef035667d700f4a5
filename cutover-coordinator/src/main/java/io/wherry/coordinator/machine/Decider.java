package io.wherry.coordinator.machine;

import io.wherry.contract.name.TableId;
import io.wherry.contract.record.LoadPlan;
import io.wherry.coordinator.follow.SchemaFollower;
import io.wherry.coordinator.journal.Event;
import io.wherry.coordinator.journal.Journal;
import io.wherry.coordinator.journal.State;
import io.wherry.coordinator.proof.Prover;
import io.wherry.coordinator.schema.SchemaDrift;
import io.wherry.coordinator.watch.Progress;
import java.sql.SQLException;
import java.util.Map;

/** Decides by the facts which work starts now and which state comes next. Used by the coordinator's thread only. */
record Decider(
        Control control,
        ForgottenCutover forgotten,
        Progress progress,
        Facts facts,
        Readiness readiness,
        Gate gate,
        Transitions transitions,
        Workers workers,
        StatusBoard board) {

    /** @param now by {@code MonotonicClock} */
    void decide(long now) throws SQLException {
        control.requireTerm(now);
        forgotten.checkWhenDue(control.journal());
        Journal journal = control.journal();
        State state = journal.state();
        Map<TableId, LoadPlan.Table> plan = progress.tables();
        readiness.look(plan);
        gate.look(facts.lags().lag(now), facts.obstacle(now), now);
        if (state.servedBy().equals("source")) {
            facts.tables().relations().forEach(workers.indexes()::offer);
        }
        leave(state, now);
        workers.trial()
                .offer(
                        (state == State.CATCHING_UP || state == State.IN_SYNC)
                                && readiness.ready()
                                && !facts.drift().deferred(),
                        now);
        workers.watch()
                .offer(
                        state == State.IN_SYNC
                                && facts.drift().obstacles().isEmpty()
                                && workers.follower().pending().isEmpty(),
                        now);
        workers.prover().offer(wanted(state), facts.lags().applied(), facts.lost(), readiness.epochs());
        board.publish(journal, plan, now);
    }

    private Prover.Wanted wanted(State state) {
        if (state.servedBy().equals("target") || state == State.SWITCHING) {
            return Prover.Wanted.NOTHING;
        }
        if (state.inWindow()) {
            return Prover.Wanted.CHANGES;
        }
        // A target that is behind must not be slowed down further.
        return (state == State.CATCHING_UP || state == State.IN_SYNC) && readiness.ready() && gate.good()
                ? Prover.Wanted.PROOF
                : Prover.Wanted.WITNESS;
    }

    /** Moves on from the state, when the facts allow or demand that. */
    private void leave(State state, long now) throws SQLException {
        switch (state) {
            case LOADING -> {
                if (readiness.loaded()) {
                    transitions.advance(Event.ALL_LOADED, Map.of());
                }
            }
            case INDEXING -> {
                if (!readiness.loaded()) {
                    transitions.advance(Event.LOAD_INCOMPLETE, Map.of());
                } else if (readiness.ready() && workers.indexes().parentsBuilt()) {
                    transitions.advance(Event.ALL_INDEXED, Map.of());
                } else if (readiness.ready()) {
                    workers.indexes().offerParents();
                }
            }
            case CATCHING_UP -> {
                if (!readiness.loaded()) {
                    transitions.advance(Event.LOAD_INCOMPLETE, Map.of());
                } else if (readiness.ready() && gate.stable(now)) {
                    transitions.advance(Event.STABLE, Map.of());
                }
            }
            case IN_SYNC -> {
                if (!readiness.loaded()) {
                    transitions.advance(Event.LOAD_INCOMPLETE, Map.of());
                } else if (!readiness.ready() || !gate.good()) {
                    transitions.advance(Event.UNSTABLE, Map.of("reason", gate.obstacle()));
                }
            }
            case FENCING, DRAINING, VERIFYING, PREPARING_TARGET -> workers.run().interruptWhenOver();
            case SWITCHING, ABORTING -> workers.run().retryWhenDue(state, control.journal());
            case COMPLETED -> {}
        }
    }

    /** Takes note of how the schemas differ, and starts what brings the differences to the target. */
    void follow(SchemaDrift drift) {
        facts.see(drift);
        State state = control.state();
        if (state.servedBy().equals("source") && !state.inWindow() && state != State.ABORTING) {
            SchemaFollower.Extent built = state == State.CATCHING_UP || state == State.IN_SYNC
                    ? SchemaFollower.Extent.ALL
                    : readiness.applying() ? SchemaFollower.Extent.OTHERS : SchemaFollower.Extent.SOME;
            workers.follower()
                    .offer(facts.drift(), facts.lags().applied(), facts.lags().appliedToOthers(), built);
        }
    }
}
