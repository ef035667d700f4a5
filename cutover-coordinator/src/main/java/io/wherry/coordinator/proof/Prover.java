package io.wherry.coordinator.proof;

import io.wherry.contract.config.Flow;
import io.wherry.contract.error.RetryableException;
import io.wherry.contract.error.WherryException;
import io.wherry.contract.name.TableId;
import io.wherry.contract.postgres.Lsn;
import io.wherry.coordinator.row.DataComparison.TableResult;
import io.wherry.coordinator.sql.BoundSessions;
import io.wherry.coordinator.sql.Window;
import io.wherry.coordinator.thread.Repeater;
import io.wherry.coordinator.watch.Progress;
import io.wherry.coordinator.witness.Witness;
import java.sql.Connection;
import java.sql.SQLException;
import java.time.Duration;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;
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
    private static final long AFTER_FAILURE_MILLIS = 30_000;
    private static final long MOST_BYTES = 64L << 20;
    private static final int MOST_KEYS_OF_A_TABLE = 200_000;

    /** What the coordinator wants now. */
    public enum Wanted {
        /** No proof: the rows are not loaded yet, or the target serves. */
        NOTHING,
        /** Nothing new is read from the sides; the witness continues. */
        WITNESS,
        /** Passes and rechecks. */
        PROOF
    }

    private final Flow flow;
    private final Progress progress;
    private final Repeater thread;
    private final Requests requests = new Requests();
    private volatile Wanted wanted = Wanted.NOTHING;
    private volatile Lsn applied = Lsn.ZERO;
    private volatile String lost;
    private volatile Round round;
    private volatile BoundSessions sessions;
    private volatile String problem = "";

    /** One proof with its witness. */
    private final class Round implements AutoCloseable {
        private final DirtyKeys dirty = new DirtyKeys(MOST_BYTES, MOST_KEYS_OF_A_TABLE);
        private final Witness witness = new Witness(flow, dirty);
        private final Map<TableId, Integer> epochs = new ConcurrentHashMap<>(progress.wanted());
        private final String lostBefore = lost;
        private final Lsn appliedBefore = applied;
        private Set<TableId> missing;
        private volatile Proof proof;
        private volatile Lsn fence = Lsn.ZERO;

        /** Waits for the transactions that have written and still run. */
        void begin() {
            Lsn from = witness.start();
            missing = missing();
            proof = new Proof(flow, dirty, this::passed, from, witness.published());
        }

        /**
         * Everything up to here is on the target, and named. Only a heartbeat that has arrived since the round began counts.
         * Counterexample: a target that has lost its last commits still has the position that it had reached before.
         */
        private Lsn passed() {
            Lsn onTarget = applied.isAfter(appliedBefore) ? Lsn.max(applied, fence) : fence;
            Lsn named = witness.position();
            return onTarget.isAfter(named) ? named : onTarget;
        }

        private Set<TableId> missing() {
            Set<TableId> tables = new HashSet<>(progress.wanted().keySet());
            tables.removeIf(table -> !flow.migration().tables().follows(table));
            tables.removeAll(witness.published());
            return tables;
        }

        /**
         * Whether another round must begin. Counterexample without the loss: the target was proven and then lost commits; what is
         * applied again is not named again.
         *
         * @throws RetryableException when the witness has ended
         */
        boolean isOver() {
            witness.problem().ifPresent(failure -> {
                throw new RetryableException("read", "the witness' slot", failure, "");
            });
            if (lost != null && !lost.equals(lostBefore)) {
                LOG.warn("The proof begins again: the target has lost commits ({})", lost);
                return true;
            }
            // A table that was missing from the beginning would be missing again.
            return wanted == Wanted.PROOF && !missing.containsAll(missing());
        }

        /** A table that was loaded again holds other rows on the target than those that were compared. */
        void forgetReloaded() {
            Map<TableId, Integer> now = progress.wanted();
            epochs.forEach((table, epoch) -> {
                if (!epoch.equals(now.get(table))) {
                    proof.forget(table);
                }
            });
        }

        /** All tables are loaded: those that were forgotten may be compared again. */
        void admitReloaded() {
            Lsn from = witness.position();
            progress.wanted().forEach((table, epoch) -> {
                if (!epoch.equals(epochs.put(table, epoch))
                        && witness.published().contains(table)) {
                    proof.admit(table, from);
                }
            });
        }

        @Override
        public void close() {
            witness.close();
        }
    }

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
     */
    public void offer(Wanted now, Lsn appliedUpTo, String targetLost) {
        wanted = now;
        applied = appliedUpTo;
        lost = targetLost;
    }

    /** What the operator wants. */
    public Requests requests() {
        return requests;
    }

    /** What the coordinator wants. */
    Wanted wanted() {
        return wanted;
    }

    /** How far the proof is; empty while there is none. */
    public Optional<ProofStatus> status() {
        return Optional.ofNullable(round).map(present -> present.proof).map(Proof::status);
    }

    /** Why there is no proof, or not yet; empty = there is one. */
    public String problem() {
        return problem;
    }

    private void work(Repeater repeater) throws InterruptedException {
        if (wanted != Wanted.PROOF) {
            repeater.pause(IDLE_MILLIS);
            return;
        }
        try {
            prove(repeater);
        } catch (SQLException | WherryException e) {
            problem = String.valueOf(e.getMessage());
            if (!repeater.closing() && wanted != Wanted.NOTHING) {
                LOG.warn("The proof begins again: {}", problem);
                repeater.pause(AFTER_FAILURE_MILLIS);
            }
        }
    }

    private void prove(Repeater repeater) throws SQLException, InterruptedException {
        try (BoundSessions opened = new BoundSessions(flow);
                Connection source = opened.open(flow.from(), "proof");
                Connection target = opened.open(flow.to(), "proof");
                Round present = new Round()) {
            sessions = opened;
            round = present;
            if (repeater.closing()) {
                // close() may have run before these sessions were known.
                return;
            }
            problem = "the witness waits for the transactions that now write on the source";
            present.begin();
            problem = "";
            while (!repeater.closing() && wanted != Wanted.NOTHING && !present.isOver()) {
                long began = System.nanoTime();
                present.forgetReloaded();
                boolean worked = wanted == Wanted.PROOF && !requests.stopped() && turned(present, source, target);
                repeater.pause(worked ? pauseMillis(System.nanoTime() - began) : IDLE_MILLIS);
            }
        } finally {
            round = null;
        }
    }

    /** So that the work takes its share of the time. */
    private long pauseMillis(long workedNanos) {
        int load = flow.migration().verify().load();
        return workedNanos / 1_000_000 * (100 - load) / load;
    }

    private boolean turned(Round present, Connection source, Connection target) throws SQLException {
        present.admitReloaded();
        Set<TableId> again = requests.takeAgain();
        if (!again.isEmpty()) {
            present.proof.again(again);
        }
        return present.proof.turn(source, target);
    }

    /**
     * Within the window, after the drain: the tables that need no whole comparison, because {@link #finish} compares what is left
     * of them. Empty if the witness cannot reach the fence in time. Without those that can be compared whole in {@code
     * verify.whole-within}.
     */
    public Set<TableId> proven(Lsn fence, Window window) throws InterruptedException {
        Round present = round;
        if (present == null
                || present.proof == null
                || !present.witness.await(fence, Duration.ofMillis(Math.max(0, window.leftMillis() / 2)))) {
            return Set.of();
        }
        present.fence = fence;
        present.forgetReloaded();
        Set<TableId> proven = present.proof.proven();
        proven.retainAll(present.witness.published());
        proven.removeAll(present.proof.fastest(proven, flow.migration().verify().wholeWithin()));
        return proven;
    }

    /**
     * Compares the rows of these tables that changed last. Both sides stand still.
     *
     * @throws RetryableException when the proof has ended since {@link #proven}
     */
    public List<TableResult> finish(BoundSessions bound, Lsn fence, Set<TableId> tables) throws SQLException {
        if (tables.isEmpty()) {
            return List.of();
        }
        Round present = round;
        if (present == null) {
            throw new RetryableException("compare", "", "the proof has begun again", "Cut over again");
        }
        try (Connection source = bound.open(flow.from(), "compare");
                Connection target = bound.open(flow.to(), "compare")) {
            return present.proof.finish(source, target, tables, fence);
        }
    }

    @Override
    public void close() {
        thread.stop();
        // A statement may take a minute, and the slot may wait for a transaction of hours.
        BoundSessions opened = sessions;
        if (opened != null) {
            opened.close();
        }
        Round present = round;
        if (present != null) {
            present.close();
        }
        thread.close();
    }
}
