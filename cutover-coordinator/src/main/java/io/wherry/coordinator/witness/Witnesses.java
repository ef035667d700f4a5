package io.wherry.coordinator.witness;

import io.wherry.contract.config.Flow;
import io.wherry.contract.error.ConfigurationException;
import io.wherry.contract.error.WherryException;
import io.wherry.contract.name.TableId;
import io.wherry.contract.postgres.Lsn;
import io.wherry.coordinator.thread.MonotonicClock;
import io.wherry.coordinator.thread.Threads;
import java.time.Duration;
import java.util.Optional;
import java.util.Set;
import java.util.TreeSet;
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

    /** @param reached by its predecessors */
    private record Present(Witness witness, Lsn reached) {}

    private volatile Present present;
    /** The witness that is to follow; null = none. */
    private volatile Witness next;

    private volatile boolean ready;
    private volatile boolean refused;
    private volatile boolean closed;
    private volatile long notBefore;

    public Witnesses(Flow flow, Changes changes) {
        present = new Present(new Witness(flow, changes), Lsn.ZERO);
    }

    /** Starts the first witness, as {@link Witness#start}. */
    public Lsn start() {
        return present.witness().start();
    }

    /** Starts a successor on a thread of its own, unless one is on its way or has failed a moment ago. */
    public void renew() {
        if (next == null && !refused && MonotonicClock.millis() >= notBefore) {
            Witness successor = present.witness().successor();
            next = successor;
            ready = false;
            Threads.named("wherry-witness-next")
                    .newThread(() -> begin(successor))
                    .start();
            if (closed) {
                successor.close();
            }
        }
    }

    private void begin(Witness successor) {
        String why = "";
        try {
            Lsn from = successor.start();
            while (!ready
                    && !closed
                    && problem().isEmpty()
                    && successor.problem().isEmpty()) {
                ready = present.witness().await(from, TICK);
            }
            why = successor.problem().orElse("");
        } catch (InterruptedException e) {
            why = "interrupted";
        } catch (ConfigurationException e) {
            // Without a slot beside the present one, the proof must begin again.
            refused = true;
            why = e.explained();
        } catch (WherryException e) {
            why = e.explained();
        } catch (RuntimeException e) {
            why = String.valueOf(e.getMessage());
        }
        if (!ready) {
            LOG.info("No witness of the tables that were added could begin; Wherry tries again: {}", why);
            notBefore = MonotonicClock.millis() + AFTER_FAILURE_MILLIS;
            successor.close();
            next = null;
        }
    }

    /** Whether the source has no slot for a successor. */
    public boolean refused() {
        return refused;
    }

    /**
     * Puts the successor in its place, once it is ready.
     *
     * @return tables that were not in {@link #published} before and are now, or the other way round: not all of their changes were named;
     *     empty when no successor is ready
     */
    public Optional<Set<TableId>> succeed() {
        Witness successor = next;
        if (successor == null || !ready) {
            return Optional.empty();
        }
        if (successor.problem().isPresent()) {
            successor.close();
            next = null;
            return Optional.empty();
        }
        Present before = present;
        Set<TableId> all = successor.published();
        Set<TableId> changed = new TreeSet<>(before.witness().published());
        changed.removeIf(all::contains);
        all.stream()
                .filter(table -> !before.witness().published().contains(table))
                .forEach(changed::add);
        present = new Present(
                successor, Lsn.max(before.reached(), before.witness().position()));
        before.witness().close();
        next = null;
        return Optional.of(changed);
    }

    /** As {@link Witness#position}. */
    public Lsn position() {
        Present now = present;
        return Lsn.max(now.reached(), now.witness().position());
    }

    /** As {@link Witness#await}. */
    public boolean await(Lsn lsn, Duration timeout) throws InterruptedException {
        long deadline = System.nanoTime() + timeout.toNanos();
        while (true) {
            Present now = present;
            long left = Math.max(0, deadline - System.nanoTime());
            if (now.witness().await(lsn, Duration.ofNanos(left))) {
                return true;
            }
            if (now == present || closed) {
                return false;
            }
        }
    }

    /** As {@link Witness#problem}, of the present witness. */
    public Optional<String> problem() {
        return present.witness().problem();
    }

    /** As {@link Witness#published}. */
    public Set<TableId> published() {
        return present.witness().published();
    }

    /** As {@link Witness#joined}. */
    public Set<TableId> joined() {
        return present.witness().joined();
    }

    @Override
    public void close() {
        closed = true;
        Witness successor = next;
        if (successor != null) {
            successor.close();
        }
        present.witness().close();
    }
}
