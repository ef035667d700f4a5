package io.wherry.coordinator.recheck;

import io.wherry.contract.name.TableId;
import io.wherry.contract.postgres.Lsn;
import io.wherry.coordinator.witness.Changes;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.HashMap;
import java.util.Iterator;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.TreeMap;

/**
 * The rows of the source that may differ from the target's, by key. The witness names them, the comparison takes them.
 *
 * <p>An entry is either <em>plain</em> (the witness named the key) or a <em>suspect</em> (a comparison found a difference, and the
 * witness has not named the key since). {@link Recheck} says what a comparison may conclude from either.
 *
 * <p>Memory is bounded. A table with too many keys collapses to one mark, <em>whole</em>: its keys are dropped, and its pass must
 * begin again. When all keys together take too many bytes, the table that takes most of these collapses.
 *
 * <p>Safe for use by several threads. {@link #take}, {@link #takeWhole}, {@link #suspect} and {@link #putBack} of one table belong
 * to one thread: an entry that one thread has taken is unknown to another.
 */
public final class DirtyKeys implements Changes {
    /** After every position that a server can report. */
    public static final Lsn LAST = new Lsn(-1);

    // Estimated by the layout of objects in Java 17, with compact strings: map entry, entry, list, and for each value a
    // string and its array.
    private static final int BYTES_OF_ENTRY = 128;
    private static final int BYTES_OF_VALUE = 48;

    private final long mostBytes;
    private final int mostKeysOfATable;
    private final Map<TableId, Marks> tables = new HashMap<>();
    private long bytes;

    /**
     * A key that a comparison has taken.
     *
     * @param lsn the target must have applied this position, and the witness must have named all changes up to it
     * @param suspect whether an earlier comparison found a difference, and the witness has not named the key since
     */
    public record Taken(List<String> key, Lsn lsn, boolean suspect) {}

    /**
     * What the set holds of a table, or of all.
     *
     * @param keys entries, suspects among them
     * @param whole tables that have collapsed
     * @param bytes estimate of the memory
     */
    public record Size(long keys, int whole, long bytes) {}

    private record Entry(Lsn lsn, boolean suspect) {}

    private static final class Marks {
        // In the order in which the entries came, the order of their LSNs as far as the witness named them.
        private final Map<List<String>, Entry> keys = new LinkedHashMap<>();
        // Of all entries that there ever were. It never goes back: a mark that is made again is not older than one that
        // was taken.
        private Lsn latest = Lsn.ZERO;
        private Lsn whole;
        private long bytes;
    }

    /**
     * @param mostBytes estimate of the memory that all keys together may take
     * @param mostKeysOfATable beyond this number a table collapses
     */
    public DirtyKeys(long mostBytes, int mostKeysOfATable) {
        this.mostBytes = mostBytes;
        this.mostKeysOfATable = mostKeysOfATable;
    }

    /**
     * The witness has seen a change of this key. A change of the key itself names both keys.
     *
     * @param key values of {@code CatalogTable.identity()} in its order, as the server's output functions write them under the
     *     settings that {@code Sessions} pins: a key that is read as another value is found on neither side, and would count as equal.
     *     Empty = as {@link #changedWhole}
     * @param lsn end of the change's transaction
     */
    @Override
    public synchronized void changed(TableId table, List<String> key, Lsn lsn) {
        if (key.isEmpty()) {
            changedWhole(table, lsn);
            return;
        }
        Marks marks = marks(table);
        if (marks.whole != null) {
            changedWhole(table, lsn);
            return;
        }
        Entry before = remove(marks, key);
        put(marks, List.copyOf(key), new Entry(before == null ? lsn : Lsn.max(before.lsn(), lsn), false));
    }

    /** The witness has seen a change that names no key: TRUNCATE, or one of a table without key. The table's keys are dropped. */
    @Override
    public synchronized void changedWhole(TableId table, Lsn lsn) {
        Marks marks = marks(table);
        marks.latest = Lsn.max(marks.latest, lsn);
        collapse(marks);
    }

    /** Makes the table whole if it has keys: for a table that is compared only as a whole. */
    public synchronized void collapse(TableId table) {
        Marks marks = tables.get(table);
        if (marks != null && !marks.keys.isEmpty()) {
            collapse(marks);
        }
    }

    /**
     * Removes and returns entries that may be compared now. The caller must compare each, or put it back.
     *
     * @param passed the target has applied everything up to here, and the witness has named everything up to here
     */
    public synchronized List<Taken> take(TableId table, Lsn passed, int most) {
        Marks marks = tables.get(table);
        List<Taken> taken = new ArrayList<>();
        if (marks != null) {
            Iterator<Map.Entry<List<String>, Entry>> entries =
                    marks.keys.entrySet().iterator();
            while (taken.size() < most && entries.hasNext()) {
                Map.Entry<List<String>, Entry> next = entries.next();
                // Those behind came later. A suspect's LSN may be larger than theirs, but they wait only until it has
                // passed.
                if (next.getValue().lsn().isAfter(passed)) {
                    break;
                }
                taken.add(new Taken(
                        next.getKey(), next.getValue().lsn(), next.getValue().suspect()));
                entries.remove();
                count(marks, next.getKey(), -1);
            }
        }
        return taken;
    }

    /**
     * Removes the mark that the table is whole: from now on its keys are kept again.
     *
     * @return LSN of the mark; empty when there is no mark, or when the mark's LSN has not passed
     */
    public synchronized Optional<Lsn> takeWhole(TableId table, Lsn passed) {
        Marks marks = tables.get(table);
        if (marks == null || marks.whole == null || marks.whole.isAfter(passed)) {
            return Optional.empty();
        }
        Lsn lsn = marks.whole;
        marks.whole = null;
        return Optional.of(lsn);
    }

    /**
     * A comparison has found a difference that may be a change in flight. If the witness has named the key meanwhile, its entry stays
     * plain.
     *
     * @param lsn position of the source's log that was read after both rows
     * @return false when the witness has named the key since it was last taken
     */
    public synchronized boolean suspect(TableId table, List<String> key, Lsn lsn) {
        Marks marks = marks(table);
        Entry known = marks.keys.get(key);
        if (marks.whole == null && known == null) {
            put(marks, List.copyOf(key), new Entry(lsn, true));
        }
        return known == null || known.suspect();
    }

    /** Gives back entries that were taken and could not be compared. */
    public synchronized void putBack(TableId table, List<Taken> taken) {
        Marks marks = marks(table);
        for (Taken back : taken) {
            if (marks.whole != null) {
                changedWhole(table, back.lsn());
            } else if (!marks.keys.containsKey(back.key())) {
                put(marks, back.key(), new Entry(back.lsn(), back.suspect()));
            }
        }
    }

    /** Whether an entry of the table is no later than this position. */
    public synchronized boolean holds(TableId table, Lsn upTo) {
        Marks marks = tables.get(table);
        // Not the first entry alone: one that was put back is behind later ones.
        return marks != null
                && marks.keys.values().stream().anyMatch(entry -> !entry.lsn().isAfter(upTo));
    }

    /** Whether the key waits for its comparison. */
    public synchronized boolean holds(TableId table, List<String> key) {
        Marks marks = tables.get(table);
        return marks != null && (marks.whole != null || marks.keys.containsKey(key));
    }

    /** Whether the table has collapsed, so that what was compared of it counts no more. */
    public synchronized boolean isWhole(TableId table) {
        Marks marks = tables.get(table);
        return marks != null && marks.whole != null;
    }

    /** What the set holds of the table. */
    public synchronized Size size(TableId table) {
        Marks marks = tables.get(table);
        return marks == null ? new Size(0, 0, 0) : size(marks);
    }

    /** What the set holds of each table that has an entry. */
    public synchronized Map<TableId, Size> sizes() {
        Map<TableId, Size> sizes = new TreeMap<>();
        tables.forEach((table, marks) -> {
            if (!marks.keys.isEmpty() || marks.whole != null) {
                sizes.put(table, size(marks));
            }
        });
        return sizes;
    }

    private static Size size(Marks marks) {
        return new Size(marks.keys.size(), marks.whole == null ? 0 : 1, marks.bytes);
    }

    private Marks marks(TableId table) {
        return tables.computeIfAbsent(table, id -> new Marks());
    }

    private void put(Marks marks, List<String> key, Entry entry) {
        marks.keys.put(key, entry);
        marks.latest = Lsn.max(marks.latest, entry.lsn());
        count(marks, key, 1);
        if (marks.keys.size() > mostKeysOfATable) {
            collapse(marks);
        }
        while (bytes > mostBytes) {
            collapse(tables.values().stream()
                    .max(Comparator.comparingLong(each -> each.bytes))
                    .orElseThrow());
        }
    }

    private Entry remove(Marks marks, List<String> key) {
        Entry entry = marks.keys.remove(key);
        if (entry != null) {
            count(marks, key, -1);
        }
        return entry;
    }

    private void count(Marks marks, List<String> key, int sign) {
        long size = BYTES_OF_ENTRY;
        for (String value : key) {
            size += BYTES_OF_VALUE + 2L * value.length();
        }
        marks.bytes += sign * size;
        bytes += sign * size;
    }

    /** The mark's LSN is at least that of each dropped key: the pass that begins again waits for all of these. */
    private void collapse(Marks marks) {
        bytes -= marks.bytes;
        marks.bytes = 0;
        marks.keys.clear();
        marks.whole = marks.whole == null ? marks.latest : Lsn.max(marks.whole, marks.latest);
    }
}
