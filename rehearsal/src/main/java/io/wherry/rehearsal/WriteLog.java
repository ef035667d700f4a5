package io.wherry.rehearsal;

import java.util.ArrayList;
import java.util.List;
import java.util.function.LongConsumer;

/**
 * The server's answers to the writers: the number of every acknowledged transaction, and when. Safe for use by several threads.
 */
public final class WriteLog {
    private final List<Acknowledged> acknowledged = new ArrayList<>();
    private final LongConsumer kept;
    private long refused;
    private long inDoubt;

    public WriteLog() {
        this(id -> {});
    }

    /** @param kept receives the number of each acknowledged transaction, one after another */
    public WriteLog(LongConsumer kept) {
        this.kept = kept;
    }

    /**
     * @param id of the ledger row that the transaction wrote
     * @param nanos by {@link System#nanoTime()}
     */
    private record Acknowledged(long id, long nanos) {}

    synchronized void acknowledged(long id) {
        acknowledged.add(new Acknowledged(id, System.nanoTime()));
        kept.accept(id);
    }

    /** A constraint refused the write, so nothing was written. */
    synchronized void refused() {
        refused++;
    }

    /** The connection broke before the answer came: the writer does not know whether the transaction was committed. */
    synchronized void inDoubt() {
        inDoubt++;
    }

    synchronized List<Long> ids() {
        return acknowledged.stream().map(Acknowledged::id).toList();
    }

    public synchronized long count() {
        return acknowledged.size();
    }

    public synchronized long refusedCount() {
        return refused;
    }

    public synchronized long inDoubtCount() {
        return inDoubt;
    }

    /** Longest time between two consecutive acknowledgements, if the later one came after {@code fromNanos}, in ms. */
    public synchronized long longestGapMillis(long fromNanos) {
        long longest = 0;
        for (int i = 1; i < acknowledged.size(); i++) {
            if (acknowledged.get(i).nanos() >= fromNanos) {
                longest = Math.max(
                        longest,
                        acknowledged.get(i).nanos() - acknowledged.get(i - 1).nanos());
            }
        }
        return longest / 1_000_000;
    }
}
