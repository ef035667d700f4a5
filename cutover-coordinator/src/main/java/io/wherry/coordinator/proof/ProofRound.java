package io.wherry.coordinator.proof;

import io.wherry.contract.config.Flow;
import io.wherry.contract.error.RetryableException;
import io.wherry.contract.name.TableId;
import io.wherry.contract.postgres.Lsn;
import io.wherry.contract.record.LoadPlan;
import io.wherry.coordinator.proof.Prover.Offer;
import io.wherry.coordinator.proof.Prover.Wanted;
import io.wherry.coordinator.recheck.DirtyKeys;
import io.wherry.coordinator.sql.BothSides;
import io.wherry.coordinator.sql.BoundSessions;
import io.wherry.coordinator.watch.Progress;
import io.wherry.coordinator.witness.Witnesses;
import java.time.Duration;
import java.util.HashSet;
import java.util.Map;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;
import java.util.function.Supplier;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/** One proof with its witness, and the sessions by which both sides are read. */
final class ProofRound implements AutoCloseable {
    private static final Logger LOG = LoggerFactory.getLogger(ProofRound.class);
    private static final long MOST_BYTES = 64L << 20;
    private static final int MOST_KEYS_OF_A_TABLE = 200_000;

    private final Flow flow;
    private final Progress progress;
    private final Supplier<Offer> offered;
    private final DirtyKeys dirty = new DirtyKeys(MOST_BYTES, MOST_KEYS_OF_A_TABLE);
    private final Witnesses witness;
    private final BoundSessions opened;
    private final BothSides sides;
    private final Map<TableId, Integer> epochs;
    private final Offer before;
    private volatile Proof proof;
    private volatile Lsn fence = Lsn.ZERO;

    ProofRound(Flow flow, Progress progress, Supplier<Offer> offered, BoundSessions opened, BothSides sides) {
        this.flow = flow;
        this.progress = progress;
        this.offered = offered;
        this.opened = opened;
        this.sides = sides;
        this.witness = new Witnesses(flow, dirty);
        this.epochs = new ConcurrentHashMap<>(progress.wanted());
        this.before = offered.get();
    }

    /** Waits for the transactions that have written and still run. */
    void begin() {
        Lsn from = witness.start();
        proof = new Proof(flow, dirty, this::passed, from, witness.published());
    }

    /**
     * Everything up to here is on the target, and named. Only a heartbeat that has arrived since the round began counts.
     * Counterexample: a target that has lost its last commits still has the position that it had reached before.
     */
    private Lsn passed() {
        Lsn applied = offered.get().applied();
        Lsn onTarget = applied.isAfter(before.applied()) ? Lsn.max(applied, fence) : fence;
        Lsn named = witness.position();
        return onTarget.isAfter(named) ? named : onTarget;
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
        Offer now = offered.get();
        if (now.lost() != null && !now.lost().equals(before.lost())) {
            LOG.warn("The proof begins again: the target has lost commits ({})", now.lost());
            return true;
        }
        if (now.wanted() == Wanted.PROOF && witness.refused()) {
            LOG.warn("The proof begins again: tables were added, and the source has no slot for a second witness");
            return true;
        }
        return false;
    }

    /**
     * Outside the window: a successor of the witness takes its place, and tables of which not all changes are named count as not proven.
     * Otherwise a table that has left the publication, or was created again, would be called proven after its next pass.
     */
    void forgetUnwitnessed() {
        witness.succeed(changed -> changed.forEach(this::forget));
        Set<TableId> published = witness.published();
        proof.witnessed().stream().filter(table -> !published.contains(table)).forEach(this::forget);
    }

    private void forget(TableId table) {
        proof.forget(table);
        epochs.remove(table);
    }

    /** In the window: only the present witness names changes. */
    void keepWitness() {
        witness.giveUp();
    }

    /** A table that was added to the publication needs a successor of the witness. The proof of all other tables goes on. */
    void witnessAdded() {
        Set<TableId> joined = new HashSet<>(witness.joined());
        joined.retainAll(progress.wanted().keySet());
        if (!joined.isEmpty()) {
            witness.renew();
        }
    }

    /** A table that was loaded again holds other rows on the target than those that were compared. */
    void forgetReloaded() {
        Map<TableId, Integer> now = progress.wanted();
        epochs.forEach((table, epoch) -> {
            if (!epoch.equals(now.get(table))) {
                proof.forget(table);
            }
            if (!now.containsKey(table)) {
                // Otherwise it would be forgotten at each turn, and the catalogs read again for that.
                epochs.remove(table);
            }
        });
    }

    /**
     * Tables that were forgotten, and are loaded by now, may be compared again. Counterexample without a look at the load that the
     * coordinator has seen complete: an order to load a table again has just been given, and the rows of the load before are compared for
     * the load that comes.
     */
    void admitReloaded() {
        Lsn from = witness.position();
        Offer now = offered.get();
        if (now.wanted() != Wanted.PROOF) {
            return;
        }
        Map<TableId, LoadPlan.Table> plans = progress.tables();
        progress.wanted().forEach((table, epoch) -> {
            if (epoch.equals(now.loads().get(table))
                    && !epoch.equals(epochs.put(table, epoch))
                    && witness.published().contains(table)) {
                LoadPlan.Table plan = plans.get(table);
                proof.admit(table, from, plan == null ? 0 : plan.oid());
            }
        });
    }

    @Override
    public void close() {
        witness.close();
    }

    /** The proof; null until the witness has begun. */
    Proof proof() {
        return proof;
    }

    BothSides sides() {
        return sides;
    }

    /** Ends the sessions, whatever these do; the proof then begins again. */
    void endSessions() {
        opened.close();
    }

    /**
     * In the window, after the drain: both sides are equal up to the fence.
     *
     * @return false if the witness does not reach the fence in this time
     */
    boolean reaches(Lsn fenced, Duration within) throws InterruptedException {
        keepWitness();
        if (!witness.await(fenced, within)) {
            return false;
        }
        fence = fenced;
        return true;
    }

    /** Tables whose changes the witness names. */
    Set<TableId> published() {
        return witness.published();
    }
}
