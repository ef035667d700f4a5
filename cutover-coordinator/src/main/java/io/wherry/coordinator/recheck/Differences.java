package io.wherry.coordinator.recheck;

import io.wherry.contract.name.TableId;
import io.wherry.contract.postgres.Lsn;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeMap;
import java.util.TreeSet;
import java.util.stream.Stream;

/**
 * The differences that stand: each stays until a later comparison of the same key finds both sides equal, or until the row has
 * changed. Memory is bounded. Safe
 * for use by several threads.
 */
public final class Differences {
    /** Beyond this number a table has no further use for names. */
    public static final int MOST_OF_A_TABLE = 1_000;

    private final Map<TableId, Map<List<String>, Difference>> tables = new TreeMap<>();
    /** Rows that differed and have changed since, and were not compared again. */
    private final Map<TableId, Map<List<String>, Difference>> changed = new TreeMap<>();

    private final Set<TableId> wide = new TreeSet<>();

    /** @return false when the table has no room for one more; then the table differs widely */
    public synchronized boolean record(Difference difference) {
        Map<List<String>, Difference> known =
                tables.computeIfAbsent(difference.table(), table -> new LinkedHashMap<>());
        boolean room = known.size() < MOST_OF_A_TABLE || known.containsKey(difference.key());
        if (room) {
            known.put(difference.key(), difference);
            remove(changed, difference.table(), difference.key());
        } else {
            wide.add(difference.table());
        }
        return room;
    }

    /** Whether a difference found no room since this was last asked. */
    public synchronized boolean takeWide(TableId table) {
        return wide.remove(table);
    }

    /** Whether a difference of this key stands. */
    public synchronized boolean stands(TableId table, List<String> key) {
        return tables.getOrDefault(table, Map.of()).containsKey(key);
    }

    /** The difference of this key stands no longer. */
    public synchronized void forget(TableId table, List<String> key) {
        remove(tables, table, key);
        remove(changed, table, key);
    }

    private static Difference remove(
            Map<TableId, Map<List<String>, Difference>> from, TableId table, List<String> key) {
        Map<List<String>, Difference> known = from.get(table);
        return known == null ? null : known.remove(key);
    }

    /** The row has changed: the difference stands no longer, and the row may differ still. */
    private synchronized void unsettle(TableId table, List<String> key) {
        Difference found = remove(tables, table, key);
        Map<List<String>, Difference> of = changed.computeIfAbsent(table, id -> new LinkedHashMap<>());
        if (found != null && of.size() < MOST_OF_A_TABLE) {
            of.put(key, found);
        }
    }

    /**
     * The differences that stand, and rows that differed and have changed since. Such a row need not be equal: an update does not write a
     * large value that it leaves alone.
     */
    public synchronized List<Difference> suspected() {
        return Stream.concat(tables.values().stream(), changed.values().stream())
                .flatMap(of -> of.values().stream())
                .toList();
    }

    /**
     * Has every row that differs compared again.
     *
     * @param now position of the source's log
     */
    public void askAgain(DirtyKeys dirty, Lsn now) {
        for (Difference found : all()) {
            // What was found of a row that has changed since was of earlier values. Counterexample: the window finds
            // that a
            // counter differs, and the counter is repaired. While the application counts, its key is never old enough
            // to
            // be compared, and each cutover would be refused.
            if (!found.key().isEmpty() && !dirty.suspect(found.table(), found.key(), now)) {
                unsettle(found.table(), found.key());
            }
        }
    }

    /** No difference of the table stands any longer. */
    public synchronized void forget(TableId table) {
        tables.remove(table);
        changed.remove(table);
    }

    /** The differences of one table. */
    public synchronized List<Difference> of(TableId table) {
        return List.copyOf(tables.getOrDefault(table, Map.of()).values());
    }

    /** All differences, by table. */
    public synchronized List<Difference> all() {
        return tables.values().stream().flatMap(of -> of.values().stream()).toList();
    }
}
