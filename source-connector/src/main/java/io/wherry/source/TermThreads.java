package io.wherry.source;

import io.wherry.contract.error.StuckException;
import io.wherry.contract.error.WherryException;
import io.wherry.contract.kafka.KafkaFailures;
import io.wherry.contract.service.Ends;
import io.wherry.contract.service.Interruption;
import java.util.List;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.concurrent.atomic.AtomicReference;

/**
 * The threads of one term, and whether the term continues: until the first thread fails, a cutover has switched to the target, or the
 * term is closed. Safe for use by several threads.
 */
final class TermThreads {
    private static final long TICK_MILLIS = 1000;

    private final AtomicReference<WherryException> failure = new AtomicReference<>();
    private final List<Thread> threads = new CopyOnWriteArrayList<>();
    private volatile boolean closing;
    private volatile boolean switched;

    /** Starts a thread whose failure ends the term; does nothing once the term is being closed. */
    synchronized void start(String name, Runnable work) {
        if (closing) {
            return;
        }
        Thread thread = new Thread(
                () -> {
                    try {
                        work.run();
                    } catch (RuntimeException e) {
                        fail(KafkaFailures.explain(name, e));
                    }
                },
                "wherry-source-" + name);
        threads.add(thread);
        thread.start();
    }

    boolean closing() {
        return closing;
    }

    /** Whether a cutover has switched to the target: nothing more is captured. */
    boolean switched() {
        return switched;
    }

    /** Whether the term is being closed, or a cutover has switched to the target. */
    boolean ending() {
        return closing || switched;
    }

    /** Ends the term: a cutover has switched to the target. */
    synchronized void endBySwitch() {
        switched = true;
        notifyAll();
    }

    private synchronized void fail(WherryException e) {
        failure.compareAndSet(null, e);
        notifyAll();
    }

    /**
     * Waits a second, or less when the term ends meanwhile.
     *
     * @throws WherryException the first failure of a thread, unless the term is already ending
     */
    void tick() {
        waitForTick();
        if (failure.get() != null && !ending()) {
            throw failure.get();
        }
    }

    private synchronized void waitForTick() {
        try {
            if (!ending() && failure.get() == null) {
                wait(TICK_MILLIS);
            }
        } catch (InterruptedException e) {
            throw Interruption.during("act", e);
        }
    }

    /** From now on no thread starts, and {@link #closing} is true for all threads. */
    synchronized void close() {
        closing = true;
        notifyAll();
    }

    /**
     * Waits until every thread has ended.
     *
     * @throws StuckException when a thread does not end
     */
    void await() {
        Ends.await("source-connector", threads, Ends.LIMIT);
    }
}
