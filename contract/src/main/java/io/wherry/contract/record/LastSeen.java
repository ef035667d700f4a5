package io.wherry.contract.record;

import io.wherry.contract.name.TableId;
import io.wherry.contract.postgres.Lsn;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.Optional;
import java.util.Set;
import java.util.TreeMap;

/**
 * What no stream carries, as last seen on the source. Record of the topic {@code last-seen} with key {@value #KEY}, in {@link
 * Pieces}. A whole record names every sequence; the others name those that have changed since ({@link LastSeenHistory}).
 *
 * @param generation of the flow, from 1
 * @param lsn the end of the source's log before the values were read: they hold every value that was taken before
 * @param atMillis the source's clock, ms since 1970
 * @param whole whether a sequence that is not named is not there
 * @param sequences that were read, and in a record that is not whole have changed
 * @param unread sequences that were locked: their earlier values count
 * @param largeObjects whether there are any
 * @param extensionTables tables of extensions that hold users' rows
 */
public record LastSeen(
        int generation,
        Lsn lsn,
        long atMillis,
        boolean whole,
        List<Sequence> sequences,
        List<TableId> unread,
        boolean largeObjects,
        List<TableId> extensionTables) {
    /** Key of these records. */
    public static final String KEY = "last-seen";

    public LastSeen {
        Generations.require(generation);
        Objects.requireNonNull(lsn, "lsn");
        sequences = List.copyOf(sequences);
        unread = List.copyOf(unread);
        extensionTables = List.copyOf(extensionTables);
    }

    /**
     * A sequence.
     *
     * @param called whether the value was already returned: then the next value is one step further
     */
    public record Sequence(TableId id, long last, boolean called) {}

    /** All that is known with this record, after what was known before. */
    public LastSeen after(LastSeen earlier) {
        if (!whole && earlier.lsn.isAfter(lsn)) {
            // Of a coordinator that was replaced: its successor has named every sequence since.
            return earlier;
        }
        Map<TableId, Sequence> known = new TreeMap<>();
        Set<TableId> kept = new HashSet<>(unread);
        earlier.sequences.stream()
                .filter(sequence -> !whole || kept.contains(sequence.id()))
                .forEach(sequence -> known.put(sequence.id(), sequence));
        sequences.forEach(sequence -> known.put(sequence.id(), sequence));
        return new LastSeen(
                generation, lsn, atMillis, true, List.copyOf(known.values()), List.of(), largeObjects, extensionTables);
    }

    /**
     * What must be written of this whole record after another; empty = nothing has changed.
     *
     * @param before all that was known before
     */
    public Optional<LastSeen> since(LastSeen before) {
        Set<TableId> there = new HashSet<>(unread);
        sequences.forEach(sequence -> there.add(sequence.id()));
        if (before.lsn.isAfter(lsn) || !before.sequences.stream().allMatch(one -> there.contains(one.id()))) {
            return Optional.of(this);
        }
        List<Sequence> changed = new ArrayList<>(sequences);
        changed.removeAll(new HashSet<>(before.sequences));
        if (changed.isEmpty()
                && largeObjects == before.largeObjects
                && extensionTables.equals(before.extensionTables)) {
            return Optional.empty();
        }
        return Optional.of(part(changed));
    }

    /** The same as a record that is not whole, with these sequences. */
    public LastSeen part(List<Sequence> some) {
        return new LastSeen(generation, lsn, atMillis, false, some, List.of(), largeObjects, extensionTables);
    }
}
