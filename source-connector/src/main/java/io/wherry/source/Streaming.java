package io.wherry.source;

import io.wherry.contract.config.CaptureGroup;
import io.wherry.contract.error.DataException;
import io.wherry.contract.error.FencedException;
import io.wherry.contract.error.RetryableException;
import io.wherry.contract.error.WherryException;
import io.wherry.contract.kafka.Positions;
import io.wherry.contract.postgres.Timeline;
import io.wherry.contract.service.Backoff;
import io.wherry.source.control.ControlTopic;
import io.wherry.source.debezium.ChangeStream;
import io.wherry.source.publish.TopicGuard;
import io.wherry.source.server.SlotGuard;
import java.time.Duration;
import java.util.Optional;
import java.util.concurrent.atomic.AtomicReference;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/** Keeps the stream of changes running for one term: checks before each start, and starts the stream again after each failure. */
final class Streaming {
    private static final Logger LOG = LoggerFactory.getLogger(Streaming.class);
    /** Longer than one round of the engine can take, with a commit in Kafka and the wait for a COMMIT on the source. */
    private static final long SILENT_MILLIS = 240_000;

    /** Opens the stream, which fences any earlier publisher. */
    interface Opening {
        ChangeStream open(Timeline timeline, Duration transactionTimeout);
    }

    private final CaptureGroup group;
    private final Opening opening;
    private final Runnable requireLock;
    private final TermThreads threads;
    private final OperatorProblem problem;
    private final AtomicReference<ChangeStream> stream = new AtomicReference<>();
    /** Why the last start of the stream ended, if the next start may end for the same reason. */
    private volatile String hindrance;

    /** @param requireLock fails when another source-connector acts */
    Streaming(CaptureGroup group, Opening opening, Runnable requireLock, TermThreads threads, OperatorProblem problem) {
        this.group = group;
        this.opening = opening;
        this.requireLock = requireLock;
        this.threads = threads;
        this.problem = problem;
    }

    /**
     * Streams until the term ends, or until no further attempt can send a change.
     *
     * @param transactionTimeout longest time one source transaction may take to arrive
     */
    void run(Duration transactionTimeout) {
        Backoff backoff = new Backoff(threads::ending);
        while (!threads.ending()) {
            long began = System.nanoTime();
            try {
                TopicGuard.check(group);
                Optional<Timeline> timeline = slotServes();
                if (timeline.isPresent()) {
                    streamOnce(timeline.get(), transactionTimeout);
                }
            } catch (RetryableException | FencedException e) {
                if (threads.closing() || endsWithSwitch()) {
                    return;
                }
                if (e instanceof FencedException) {
                    // While this instance has the lock, no other has taken over: the broker aborted a transaction that
                    // took too long.
                    requireLock.run();
                    hindrance = e.explained();
                    LOG.warn("{}; this instance still has the lock, starting the stream again", e.explained());
                } else if (unsendable(e)) {
                    return;
                } else {
                    LOG.warn("{}; starting the stream again", e.explained());
                }
            }
            if (!threads.ending()) {
                backoff.pause(began);
            }
        }
    }

    /** Whether the stream failed because a cutover has switched to the target; the term ends then. */
    private boolean endsWithSwitch() {
        if (!threads.switched() && ControlTopic.hasSwitched(group.migration())) {
            threads.endBySwitch();
        }
        return threads.switched();
    }

    /**
     * Whether no further attempt can send the change. Then the problem is declared: each attempt would need a gigabyte of the server's
     * memory and fail at the same change.
     */
    private boolean unsendable(WherryException failure) {
        Optional<DataException> unsendable = UnsendableChange.explain(group, failure);
        unsendable.ifPresent(problem::declare);
        return unsendable.isPresent();
    }

    /** The source's timeline, if the stream can continue without a gap. A gap is declared: only an order of the operator helps. */
    private Optional<Timeline> slotServes() {
        try {
            Timeline timeline = SlotGuard.check(
                    group, ControlTopic.read(group.migration()), Positions.last(group), threads::closing);
            problem.clear();
            return Optional.of(timeline);
        } catch (DataException e) {
            problem.declare(e);
            return Optional.empty();
        }
    }

    private void streamOnce(Timeline timeline, Duration transactionTimeout) {
        try (ChangeStream started = opening.open(timeline, transactionTimeout)) {
            stream.set(started);
            ControlTopic.read(group.migration()).requireNoSwitch();
            if (!threads.closing()) {
                LOG.info("streaming from slot {}", group.slot());
                started.run();
            }
        } finally {
            stream.set(null);
        }
    }

    /** Why the stream may end again, in words; null = no reason is known. */
    String hindrance() {
        return hindrance;
    }

    /**
     * Checks that the engine reads its stream. An engine that loses its session at a bad moment may wait for itself forever, without
     * an error.
     *
     * @throws RetryableException when the engine no longer reads its stream
     */
    void requirePulse() {
        ChangeStream running = stream.get();
        if (running != null && running.hasCommitted()) {
            hindrance = null;
        }
        if (running != null && running.silentMillis() > SILENT_MILLIS) {
            throw new RetryableException(
                    "stream changes",
                    "",
                    "the engine has not read its stream for " + running.silentMillis() / 1000 + " s",
                    "Check that the source is reachable");
        }
    }

    /** Makes the running stream end, and does not wait for its end. */
    void stop() {
        ChangeStream running = stream.get();
        if (running != null) {
            running.stop();
        }
    }
}
