package io.wherry.source.load;

/**
 * Bounds the bytes of load blocks that were handed to Kafka and not yet acknowledged, over all readers. Safe for use by
 * several threads.
 */
public final class BlockBudget {
    private final long limit;
    private long held;
    private long peak;

    /** @param limit bytes */
    public BlockBudget(long limit) {
        this.limit = limit;
    }

    /** Waits until {@code bytes} more are within the limit. */
    synchronized void take(int bytes) throws InterruptedException {
        while (held + bytes > limit) {
            wait();
        }
        held += bytes;
        peak = Math.max(peak, held);
    }

    synchronized void giveBack(int bytes) {
        held -= bytes;
        notifyAll();
    }

    /** Most bytes held at once. */
    public synchronized long peak() {
        return peak;
    }
}
