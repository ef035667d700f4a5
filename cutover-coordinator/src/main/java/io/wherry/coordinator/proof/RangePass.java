package io.wherry.coordinator.proof;

import io.wherry.contract.postgres.Lsn;
import io.wherry.coordinator.proof.SqlSides.Pair;
import io.wherry.coordinator.proof.SqlSides.Range;
import io.wherry.coordinator.proof.SqlSides.Sums;
import io.wherry.coordinator.recheck.DirtyKeys;
import io.wherry.coordinator.sql.Queries;
import java.sql.SQLException;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.TreeSet;

/**
 * A pass by ranges of the key. The first range has no lower end and the last no upper one, so rows that are only on the target are
 * found wherever they are. The ends come from the source's index; a range is the same set of keys on both sides, because every
 * server orders these types alike.
 *
 * <p>Within a range the rows are summed by buckets of their keys. While applications write, each range holds some rows on their way;
 * with buckets, only the rows that share a bucket with these are listed.
 */
final class RangePass implements Pass {
    private static final int LEAST_ROWS = 1_000;
    private static final int MOST_ROWS = 400_000;
    // Rows of the buckets that differ. A part with more is divided first, because both lists stand in memory.
    private static final int MOST_LISTED = 20_000;
    // When one value of the key's first columns has more rows, a range cannot be divided.
    private static final int MOST_LISTED_AT_LEAST = 100_000;
    private static final double WANTED_NANOS = 5e8;

    private final ComparedTable table;
    private final DirtyKeys dirty;
    private List<String> last = List.of();
    private int size = 10 * LEAST_ROWS;
    private long rows;

    RangePass(ComparedTable table, DirtyKeys dirty) {
        this.table = table;
        this.dirty = dirty;
    }

    @Override
    public Step step(SqlSides sides, Lsn passed) throws SQLException {
        long began = System.nanoTime();
        try {
            return compare(sides, began);
        } catch (SQLException e) {
            if (!CANCELED.equals(e.getSQLState())) {
                throw e;
            }
            if (size == LEAST_ROWS) {
                return Step.problem("a part of " + size + " rows takes too long: " + e.getMessage());
            }
            size = Math.max(LEAST_ROWS, size / 10);
            return Step.MORE;
        }
    }

    /** A part: the keys behind {@code last}, up to {@code end}; empty = without a limit on that side. */
    private record Part(List<String> end, Range range) {}

    /** Compares as many parts at the same time as there are sessions. */
    private Step compare(SqlSides sides, long began) throws SQLException {
        List<Part> parts = parts(sides);
        List<Pair<Map<Integer, Sums>>> sums =
                sides.buckets(parts.stream().map(Part::range).toList());
        Step step = Step.MORE;
        for (int i = 0; i < parts.size() && step == Step.MORE; i++) {
            Optional<Step> ended = judge(sides, parts.get(i), sums.get(i));
            if (ended.isPresent()) {
                return ended.get();
            }
            last = parts.get(i).end();
            step = last.isEmpty() ? Step.DONE : Step.MORE;
        }
        double factor = WANTED_NANOS / Math.max(1, System.nanoTime() - began);
        size = (int) Math.max(LEAST_ROWS, Math.min(MOST_ROWS, size * Math.max(0.5, Math.min(2, factor))));
        return step;
    }

    private List<Part> parts(SqlSides sides) throws SQLException {
        List<Part> parts = new ArrayList<>();
        List<String> from = last;
        do {
            List<String> end = end(sides, from);
            List<String> conditions = new ArrayList<>();
            List<String> parameters = new ArrayList<>(from);
            if (!from.isEmpty()) {
                conditions.add(table.bound(">"));
            }
            if (!end.isEmpty()) {
                conditions.add(table.bound("<="));
                parameters.addAll(end);
            }
            parts.add(new Part(end, new Range(conditions, parameters)));
            from = end;
        } while (!from.isEmpty() && parts.size() < sides.pairs());
        return parts;
    }

    /** @return what the step has come to when the part could not be compared; empty = it is compared */
    private Optional<Step> judge(SqlSides sides, Part part, Pair<Map<Integer, Sums>> sums) throws SQLException {
        long ofSource = rows(sums.source());
        long ofTarget = rows(sums.target());
        if (Math.abs(ofSource - ofTarget) > MOST_DIFFERING) {
            return Optional.of(Step.problem("differs widely: " + ofSource + " rows on the source, " + ofTarget
                    + " on the target within one part"));
        }
        if (!sums.source().equals(sums.target())) {
            Pair<Map<Integer, Sums>> differing = differing(sums);
            long listed = Math.max(rows(differing.source()), rows(differing.target()));
            if (listed > MOST_LISTED && size > LEAST_ROWS) {
                size = Math.max(LEAST_ROWS, size / 4);
                return Optional.of(Step.MORE);
            }
            if (listed > MOST_LISTED_AT_LEAST) {
                return Optional.of(
                        Step.problem("differs within " + listed + " rows that its key's first columns cannot divide"));
            }
            Set<Integer> buckets = new TreeSet<>(differing.source().keySet());
            buckets.addAll(differing.target().keySet());
            List<String> conditions = new ArrayList<>(part.range().conditions());
            conditions.add(table.inBuckets(buckets));
            if (!suspects(sides, conditions, part.range().parameters())) {
                return Optional.of(Step.problem("differs widely: more than " + MOST_DIFFERING + " keys of one part"));
            }
        }
        rows += ofSource;
        return Optional.empty();
    }

    private static long rows(Map<Integer, Sums> buckets) {
        return buckets.values().stream().mapToLong(Sums::rows).sum();
    }

    /** The buckets that are not equal; one may be absent on a side. */
    private static Pair<Map<Integer, Sums>> differing(Pair<Map<Integer, Sums>> sums) {
        Map<Integer, Sums> source = new HashMap<>(sums.source());
        Map<Integer, Sums> target = new HashMap<>(sums.target());
        source.entrySet().removeAll(sums.target().entrySet());
        target.entrySet().removeAll(sums.source().entrySet());
        return new Pair<>(source, target);
    }

    /** @param from end of the part before */
    private List<String> end(SqlSides sides, List<String> from) throws SQLException {
        List<List<String>> found = Queries.list(
                sides.connection(true),
                row -> {
                    List<String> key = new ArrayList<>();
                    for (int i = 1; i <= table.ordered(); i++) {
                        key.add(row.getString(i));
                    }
                    return key;
                },
                table.boundary(from.isEmpty(), size),
                from.toArray());
        return found.isEmpty() ? List.of() : found.get(0);
    }

    /** @return false when more keys differ than can be named */
    private boolean suspects(SqlSides sides, List<String> conditions, List<String> parameters) throws SQLException {
        Pair<Map<List<String>, String>> lists = sides.lists(conditions, parameters);
        Map<List<String>, String> target = lists.target();
        Lsn now = sides.now();
        Set<List<String>> differing = new HashSet<>();
        lists.source().forEach((key, hash) -> {
            if (!hash.equals(target.remove(key))) {
                differing.add(key);
            }
        });
        differing.addAll(target.keySet());
        if (differing.size() > MOST_DIFFERING) {
            return false;
        }
        differing.forEach(key -> dirty.suspect(table.id(), key, now));
        return true;
    }

    @Override
    public long rows() {
        return rows;
    }
}
