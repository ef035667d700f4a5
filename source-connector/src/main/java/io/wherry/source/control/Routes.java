package io.wherry.source.control;

import io.wherry.contract.name.TableId;
import io.wherry.contract.record.SourceStatus.FailedLoad;
import java.util.Collections;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;

/**
 * Where changes go: the topic of each table by name, and the table of the source, by its oid, to which the topic belongs. A name may
 * move to another table (rename, swap, drop and create). The loaded rows are still those of the oid, and so the topic gets the
 * changes of the oid. Counterexample with names alone: {@code blue} and {@code green} swap names; the changes of each table are
 * applied to the rows of the other, without an error. Safe for use by several threads.
 *
 * <p>An oid is bound before the snapshot of its load is taken, so that no change after the snapshot is left out. The oid keeps its
 * topic until its load is void.
 */
public final class Routes {
    private final Map<TableId, Route> byName = new ConcurrentHashMap<>();
    private final Map<TableId, String> replaced = new ConcurrentHashMap<>();
    private volatile Map<Integer, Bound> bound = Map.of();
    private volatile Map<TableId, Identity> identities = Map.of();
    /** Rises after each change, so a reader that has read a number finds at least the routes of that number. */
    private volatile int changed;

    /** A table of the source, independent of its name. */
    public record Identity(long oid, ColumnNumbers columns) {
        public Identity {
            columns = columns == null ? ColumnNumbers.NONE : columns;
        }
    }

    private record Bound(Route route, Identity identity) {}

    /** Makes a topic known. No change goes there before a table is bound to the topic. */
    public synchronized void put(Route route) {
        byName.put(route.id(), route);
        changed++;
    }

    /** How often the routes have changed; not negative. While the number is the same, {@link #of} answers the same. */
    public int changed() {
        return changed;
    }

    public boolean knows(TableId table) {
        return byName.containsKey(table);
    }

    /** All names with a topic. Other threads may add names to this view. */
    public Set<TableId> tables() {
        return Collections.unmodifiableSet(byName.keySet());
    }

    public List<String> topics() {
        return byName.values().stream().map(Route::topic).toList();
    }

    /** The route by name; null = unknown. */
    public Route of(TableId table) {
        return byName.get(table);
    }

    /** The route of the table with that oid; null = its changes are not wanted, or not yet. */
    public Route of(int oid) {
        Bound found = bound.get(oid);
        return found == null ? null : found.route();
    }

    /** The columns that the table had when it was bound; none = the table is not bound. */
    public ColumnNumbers columns(int oid) {
        Bound found = bound.get(oid);
        return found == null ? ColumnNumbers.NONE : found.identity().columns();
    }

    /** The table that is bound to the name; null = none. */
    public Identity identity(TableId table) {
        return identities.get(table);
    }

    /** The tables that are bound, by name. */
    public Map<TableId, Identity> identities() {
        return identities;
    }

    /**
     * Binds tables to the topics of their names.
     *
     * @return names whose table is now bound to another name: what was loaded under them is void
     */
    public synchronized Set<TableId> bind(Map<TableId, Identity> tables) {
        Map<Integer, Bound> now = new HashMap<>(bound);
        now.values().removeIf(one -> tables.containsKey(one.route().id()));
        Set<TableId> losers = new HashSet<>();
        tables.forEach((table, identity) -> {
            Route route = byName.get(table);
            Bound before = route == null ? null : now.put((int) identity.oid(), new Bound(route, identity));
            if (before != null) {
                losers.add(before.route().id());
            }
        });
        take(now);
        return losers;
    }

    /** Whether the name is bound to that table with these columns. Columns that were added since are recorded. */
    public synchronized boolean hold(TableId table, Identity identity) {
        Identity before = identity(table);
        boolean same = before != null
                && before.oid() == identity.oid()
                && before.columns().contradiction(identity.columns()).isEmpty();
        if (same && !before.equals(identity)) {
            bind(Map.of(table, identity));
        }
        return same;
    }

    /** From now on the table's changes are left out, because they do not belong to the loaded rows. */
    public synchronized void unbind(int oid, String reason) {
        Map<Integer, Bound> now = new HashMap<>(bound);
        Bound before = now.remove(oid);
        take(now);
        if (before != null) {
            replaced(before.route().id(), reason);
        }
    }

    private void take(Map<Integer, Bound> now) {
        Map<TableId, Identity> names = new HashMap<>();
        now.values().forEach(one -> names.put(one.route().id(), one.identity()));
        bound = Map.copyOf(now);
        identities = Map.copyOf(names);
        changed++;
    }

    /** What was loaded under the name is void. The reason is reported until a re-load is planned. */
    public void replaced(TableId table, String reason) {
        replaced.put(table, reason);
    }

    /** A load plan names the tables, so they are being re-loaded. */
    public void planned(List<TableId> tables) {
        replaced.keySet().removeAll(tables);
    }

    /** Names whose load is void, and whose re-load is not planned yet. */
    public List<FailedLoad> replaced() {
        return replaced.entrySet().stream()
                .map(entry -> new FailedLoad(entry.getKey(), entry.getValue()))
                .toList();
    }
}
