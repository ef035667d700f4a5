package io.wherry.coordinator.thread;

import java.util.function.Consumer;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/** A thread that repeats a piece of work. After a failure the thread reports the failure, waits a second and starts again. */
public final class Repeater implements AutoCloseable {
    private static final Logger LOG = LoggerFactory.getLogger(Repeater.class);
    private static final long AFTER_FAILURE_MILLIS = 1_000;
    private static final long PATIENCE_MILLIS = 5_000;

    private final Thread thread;
    private volatile boolean closing;

    /** Works until {@link Repeater#closing} or failure, then returns or throws. */
    public interface Work {
        void run(Repeater repeater) throws Exception;
    }

    public Repeater(String name, Work work, Consumer<String> failed) {
        thread = Threads.named(name).newThread(() -> {
            while (!closing) {
                try {
                    work.run(this);
                } catch (InterruptedException e) {
                    return;
                } catch (Exception e) {
                    if (!closing) {
                        LOG.warn("{}: {}", name, e.toString());
                        LOG.debug("{} failed", name, e);
                        failed.accept(name + ": " + e.getMessage());
                        pauseQuietly();
                    }
                }
            }
        });
    }

    public void start() {
        thread.start();
    }

    public boolean closing() {
        return closing;
    }

    /** Waits; {@link #close} ends the wait early. */
    public synchronized void pause(long millis) throws InterruptedException {
        long deadline = System.nanoTime() + millis * 1_000_000;
        while (!closing) {
            long left = (deadline - System.nanoTime()) / 1_000_000;
            if (left <= 0) {
                return;
            }
            wait(left);
        }
    }

    private void pauseQuietly() {
        try {
            pause(AFTER_FAILURE_MILLIS);
        } catch (InterruptedException e) {
            closing = true;
        }
    }

    /** Asks the thread to end, without waiting. */
    public synchronized void stop() {
        closing = true;
        notifyAll();
    }

    @Override
    public void close() {
        stop();
        // Kafka's clients close badly when interrupted; only work that does not end by itself is interrupted.
        Threads.join(thread, PATIENCE_MILLIS);
        thread.interrupt();
        Threads.join(thread, 0);
    }
}
