package io.wherry.coordinator.witness;

import io.wherry.contract.config.Flow;
import io.wherry.contract.error.ConfigurationException;
import io.wherry.contract.error.WherryException;
import io.wherry.contract.name.TableId;
import io.wherry.contract.postgres.Lsn;
import io.wherry.coordinator.thread.MonotonicClock;
import io.wherry.coordinator.thread.Threads;
import java.time.Duration;
import java.util.List;
import java.util.Optional;
import java.util.Set;
import java.util.TreeSet;
import java.util.concurrent.atomic.AtomicReference;
import java.util.function.Consumer;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * The witness of a proof, and its successor. A server that streams may not notice that a table was added to the publication, so a table
 * that is added later needs a slot that is younger ({@link Witness#published}). Without a successor, the proof of all tables would begin
 * again with each table that is added.
 *
 * <p><b>No change is left out.</b> The successor names every transaction whose COMMIT starts at its L0 or later. It takes the place when
 * the present witness has named everything below L0, and has looked at the publication after that: so what happened to the publication
 * before the successor's first look is known by the present witness, and what happened later by the successor. Until then both name to the
 * same receiver, and a key that is named twice is compared twice.
 *
 * <p>Safe for use by several threads; one thread calls {@link #start}, {@link #renew} and {@link #succeed}.
 */
public final class Witnesses implements AutoCloseable {
    private static final Logger LOG = LoggerFactory.getLogger(Witnesses.class);
    private static final Duration TICK = Duration.ofMillis(500);
    private static final long AFTER_FAILURE_MILLIS = 30_000;

    private final Changes changes;
    private final AtomicReference<Lsn> reached = new AtomicReference<>(Lsn.ZERO);
    private final AtomicReference<Successor> next = new AtomicReference<>();
    private volatile Witness present;
    private volatile boolean refused;
    private volatile boolean closed;
    private volatile long notBefore;

    public Witnesses(Flow flow, Changes changes) {
        this.changes = changes;
        present = new Witness(flow, changes);
    }

    /** A witness that is to follow. Once it is given up, it names nothing more, whatever its thread still reads. */
    private final class Successor implements Changes {
        private final Witness witness = present.successor(this);
        private volatile boolean ready;
        private volatile boolean givenUp;

        @Override
        public void changed(TableId table, List<String> key, Lsn lsn) {
            if (!givenUp) {
                changes.changed(table, key, lsn);
            }
        }

        @Override
        public void changedWhole(TableId table, Lsn lsn) {
            if (!givenUp) {
                changes.changedWhole(table, lsn);
            }
        }

        private void begin() {
            String why = "its thread has failed";
            try {
                Lsn from = witness.start();
                while (!ready
                        && !givenUp
                        && problem().isEmpty()
                        && witness.problem().isEmpty()) {
                    ready = present.await(from, TICK);
                }
                why = witness.problem().orElse("");
            } catch (InterruptedException e) {
                why = "interrupted";
            } catch (ConfigurationException e) {
                why = e.explained();
                // Without a slot beside the present one, the proof must begin again.
                refused = !givenUp;
            } catch (WherryException e) {
                why = e.explained();
            } finally {
                if (!ready && next.compareAndSet(this, null)) {
                    LOG.info("A witness of the tables that were added could not begin; Wherry tries again: {}", why);
                    notBefore = MonotonicClock.millis() + AFTER_FAILURE_MILLIS;
                    witness.close();
                }
            }
        }
    }

    /** Starts the first witness, as {@link Witness#start}. */
    public Lsn start() {
        return present.start();
    }

    /** Starts a successor on a thread of its own, unless one is on its way or has failed a moment ago. */
    public void renew() {
        if (next.get() == null && !refused && !closed && MonotonicClock.millis() >= notBefore) {
            Successor successor = new Successor();
            next.set(successor);
            Threads.named("wherry-witness-next").newThread(successor::begin).start();
            if (closed) {
                giveUp();
            }
        }
    }

    /**
     * Gives up a successor that has not taken its place. In the window it would name once more what the present witness has named, and
     * the comparison would have to wait.
     */
    public void giveUp() {
        Successor successor = next.getAndSet(null);
        if (successor != null) {
            successor.givenUp = true;
            // The window does not wait for the end of its session.
            Threads.named("wherry-witness-end")
                    .newThread(successor.witness::close)
                    .start();
        }
    }

    /** Whether the source has no slot for a successor. */
    public boolean refused() {
        return refused;
    }

    /**
     * Puts the successor in its place, once it is ready.
     *
     * @param first is given the tables that were not in {@link #published} before and are from now on, or the other way round: not all of
     *     their changes were named. It runs before {@link #published} changes
     */
    public void succeed(Consumer<Set<TableId>> first) {
        Successor successor = next.get();
        if (successor == null || !successor.ready) {
            return;
        }
        if (successor.witness.problem().isPresent()) {
            notBefore = MonotonicClock.millis() + AFTER_FAILURE_MILLIS;
            giveUp();
            return;
        }
        if (!next.compareAndSet(successor, null)) {
            return;
        }
        Witness before = present;
        Set<TableId> published = successor.witness.published();
        Set<TableId> changed = new TreeSet<>(before.published());
        changed.removeIf(published::contains);
        published.stream().filter(table -> !before.published().contains(table)).forEach(changed::add);
        first.accept(changed);
        reached.accumulateAndGet(before.position(), Lsn::max);
        present = successor.witness;
        before.close();
        if (closed) {
            successor.witness.close();
        }
    }

    /** As {@link Witness#position}. */
    public Lsn position() {
        // Not that of the present witness alone: a successor may be behind its predecessor, by which others went.
        return reached.accumulateAndGet(present.position(), Lsn::max);
    }

    /** As {@link Witness#await}. */
    public boolean await(Lsn lsn, Duration timeout) throws InterruptedException {
        long deadline = System.nanoTime() + timeout.toNanos();
        while (true) {
            Witness now = present;
            long left = Math.max(0, deadline - System.nanoTime());
            boolean reaches = now.await(lsn, Duration.ofNanos(left));
            // Another one has taken its place meanwhile, and may be behind.
            if (now == present || closed) {
                return reaches;
            }
        }
    }

    /** As {@link Witness#problem}, of the present witness. */
    public Optional<String> problem() {
        return present.problem();
    }

    /** As {@link Witness#published}. */
    public Set<TableId> published() {
        return present.published();
    }

    /** As {@link Witness#joined}. */
    public Set<TableId> joined() {
        return present.joined();
    }

    @Override
    public void close() {
        closed = true;
        giveUp();
        present.close();
    }
}
