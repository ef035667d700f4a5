package io.wherry.soak;

import java.util.ArrayList;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;

/**
 * The difference between two sides of a table, as lines of COPY whose first fields are the key.
 *
 * @param lost rows of the source that the target lacks
 * @param doubled rows of the target that the source does not have, or has less often
 * @param different rows with the same key and other values
 * @param examples some of the lines, {@code <} of the source and {@code >} of the target
 */
record TableDifference(int rows, int lost, int doubled, int different, List<String> examples) {
    private static final int MOST_EXAMPLES = 40;

    /** @param keyFields how many of the first fields are the key; 0 = the table has none */
    static TableDifference of(List<String> source, List<String> target, int keyFields) {
        List<String> missing = less(source, target);
        List<String> surplus = less(target, source);
        int different = 0;
        if (keyFields > 0) {
            Set<String> keys = new HashSet<>();
            missing.forEach(line -> keys.add(key(line, keyFields)));
            different = (int) surplus.stream()
                    .filter(line -> keys.contains(key(line, keyFields)))
                    .count();
        }
        List<String> examples = new ArrayList<>();
        missing.stream().limit(MOST_EXAMPLES / 2).forEach(line -> examples.add("< " + line));
        surplus.stream().limit(MOST_EXAMPLES / 2).forEach(line -> examples.add("> " + line));
        return new TableDifference(
                source.size(), missing.size() - different, surplus.size() - different, different, examples);
    }

    private static List<String> less(List<String> lines, List<String> others) {
        Map<String, Integer> counts = new HashMap<>();
        others.forEach(line -> counts.merge(line, 1, Integer::sum));
        List<String> left = new ArrayList<>();
        for (String line : lines) {
            if (counts.merge(line, -1, Integer::sum) < 0) {
                left.add(line);
            }
        }
        return left;
    }

    /** COPY writes a tab within a value as {@code \t}: a plain tab ends a field. */
    private static String key(String line, int fields) {
        int end = -1;
        for (int i = 0; i < fields; i++) {
            int next = line.indexOf('\t', end + 1);
            end = next < 0 ? line.length() : next;
        }
        return line.substring(0, end);
    }

    boolean isEmpty() {
        return lost == 0 && doubled == 0 && different == 0;
    }
}
