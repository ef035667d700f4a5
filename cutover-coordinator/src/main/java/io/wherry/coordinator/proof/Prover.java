package io.wherry.coordinator.proof;

import io.wherry.contract.config.Flow;
import io.wherry.contract.error.RetryableException;
import io.wherry.contract.error.WherryException;
import io.wherry.contract.name.TableId;
import io.wherry.contract.postgres.Lsn;
import io.wherry.coordinator.row.DataComparison.TableResult;
import io.wherry.coordinator.sql.BothSides;
import io.wherry.coordinator.sql.BoundSessions;
import io.wherry.coordinator.sql.Window;
import io.wherry.coordinator.thread.Repeater;
import io.wherry.coordinator.watch.Progress;
import java.sql.SQLException;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.TreeSet;
import java.util.concurrent.atomic.AtomicBoolean;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Proves the sides equal while the applications write, on a thread of its own. The coordinator's thread says when; the thread of a
 * cutover takes what is proven and compares the rest. A proof ends with its witness, and then begins again: a table is never called
 * proven by a witness that has missed something.
 */
public final class Prover implements AutoCloseable {
    private static final Logger LOG = LoggerFactory.getLogger(Prover.class);
    private static final long IDLE_MILLIS = 200;
    private static final long IDLE_IN_WINDOW_MILLIS = 10;
    private static final long AFTER_FAILURE_MILLIS = 30_000;

    /** What the coordinator wants now. */
    public enum Wanted {
        /** No proof: the rows are not loaded yet, or the target serves. */
        NOTHING,
        /** Nothing new is read from the sides; the witness continues. */
        WITNESS,
        /** In the window: only rows that changed, so that the comparison behind the fence has few left. */
        CHANGES,
        /** Passes and rechecks. */
        PROOF
    }

    /**
     * What the coordinator's thread knows.
     *
     * @param applied everything that committed up to it is on the target
     * @param lost commits that the target has lost, as text; null = none
     * @param loads the epoch of each table's load by which {@code wanted} was decided
     */
    record Offer(Wanted wanted, Lsn applied, String lost, Map<TableId, Integer> loads) {}

    private final Flow flow;
    private final Progress progress;
    private final Repeater thread;
    private final Requests requests = new Requests();
    private volatile Offer offered = new Offer(Wanted.NOTHING, Lsn.ZERO, null, Map.of());
    private volatile ProofRound round;
    private volatile BoundSessions sessions;
    private volatile String problem = "";

    public Prover(Flow flow, Progress progress) {
        this.flow = flow;
        this.progress = progress;
        this.thread = new Repeater("wherry-proof", this::work, failure -> {});
    }

    public void start() {
        if (flow.migration().verify().witness()) {
            thread.start();
        }
    }

    /**
     * Says what is wanted now. Called by the coordinator's thread.
     *
     * @param appliedUpTo everything that committed up to it is on the target
     * @param targetLost commits that the target has lost, as text; null = none. The proof then begins again
     * @param loads the epoch of each table's load by which this was decided
     */
    public void offer(Wanted now, Lsn appliedUpTo, String targetLost, Map<TableId, Integer> loads) {
        offered = new Offer(now, appliedUpTo, targetLost, loads);
    }

    /** What the operator wants. */
    public Requests requests() {
        return requests;
    }

    /** What the coordinator wants. */
    Wanted wanted() {
        return offered.wanted();
    }

    /** How far the proof is; empty while there is none. */
    public Optional<ProofStatus> status() {
        return proof().map(Proof::status);
    }

    /** The proof; empty while there is none. */
    Optional<Proof> proof() {
        return Optional.ofNullable(round).map(ProofRound::proof);
    }

    /** Why there is no proof, or not yet; empty = there is one. */
    public String problem() {
        return problem;
    }

    private void work(Repeater repeater) throws InterruptedException {
        if (wanted() != Wanted.PROOF) {
            repeater.pause(IDLE_MILLIS);
            return;
        }
        try {
            prove(repeater);
        } catch (SQLException | WherryException e) {
            problem = String.valueOf(e.getMessage());
            if (!repeater.closing() && wanted() != Wanted.NOTHING) {
                LOG.warn("The proof begins again: {}", problem);
                repeater.pause(AFTER_FAILURE_MILLIS);
            }
        }
    }

    private void prove(Repeater repeater) throws SQLException, InterruptedException {
        try (BoundSessions opened = new BoundSessions(flow);
                BothSides sides = BothSides.open(
                        flow, opened, "proof", flow.migration().verify().sessions());
                ProofRound present = new ProofRound(flow, progress, () -> offered, opened, sides)) {
            sessions = opened;
            round = present;
            if (repeater.closing()) {
                // close() may have run before these sessions were known.
                return;
            }
            problem = "the witness waits for the transactions that now write on the source";
            present.begin();
            problem = "";
            while (!repeater.closing() && wanted() != Wanted.NOTHING && !present.isOver()) {
                long began = System.nanoTime();
                present.forgetReloaded();
                if (wanted() == Wanted.CHANGES) {
                    present.keepWitness();
                } else {
                    present.forgetUnwitnessed();
                }
                boolean worked =
                        switch (wanted()) {
                            case PROOF -> !requests.stopped() && turned(present);
                            case CHANGES -> present.proof().recheckSome(present.sides());
                            default -> false;
                        };
                repeater.pause(pauseMillis(worked, System.nanoTime() - began));
            }
        } finally {
            round = null;
        }
    }

    /** So that the work takes its share of the time; in the window applications wait, so all of it. */
    private long pauseMillis(boolean worked, long workedNanos) {
        if (wanted() == Wanted.CHANGES) {
            return worked ? 0 : IDLE_IN_WINDOW_MILLIS;
        }
        if (!worked) {
            return IDLE_MILLIS;
        }
        int load = flow.migration().verify().load();
        return workedNanos / 1_000_000 * (100 - load) / load;
    }

    private boolean turned(ProofRound present) throws SQLException {
        present.witnessAdded();
        present.admitReloaded();
        Set<TableId> again = requests.takeAgain();
        if (!again.isEmpty()) {
            present.proof().again(again);
        }
        return present.proof().turn(present.sides());
    }

    /**
     * What the proof has compared in the window.
     *
     * @param tables each equal, or with what differs; every row of all other tables must be compared by other means
     * @param proven how many of these were not compared whole
     */
    public record Settled(List<TableResult> tables, int proven) {}

    /**
     * Within the window, after the drain: compares the rows of proven tables that changed last, and every row of other tables that take
     * little time. Both sides stand still. Uses the sessions of the proof, which know these tables, and ends these sessions if the window
     * ends before the comparison. Compares nothing if the witness cannot reach the fence in time.
     *
     * @throws RetryableException when the window has ended
     */
    public Settled settle(Lsn fence, Window window) throws SQLException, InterruptedException {
        window.begins("the witness to reach " + fence);
        ProofRound present = round;
        if (present == null
                || present.proof() == null
                || !present.reaches(fence, Duration.ofMillis(Math.max(0, window.leftMillis() / 2)))) {
            return new Settled(List.of(), 0);
        }
        present.forgetReloaded();
        AtomicBoolean comparing = new AtomicBoolean(true);
        window.atEnd(() -> {
            if (comparing.get()) {
                present.endSessions();
            }
        });
        try {
            return settle(present, fence, window);
        } finally {
            comparing.set(false);
        }
    }

    private Settled settle(ProofRound present, Lsn fence, Window window) throws SQLException {
        Proof proof = present.proof();
        BothSides sides = present.sides();
        window.begins("the plan of the comparison");
        window.check();
        Duration wholeWithin = flow.migration().verify().wholeWithin();
        ProofInWindow.Plan plan = proof.plan(sides, present.published(), wholeWithin, left(window));
        window.begins("the comparison of all rows of tables that take little time");
        List<TableResult> results = new ArrayList<>(proof.whole(sides, plan.must(), left(window)));
        // A table that is locked must not take the time of what has to be compared.
        Duration third = left(window).dividedBy(3);
        Duration most = wholeWithin.compareTo(third) < 0 ? wholeWithin : third;
        ProofInWindow.Chosen chosen = proof.choice(sides, plan.choice(), most);
        results.addAll(chosen.equal());
        window.begins("the comparison of the rows that changed last");
        Set<TableId> rest = new TreeSet<>(plan.rest());
        rest.addAll(chosen.left());
        results.addAll(proof.finish(sides, rest, fence, left(window)));
        return new Settled(results, rest.size());
    }

    private static Duration left(Window window) {
        return Duration.ofMillis(Math.max(1, window.leftMillis()));
    }

    @Override
    public void close() {
        thread.stop();
        // A statement may take a minute, and the slot may wait for a transaction of hours.
        BoundSessions opened = sessions;
        if (opened != null) {
            opened.close();
        }
        ProofRound present = round;
        if (present != null) {
            present.close();
        }
        thread.close();
    }
}
