package io.wherry.coordinator.machine;

import io.wherry.contract.config.Migration;
import io.wherry.contract.error.DataException;
import io.wherry.contract.error.FencedException;
import io.wherry.contract.error.RetryableException;
import io.wherry.contract.error.WherryException;
import io.wherry.contract.name.TableId;
import io.wherry.contract.postgres.Sessions;
import io.wherry.contract.record.LoadPlan;
import io.wherry.contract.record.Order;
import io.wherry.contract.service.Failpoints;
import io.wherry.coordinator.cutover.AfterSwitch;
import io.wherry.coordinator.cutover.Attempt;
import io.wherry.coordinator.cutover.CutoverActs;
import io.wherry.coordinator.cutover.CutoverResult;
import io.wherry.coordinator.cutover.CutoverResult.Outcome;
import io.wherry.coordinator.cutover.CutoverRun;
import io.wherry.coordinator.cutover.StateMachine;
import io.wherry.coordinator.cutover.Step;
import io.wherry.coordinator.cutover.Story;
import io.wherry.coordinator.cutover.SwitchTrial;
import io.wherry.coordinator.fence.Fence;
import io.wherry.coordinator.follow.IndexBuilder;
import io.wherry.coordinator.follow.SchemaFollower;
import io.wherry.coordinator.follow.SchemaWatch;
import io.wherry.coordinator.journal.Event;
import io.wherry.coordinator.journal.Journal;
import io.wherry.coordinator.journal.State;
import io.wherry.coordinator.row.DataComparison;
import io.wherry.coordinator.sql.Term;
import io.wherry.coordinator.thread.MonotonicClock;
import io.wherry.coordinator.thread.Threads;
import io.wherry.coordinator.traffic.TrafficSwitch;
import io.wherry.coordinator.watch.Latencies;
import io.wherry.coordinator.watch.Observation;
import io.wherry.coordinator.watch.Observation.Built;
import io.wherry.coordinator.watch.Observation.Command;
import io.wherry.coordinator.watch.Observation.StepDone;
import io.wherry.coordinator.watch.Observation.StepEnded;
import io.wherry.coordinator.watch.Observation.StepFailed;
import io.wherry.coordinator.watch.Observers;
import io.wherry.coordinator.watch.Progress;
import io.wherry.coordinator.watch.Pulse;
import java.sql.SQLException;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.concurrent.BlockingQueue;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionStage;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.TimeUnit;
import java.util.function.Consumer;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * One thread that decides, fed by one queue. Whoever watches, waits or works does so on other threads and only enqueues what it
 * saw; so no decision is ever taken on half a change.
 */
public final class CoordinatorLoop implements AutoCloseable {
    private static final Logger LOG = LoggerFactory.getLogger(CoordinatorLoop.class);
    private static final long TICK_MILLIS = 50;
    private static final Duration LAST_CHANCE = Duration.ofSeconds(15);
    private static final long MARKS_PAUSE_NANOS = 10_000_000_000L;
    private static final long ASKED_MILLIS = 5_000;
    private static final long TERM_MILLIS = 1_000;

    private final Migration migration;
    private final Failpoints failpoints;
    private final Term term;
    private final BlockingQueue<Observation> queue = new LinkedBlockingQueue<>();
    private final Progress progress = new Progress();
    private final Latencies latencies = new Latencies();
    private final Pulse pulse = new Pulse(MonotonicClock.millis());
    private final Facts facts = new Facts(latencies);
    private final Gate gate;
    private final Observers observers;
    private final IndexBuilder indexes;
    private final SchemaFollower follower;
    private final SchemaWatch watch;
    private final List<Step> steps;
    private final StateMachine machine;
    private final CutoverActs acts;
    private final CutoverRun run;
    private final SwitchTrial trial;
    private final AfterSwitch afterwards;
    private final StatusBoard board;
    private final Orders orders;
    private final Callers callers = new Callers();
    private final CompletableFuture<Void> done = new CompletableFuture<>();
    private final Thread thread = Threads.named("wherry-coordinator").newThread(this::work);
    private CoordinatorSession control;
    private boolean parentsBuilt;
    private boolean marksRead;
    private boolean switchLost;
    private long marksAskedNanos;
    private long termSeenMillis;
    private volatile Set<TableId> halted = Set.of();
    private volatile boolean applying;
    private volatile boolean closing;
    private volatile long closeBeforeNanos;

    /** @param steps of the cutover: {@link Story#STEPS} */
    public CoordinatorLoop(Migration migration, TrafficSwitch traffic, List<Step> steps, Failpoints failpoints) {
        this.migration = migration;
        this.steps = List.copyOf(steps);
        this.machine = new StateMachine(steps);
        this.failpoints = failpoints;
        this.term = new Term(migration);
        this.gate = new Gate(migration.cutover());
        this.observers = new Observers(migration, term, progress, queue::add, () -> applying, () -> halted, pulse);
        this.indexes = new IndexBuilder(migration, term, queue::add, failpoints);
        this.acts = new CutoverActs(migration, term, progress, traffic, machine, failpoints);
        this.run = new CutoverRun(migration, acts, steps, queue::add);
        this.orders = new Orders(migration, term, progress);
        this.follower = new SchemaFollower(migration, term, queue::add);
        this.watch = new SchemaWatch(migration, queue::add);
        this.trial = new SwitchTrial(migration, term, queue::add);
        this.afterwards = new AfterSwitch(migration, term, queue::add);
        this.board = new StatusBoard(migration, facts, gate, run, follower, watch, trial, afterwards);
    }

    public void start() {
        thread.start();
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
        return Optional.ofNullable(run.comparison());
    }

    public CompletionStage<CutoverResult> cutover(boolean dryRun) {
        CompletableFuture<CutoverResult> result = callers.add();
        ask(
                () -> {
                    if (!dryRun) {
                        begin(result, false);
                    } else if (control.journal().state() != State.IN_SYNC
                            || !trial.begunFor(() -> ask(() -> plan(result), why -> result.complete(refused(why))))) {
                        plan(result);
                    }
                },
                why -> result.complete(refused(why)));
        return result;
    }

    public CompletionStage<Boolean> abort() {
        CompletableFuture<Boolean> result = callers.add();
        ask(
                () -> {
                    boolean possible = control.journal().state().inWindow();
                    if (possible) {
                        run.giveUp("given up by the operator");
                    }
                    result.complete(possible);
                },
                why -> result.complete(false));
        return result;
    }

    /**
     * Tells the source-connector what the operator wants.
     *
     * @param table by name; empty = all
     * @return the tables that are meant
     */
    public CompletionStage<List<TableId>> order(Order.Kind kind, Optional<String> table) {
        CompletableFuture<List<TableId>> result = callers.add();
        ask(
                () -> {
                    try {
                        result.complete(
                                orders.give(kind, table, control.journal().state()));
                    } catch (SQLException | WherryException e) {
                        result.completeExceptionally(e);
                    }
                },
                why -> result.completeExceptionally(
                        new RetryableException("order", table.orElse("all tables"), why, "Ask again")));
        return result;
    }

    private void ask(Command.Action action, Consumer<String> refuse) {
        queue.add(new Command(action, refuse, MonotonicClock.millis()));
    }

    /** Who asked a while ago and nobody can serve now is not left waiting for a day: a standby stands by for as long. */
    private void refuseThoseWhoWait(String why) {
        long now = MonotonicClock.millis();
        queue.removeIf(observation -> {
            boolean waits = observation instanceof Command command && now - command.sinceMillis() > ASKED_MILLIS;
            if (waits) {
                ((Command) observation).refuse().accept(why);
            }
            return waits;
        });
    }

    private static CutoverResult refused(String why) {
        return new CutoverResult(Outcome.REFUSED, why, List.of(), 0);
    }

    private void work() {
        try {
            while (control == null && !closing) {
                takeControl();
            }
            if (control != null) {
                observers.start();
                enter();
                while (!closing || finishing()) {
                    turn();
                }
            }
            done.complete(null);
            callers.end("it has been stopped");
        } catch (InterruptedException e) {
            done.complete(null);
            callers.end("it has been stopped");
        } catch (FencedException e) {
            // The other coordinator looks after the source.
            stopped(e, e.explained());
        } catch (WherryException e) {
            stopped(e, e.explained());
            openSource();
        } catch (SQLException | RuntimeException e) {
            stopped(e, e.toString());
            openSource();
        }
    }

    private void stopped(Exception cause, String why) {
        // Whoever started it says why it ended; twice would be once too often.
        LOG.debug("The coordinator has stopped: {}", why, cause);
        board.waiting("somebody to look: " + why);
        done.completeExceptionally(cause);
        callers.end("it has stopped: " + why);
    }

    /** A source must not stay closed because this process has a defect. */
    private void openSource() {
        if (control != null
                && !switchLost
                && control.journal().state().inWindow()
                && control.journal().state() != State.PREPARING_TARGET) {
            run.openSourceNow(control.journal());
        }
    }

    /** A closing service opens the source again if it is fenced, but does not wait for ever. */
    private boolean finishing() {
        run.giveUp("the coordinator was stopped");
        State state = control.journal().state();
        return (state.inWindow() || state == State.ABORTING) && System.nanoTime() - closeBeforeNanos < 0;
    }

    private void turn() throws InterruptedException, SQLException {
        Observation observation = queue.poll(TICK_MILLIS, TimeUnit.MILLISECONDS);
        pulse.turned(MonotonicClock.millis());
        try {
            while (observation != null) {
                handle(observation);
                observation = queue.poll();
            }
            decide(MonotonicClock.millis());
        } catch (SQLException e) {
            recover(observation, e);
        }
    }

    /** One attempt; waits a little when it fails. */
    private void takeControl() throws InterruptedException {
        pulse.turned(MonotonicClock.millis());
        String waitsFor;
        try {
            control = CoordinatorSession.take(migration, term, failpoints).orElse(null);
            marksRead = false;
            if (control != null && knowsOfCutover()) {
                return;
            }
            waitsFor = control == null
                    ? "another coordinator to end; this one stands by"
                    : "source and Kafka, to see whether the target has lost commits";
        } catch (SQLException e) {
            waitsFor = "the target: " + e.getMessage();
        } catch (RetryableException e) {
            waitsFor = "Kafka, to know whether the target is the one of before: " + e.getMessage();
        }
        board.waiting(waitsFor);
        refuseThoseWhoWait("waiting for " + waitsFor);
        if (control != null) {
            closeControl();
        }
        TimeUnit.MILLISECONDS.sleep(Sessions.LOCK_POLL_MILLIS);
    }

    /**
     * Compares the journal with what Kafka remembers.
     *
     * @return false when that cannot be done now, but must be: from here the journal would have the source opened
     */
    private boolean knowsOfCutover() {
        marksAskedNanos = System.nanoTime();
        try {
            if (acts.openIfForgotten(control.journal())) {
                run.forgotten(control.journal());
                queue.removeIf(StepEnded.class::isInstance);
            }
            marksRead = true;
        } catch (DataException e) {
            switchLost = true;
            throw e;
        } catch (SQLException | RetryableException e) {
            LOG.warn("Cannot see yet whether the target has lost commits: {}", e.getMessage());
        }
        State state = control.journal().state();
        return marksRead || !state.inWindow() && state != State.ABORTING;
    }

    /** The session on the target is lost, perhaps in the middle of a commit: read again what stands there, then go on. */
    private void recover(Observation unfinished, SQLException cause) throws InterruptedException, SQLException {
        LOG.warn("Lost the target: {}", cause.getMessage());
        Journal before = control.journal();
        closeControl();
        while (control == null) {
            // From PREPARING_TARGET on a switch row may be on its way: then only the target's journal can tell.
            boolean sourceMayServe = before.state().inWindow() && before.state() != State.PREPARING_TARGET;
            if (sourceMayServe && run.endReason() != null) {
                run.openSourceNow(before);
            }
            if (closing) {
                throw new InterruptedException("closed while the target was away");
            }
            takeControl();
        }
        if (!control.journal().last().equals(before.last())) {
            parentsBuilt = false;
            enter();
        } else if (unfinished instanceof StepEnded) {
            queue.add(unfinished);
        }
        if (run.fencedHere() && control.journal().state().servedBy().equals("source")) {
            // Its first row could not be written, and so nothing was done.
            run.finish(Outcome.ABORTED, "the target was lost: " + cause.getMessage(), control.journal());
        }
    }

    private void handle(Observation observation) throws SQLException {
        long now = MonotonicClock.millis();
        if (observation instanceof Observation.Positioned seen) {
            facts.lags().see(seen);
        } else if (observation instanceof Observation.HeartbeatEmitted seen) {
            facts.lags().see(seen);
        } else if (observation instanceof Observation.IdentitiesTaken taken) {
            facts.see(taken);
        } else if (observation instanceof Observation.HeartbeatArrived seen) {
            facts.lags().see(seen);
        } else if (observation instanceof Observation.AppliedToOthers seen) {
            facts.lags().see(seen);
        } else if (observation instanceof Observation.TargetSeen seen) {
            facts.see(seen, now);
        } else if (observation instanceof Observation.SchemaSeen seen) {
            facts.see(seen.drift());
            follow();
        } else if (observation instanceof Observation.Followed followed) {
            follower.ended(followed);
            // Their indexes are yet to be joined to those of their parents.
            parentsBuilt &= !followed.object().equals(SchemaFollower.TABLES);
            trial.outdated();
        } else if (observation instanceof Observation.SchemasCompared compared) {
            watch.ended(compared);
        } else if (observation instanceof Observation.Reported seen) {
            facts.see(seen.status());
        } else if (observation instanceof Observation.Failed seen) {
            facts.see(seen, now);
        } else if (observation instanceof Built built) {
            facts.tables().see(built);
            indexes.ended(built);
            board.indexed(built.seconds());
            parentsBuilt |= built.table() == null && built.problem() == null;
        } else if (observation instanceof Observation.Tried tried) {
            trial.ended(tried);
        } else if (observation instanceof Observation.AfterwardsDone) {
            board.publish(control.journal(), progress.tables(), now);
            done.complete(null);
        } else if (observation instanceof Command command) {
            command.action().run();
        } else if (observation instanceof StepEnded ended && isPresent(ended)) {
            if (ended instanceof StepDone step) {
                stepDone(step);
            } else if (ended instanceof StepFailed step) {
                stepFailed(step.problem());
            }
        }
    }

    private void follow() {
        State state = control.journal().state();
        if (state.servedBy().equals("source") && !state.inWindow() && state != State.ABORTING) {
            SchemaFollower.Extent built = state == State.CATCHING_UP || state == State.IN_SYNC
                    ? SchemaFollower.Extent.ALL
                    : applying ? SchemaFollower.Extent.OTHERS : SchemaFollower.Extent.SOME;
            follower.offer(facts.drift(), facts.lags().applied(), facts.lags().appliedToOthers(), built);
        }
    }

    /**
     * Not one of an earlier state. Counterexample: the target was lost while fencing, another coordinator took over, began its own
     * cutover and died; its FENCING is not done because ours was.
     */
    private boolean isPresent(StepEnded ended) {
        Journal journal = control.journal();
        boolean switched = ended instanceof StepDone step && step.committed();
        // The step itself has written the row that follows.
        return switched
                ? journal.state() == State.SWITCHING
                : ended.row() == journal.last().id();
    }

    private void stepDone(StepDone ended) throws SQLException {
        if (run.comparison() != null) {
            facts.tables().see(run.comparison());
        }
        if (ended.committed()) {
            // The step wrote the row itself, in the transaction that prepared the target.
            enter();
        } else if (control.journal().state().inWindow() && run.endReason() != null) {
            stepFailed(run.endReason());
        } else {
            advance(Event.DONE, ended.detail());
            enter();
        }
    }

    private void stepFailed(String problem) throws SQLException {
        if (run.comparison() != null) {
            facts.tables().see(run.comparison());
        }
        State state = control.journal().state();
        if (!machine.aborts(state)) {
            run.retryLater(problem);
            return;
        }
        run.aborted(problem);
        try {
            advance(Event.ABORT, Map.of("reason", problem));
        } catch (FencedException e) {
            // The step's commit was on its way when its connection broke, and has succeeded: the row we tried to write
            // waited for it.
            control.journal().readAgain(control.target());
            if (control.journal().state() != State.SWITCHING) {
                throw e;
            }
        }
        enter();
    }

    private void advance(Event event, Map<String, ?> detail) throws SQLException {
        State next = control.journal()
                .advance(control.target(), machine.require(control.journal().state(), event), detail);
        LOG.info("{}", next);
        // Before anyone hears of a result: who then asks for the status must not read the state before.
        board.publish(control.journal(), progress.tables(), MonotonicClock.millis());
    }

    /** Begins what the present state asks for. */
    private void enter() throws SQLException {
        Journal journal = control.journal();
        Optional<Event> found = run.fencedHere() ? Optional.empty() : machine.onRestart(journal.state());
        if (found.isPresent()) {
            abandonUnfinished(found.get());
        }
        run.enter(journal.state(), journal);
        if (journal.state() == State.COMPLETED) {
            afterwards.begin(Attempt.fencePlan(journal));
        }
    }

    /** What another process began; unless its switch row was on its way, and has just been committed. */
    private void abandonUnfinished(Event abort) throws SQLException {
        Journal journal = control.journal();
        String reason = "the coordinator was restarted in " + journal.state();
        try {
            advance(abort, Map.of("reason", reason));
            run.aborted(reason);
        } catch (FencedException e) {
            // Our row has waited for that commit.
            journal.readAgain(control.target());
            if (journal.state() != State.SWITCHING) {
                throw e;
            }
            LOG.info("The switch row was committed by the coordinator before this one: going on from there");
        }
    }

    /**
     * Within the window the steps ask, each before it acts: this thread must not wait for a target that does not answer, as it ends the
     * window.
     */
    private void requireTerm(long now) throws SQLException {
        if (!control.journal().state().inWindow() && now - termSeenMillis >= TERM_MILLIS) {
            control.requireTerm();
            termSeenMillis = now;
        }
    }

    private void decide(long now) throws SQLException {
        requireTerm(now);
        if (!marksRead && System.nanoTime() - marksAskedNanos > MARKS_PAUSE_NANOS) {
            knowsOfCutover();
        }
        Journal journal = control.journal();
        State state = journal.state();
        Map<TableId, LoadPlan.Table> plan = progress.tables();
        facts.tables().see(progress.epochs());
        boolean loaded =
                progress.hasLoadPlan() && facts.tables().notLoaded(plan).isEmpty();
        boolean ready = loaded && facts.tables().notReady(plan).isEmpty();
        // What the others wait for must not wait for a table whose load does not go on.
        Set<TableId> standing = facts.tables().halted(plan);
        halted = standing;
        applying = progress.hasLoadPlan() && standing.containsAll(facts.tables().notReady(plan));
        gate.look(facts.lags().lag(now), facts.obstacle(now), now);
        if (state.servedBy().equals("source")) {
            facts.tables().relations().forEach(indexes::offer);
        }
        switch (state) {
            case LOADING -> {
                if (loaded) {
                    advance(Event.ALL_LOADED, Map.of());
                }
            }
            case INDEXING -> {
                if (!loaded) {
                    advance(Event.LOAD_INCOMPLETE, Map.of());
                } else if (ready && parentsBuilt) {
                    advance(Event.ALL_INDEXED, Map.of());
                } else if (ready) {
                    indexes.offerParents();
                }
            }
            case CATCHING_UP -> {
                if (!loaded) {
                    advance(Event.LOAD_INCOMPLETE, Map.of());
                } else if (ready && gate.stable(now)) {
                    advance(Event.STABLE, Map.of());
                }
            }
            case IN_SYNC -> {
                if (!loaded) {
                    advance(Event.LOAD_INCOMPLETE, Map.of());
                } else if (!ready || !gate.good()) {
                    advance(Event.UNSTABLE, Map.of("reason", gate.obstacle()));
                }
            }
            case FENCING, DRAINING, VERIFYING, PREPARING_TARGET -> run.interruptWhenOver();
            case SWITCHING, ABORTING -> run.retryWhenDue(state, journal);
            case COMPLETED -> {}
        }
        trial.offer(
                (state == State.CATCHING_UP || state == State.IN_SYNC)
                        && ready
                        && !facts.drift().deferred(),
                now);
        watch.offer(
                state == State.IN_SYNC
                        && facts.drift().obstacles().isEmpty()
                        && follower.pending().isEmpty(),
                now);
        board.publish(journal, plan, now);
    }

    private void plan(CompletableFuture<CutoverResult> result) {
        State state = control.journal().state();
        String reason = state == State.IN_SYNC ? "" : "not now: " + status().waitsFor();
        List<String> steps = new ArrayList<>();
        if (state == State.IN_SYNC) {
            trial.obstacles().forEach(obstacle -> steps.add("OBSTACLE: " + obstacle));
            if (!follower.settled()) {
                follower.pending().forEach(line -> steps.add("OBSTACLE: the schema changed on the source: " + line));
            }
        }
        Threads.named("wherry-cutover-plan")
                .newThread(() -> {
                    try {
                        steps.addAll(acts.plan(this.steps));
                        result.complete(new CutoverResult(Outcome.PLANNED, reason, steps, 0));
                    } catch (SQLException | RuntimeException e) {
                        result.completeExceptionally(e);
                    }
                })
                .start();
    }

    /** @param tried whether what the switch will run was tried for this cutover */
    private void begin(CompletableFuture<CutoverResult> result, boolean tried) throws SQLException {
        if (watch.comparing()) {
            watch.afterwards(() -> ask(() -> begin(result, tried), why -> result.complete(refused(why))));
            return;
        }
        Fence.Plan fence;
        String refused;
        try {
            refused = refusal();
            if (refused.isEmpty()) {
                Runnable again = () -> ask(() -> begin(result, true), why -> result.complete(refused(why)));
                if (!tried && trial.begunFor(again)) {
                    return;
                }
                List<String> refusals = new ArrayList<>(trial.obstacles());
                refusals.addAll(acts.refusedSequences());
                refused = String.join("; ", refusals);
            }
            fence = acts.fence().plan();
        } catch (SQLException | WherryException e) {
            result.complete(refused("source or target: " + e.getMessage()));
            return;
        }
        if (!refused.isEmpty()) {
            result.complete(new CutoverResult(Outcome.REFUSED, refused, List.of(), 0));
            return;
        }
        if (!fence.obstacles().isEmpty()) {
            result.complete(new CutoverResult(Outcome.REFUSED, String.join("; ", fence.obstacles()), fence.steps(), 0));
            return;
        }
        run.begin(result, fence.steps());
        // Whom to let in again must be on record before anyone is kept out.
        advance(Event.CUTOVER, Map.of("fence", fence));
        enter();
    }

    /** Why a cutover may not begin now, as far as that is known at once; empty = it may. */
    private String refusal() throws SQLException {
        // A coordinator that has just come finds IN_SYNC in the journal, and knows nothing itself yet.
        decide(MonotonicClock.millis());
        State state = control.journal().state();
        if (state != State.IN_SYNC) {
            return "in state " + state + ", waiting for " + status().waitsFor();
        }
        facts.see(acts.drift());
        follow();
        if (!facts.drift().obstacles().isEmpty()) {
            return String.join("; ", facts.drift().obstacles());
        }
        return follower.settled() ? "" : "the schema changed on the source: " + String.join("; ", follower.pending());
    }

    private void closeControl() {
        try {
            control.close();
        } catch (SQLException e) {
            LOG.debug("closing a lost session", e);
        }
        control = null;
    }

    @Override
    public void close() {
        closeBeforeNanos = System.nanoTime() + LAST_CHANCE.toNanos();
        closing = true;
        Threads.join(thread, 0);
        observers.close();
        indexes.close();
        follower.close();
        watch.close();
        trial.close();
        afterwards.close();
        run.close();
        if (control != null) {
            closeControl();
        }
    }
}
