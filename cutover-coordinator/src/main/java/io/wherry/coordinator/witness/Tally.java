package io.wherry.coordinator.witness;

import io.wherry.contract.name.TableId;
import java.util.Map;
import java.util.TreeMap;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.atomic.AtomicLongArray;

/** Counts per table and kind. One thread counts, any thread reads. */
final class Tally {
    private static final int INSERTS = 0;
    private static final int UPDATES = 1;
    private static final int DELETES = 2;
    private static final int TRUNCATES = 3;
    private static final int KINDS = 4;

    private final Map<TableId, AtomicLongArray> counts = new ConcurrentHashMap<>();

    void inserted(TableId table) {
        count(table, INSERTS);
    }

    void updated(TableId table) {
        count(table, UPDATES);
    }

    void deleted(TableId table) {
        count(table, DELETES);
    }

    void truncated(TableId table) {
        count(table, TRUNCATES);
    }

    Map<TableId, Counts> read() {
        Map<TableId, Counts> read = new TreeMap<>();
        counts.forEach((table, kinds) -> read.put(
                table, new Counts(kinds.get(INSERTS), kinds.get(UPDATES), kinds.get(DELETES), kinds.get(TRUNCATES))));
        return read;
    }

    private void count(TableId table, int kind) {
        counts.computeIfAbsent(table, key -> new AtomicLongArray(KINDS)).incrementAndGet(kind);
    }
}
