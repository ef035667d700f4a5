package io.wherry.coordinator.machine;

import io.wherry.contract.config.Flow;
import io.wherry.contract.error.FencedException;
import io.wherry.contract.error.WherryException;
import io.wherry.contract.name.TableId;
import io.wherry.contract.record.Order;
import io.wherry.contract.service.Failpoints;
import io.wherry.coordinator.cutover.CutoverActs;
import io.wherry.coordinator.cutover.CutoverResult;
import io.wherry.coordinator.cutover.Force;
import io.wherry.coordinator.cutover.StateMachine;
import io.wherry.coordinator.cutover.Step;
import io.wherry.coordinator.cutover.Story;
import io.wherry.coordinator.journal.State;
import io.wherry.coordinator.proof.ProofControl;
import io.wherry.coordinator.proof.Prover;
import io.wherry.coordinator.row.DataComparison;
import io.wherry.coordinator.sql.Term;
import io.wherry.coordinator.thread.MonotonicClock;
import io.wherry.coordinator.thread.Threads;
import io.wherry.coordinator.traffic.TrafficSwitch;
import io.wherry.coordinator.watch.Latencies;
import io.wherry.coordinator.watch.Observation;
import io.wherry.coordinator.watch.Observers;
import io.wherry.coordinator.watch.Progress;
import io.wherry.coordinator.watch.Pulse;
import java.sql.SQLException;
import java.time.Duration;
import java.util.List;
import java.util.Optional;
import java.util.Set;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionStage;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * One thread that decides, fed by one queue. Other threads watch, wait and work, and only enqueue what they saw: so no decision is
 * ever taken on half a change.
 */
public final class CoordinatorLoop implements AutoCloseable {
    private static final Logger LOG = LoggerFactory.getLogger(CoordinatorLoop.class);
    private static final long TICK_MILLIS = 50;
    private static final Duration LAST_CHANCE = Duration.ofSeconds(15);

    private final Inbox inbox = new Inbox();
    private final Latencies latencies = new Latencies();
    private final Pulse pulse = new Pulse(MonotonicClock.millis());
    private final Observers observers;
    private final Workers workers;
    private final StatusBoard board;
    private final ForgottenCutover forgotten;
    private final Control control;
    private final Transitions transitions;
    private final Decider decider;
    private final Reactions reactions;
    private final Recovery recovery;
    private final Commands commands;
    private final ProofControl proof;
    private final Callers callers = new Callers();
    private final CompletableFuture<Void> done = new CompletableFuture<>();
    private final Thread thread = Threads.named("wherry-coordinator").newThread(this::work);
    private volatile boolean closing;
    private volatile long closeBeforeNanos;

    /** @param steps of the cutover: {@link Story#STEPS} */
    public CoordinatorLoop(Flow flow, TrafficSwitch traffic, List<Step> steps, Failpoints failpoints) {
        Term term = new Term(flow);
        Progress progress = new Progress(flow);
        Facts facts = new Facts(latencies);
        Readiness readiness = new Readiness(progress, facts.tables());
        Gate gate = new Gate(flow.migration().cutover());
        StateMachine machine = new StateMachine(steps);
        Prover prover = new Prover(flow, progress);
        proof = new ProofControl(flow, progress, prover);
        CutoverActs acts = new CutoverActs(flow, term, progress, traffic, machine, prover, failpoints);
        Orders orders = new Orders(flow.migration(), term, progress);
        observers = new Observers(flow, term, progress, inbox::add, readiness::applying, readiness::halted, pulse);
        workers = Workers.of(flow, term, acts, prover, steps, failpoints, inbox);
        board = new StatusBoard(flow, facts, gate, workers);
        forgotten = new ForgottenCutover(acts, workers.run(), inbox);
        control = new Control(flow, term, failpoints, forgotten, board, inbox, pulse);
        transitions = new Transitions(control, machine, workers, facts, progress, board);
        decider = new Decider(control, forgotten, progress, facts, readiness, gate, transitions, workers, board);
        reactions = new Reactions(facts, decider, transitions, workers, board, () -> done.complete(null));
        recovery = new Recovery(control, transitions, workers, inbox, () -> closing);
        CutoverAdmission admission = new CutoverAdmission(
                inbox, control, decider, transitions, facts, List.copyOf(steps), acts, workers, board);
        commands = new Commands(inbox, callers, control, admission, workers.run(), orders);
    }

    public void start() {
        thread.start();
    }

    private void work() {
        try {
            while (!control.held() && !closing) {
                control.take();
            }
            if (control.held()) {
                observers.start();
                workers.prover().start();
                transitions.enter();
                while (!closing || finishing()) {
                    turn();
                }
            }
            stopped();
        } catch (InterruptedException e) {
            stopped();
        } catch (FencedException e) {
            // The other coordinator takes care of the source.
            failed(e, e.explained());
        } catch (WherryException e) {
            failed(e, e.explained());
            openSource();
        } catch (SQLException | RuntimeException e) {
            failed(e, e.toString());
            openSource();
        }
    }

    /** Reacts to everything that was observed, then decides. */
    private void turn() throws InterruptedException, SQLException {
        Observation observation = inbox.await(TICK_MILLIS);
        pulse.turned(MonotonicClock.millis());
        try {
            while (observation != null) {
                observation.giveTo(reactions);
                observation = inbox.next();
            }
            decider.decide(MonotonicClock.millis());
        } catch (SQLException e) {
            recovery.recover(observation, e);
        }
    }

    /** A closing service opens a fenced source again, but does not wait forever. */
    private boolean finishing() {
        workers.run().giveUp("the coordinator was stopped");
        State state = control.state();
        return (state.inWindow() || state == State.ABORTING) && System.nanoTime() - closeBeforeNanos < 0;
    }

    private void stopped() {
        done.complete(null);
        callers.end("the coordinator was stopped");
    }

    private void failed(Exception cause, String why) {
        // The process that started this coordinator logs the reason; logging it here too would double it.
        LOG.debug("The coordinator has failed: {}", why, cause);
        board.waiting("the operator, after a failure: " + why);
        done.completeExceptionally(cause);
        callers.end("the coordinator has failed: " + why);
    }

    /** A source must not stay closed because this process has a defect. */
    private void openSource() {
        if (control.held()
                && !forgotten.switchLost()
                && control.state().inWindow()
                && control.state() != State.PREPARING_TARGET) {
            workers.run().openSourceNow(control.journal());
        }
    }

    public CompletionStage<CutoverResult> cutover(boolean dryRun, Set<Force> forced) {
        return commands.cutover(dryRun, forced);
    }

    public CompletionStage<Boolean> abort() {
        return commands.abort();
    }

    /**
     * Gives an order of the operator to the other services.
     *
     * @param table by name; empty = all
     * @return the tables that the order concerns
     */
    public CompletionStage<List<TableId>> order(Order.Kind kind, Optional<String> table) {
        return commands.order(kind, table);
    }

    /** The proof that both sides hold the same rows. */
    public ProofControl proof() {
        return proof;
    }

    public CompletionStage<Void> done() {
        return done;
    }

    public Status status() {
        return board.status();
    }

    /** Signs of life of all three services. */
    public Pulse pulse() {
        return pulse;
    }

    public List<StateTime> states() {
        return board.states();
    }

    public Totals totals() {
        return board.totals();
    }

    public Latencies latencies() {
        return latencies;
    }

    public Optional<DataComparison> comparison() {
        return Optional.ofNullable(workers.run().comparison());
    }

    @Override
    public void close() {
        closeBeforeNanos = System.nanoTime() + LAST_CHANCE.toNanos();
        closing = true;
        Threads.join(thread, 0);
        observers.close();
        workers.close();
        control.close();
    }
}
