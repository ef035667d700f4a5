package io.wherry.coordinator.watch;

import java.util.ArrayList;
import java.util.List;

/**
 * When the end of one topic-partition moved, so that the age of what is not applied is known. What the checkpoint has passed is
 * dropped. Beyond {@value #KEPT} entries the history gets coarser, not shorter, so a partition that stands for days costs no more.
 * Not safe for use by several threads.
 */
final class EndHistory {
    static final int KEPT = 64;

    private final List<Stay> stays = new ArrayList<>();

    /** The end offset was the same each time it was seen, from the first time to the last. */
    private record Stay(long end, long firstMillis, long lastMillis) {}

    /**
     * How old the oldest record is that is not applied.
     *
     * @param over the age is more than {@code millis}, as the history begins later; else it is at most that
     */
    record Age(long millis, boolean over) {}

    /** @param checkpoint first offset not yet applied; negative = unknown */
    void see(long end, long checkpoint, long nowMillis) {
        int last = stays.size() - 1;
        if (last >= 0 && stays.get(last).end() > end) {
            // Another topic of that name.
            stays.clear();
        }
        if (!stays.isEmpty() && stays.get(last).end() == end) {
            stays.set(last, new Stay(end, stays.get(last).firstMillis(), nowMillis));
        } else {
            stays.add(new Stay(end, nowMillis, nowMillis));
        }
        while (stays.size() > 1 && stays.get(1).end() <= checkpoint) {
            stays.remove(0);
        }
        if (stays.size() > KEPT) {
            thin();
        }
    }

    /** Drops every second entry, except the first and the last. An age then counts from an earlier entry, so it is not understated. */
    private void thin() {
        List<Stay> all = List.copyOf(stays);
        stays.clear();
        for (int i = 0; i < all.size(); i++) {
            if (i % 2 == 0 || i == all.size() - 1) {
                stays.add(all.get(i));
            }
        }
    }

    /** The age of the record at the checkpoint, which is before the end. */
    Age age(long checkpoint, long nowMillis) {
        for (int i = stays.size() - 1; i >= 0; i--) {
            if (stays.get(i).end() <= checkpoint) {
                return new Age(nowMillis - stays.get(i).lastMillis(), false);
            }
        }
        // The checkpoint was behind when the history began, or has been set back by a new load.
        return new Age(stays.isEmpty() ? 0 : nowMillis - stays.get(0).firstMillis(), true);
    }

    /** How many entries are kept. */
    int size() {
        return stays.size();
    }
}
