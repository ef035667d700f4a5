package io.wherry.coordinator.whole;

import io.wherry.contract.name.TableId;
import java.time.Duration;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeMap;

/**
 * Which tables the window compares whole (pure): those that must be, because they are not proven, and proven ones for which there is time.
 *
 * @param anyway proven tables that are compared whole all the same, the fastest first
 * @param inTurn tables that are not proven and are compared one after another in the proof's sessions, the fastest first. All others
 *     take so long that two at a time are faster, or nobody knows how long
 */
public record WholeChoice(Set<TableId> anyway, Set<TableId> inTurn) {
    /** Whether the table is compared whole in the proof's sessions. */
    public boolean contains(TableId table) {
        return anyway.contains(table) || inTurn.contains(table);
    }

    /** Beyond this, new sessions cost less than what a second table at the same time gains. */
    private static final Duration IN_TURN = Duration.ofSeconds(1);

    /** Share of {@code verify.whole-within} that proven tables keep, however long the others take. */
    private static final double KEPT = 0.25;

    /**
     * @param proven time of each proven table, ns
     * @param unproven time of each other table, ns; not above 0 = unknown
     * @param wholeWithin {@code verify.whole-within}
     */
    public static WholeChoice of(Map<TableId, Long> proven, Map<TableId, Long> unproven, Duration wholeWithin) {
        Map<TableId, Long> known = new TreeMap<>(unproven);
        known.values().removeIf(nanos -> nanos <= 0);
        long needed = known.values().stream().mapToLong(Long::longValue).sum();
        long kept = (long) (KEPT * wholeWithin.toNanos());
        return new WholeChoice(
                fastest(proven, Math.max(kept, wholeWithin.toNanos() - needed)), fastest(known, IN_TURN.toNanos()));
    }

    private static Set<TableId> fastest(Map<TableId, Long> nanos, long inAll) {
        List<Map.Entry<TableId, Long>> byTime =
                nanos.entrySet().stream().sorted(Map.Entry.comparingByValue()).toList();
        Set<TableId> fastest = new LinkedHashSet<>();
        long left = inAll;
        for (Map.Entry<TableId, Long> table : byTime) {
            left -= table.getValue();
            if (left < 0) {
                return fastest;
            }
            fastest.add(table.getKey());
        }
        return fastest;
    }
}
