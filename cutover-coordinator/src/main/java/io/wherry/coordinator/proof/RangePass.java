package io.wherry.coordinator.proof;

import io.wherry.contract.postgres.Lsn;
import io.wherry.coordinator.proof.SqlSides.Sums;
import io.wherry.coordinator.sql.Queries;
import java.sql.SQLException;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;

/**
 * A pass by ranges of the key. The first range has no lower end and the last no upper one, so rows that are only on the target are
 * found wherever they are. The ends come from the source's index; a range is the same set of keys on both sides, because every
 * server orders these types alike.
 */
final class RangePass implements Pass {
    private static final int LEAST_ROWS = 1_000;
    private static final int MOST_ROWS = 200_000;
    // A part of this size is listed. A larger one is divided first, because both lists stand in memory.
    private static final int LISTED_ROWS = 20_000;
    // When one value of the key's first columns has more rows, a range cannot be divided.
    private static final int MOST_LISTED = 100_000;
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

    private Step compare(SqlSides sides, long began) throws SQLException {
        List<String> end = end(sides);
        List<String> conditions = new ArrayList<>();
        List<String> parameters = new ArrayList<>(last);
        if (!last.isEmpty()) {
            conditions.add(table.bound(">"));
        }
        if (!end.isEmpty()) {
            conditions.add(table.bound("<="));
            parameters.addAll(end);
        }
        Sums source = sides.sums(true, conditions, parameters);
        Sums target = sides.sums(false, conditions, parameters);
        if (source.equals(target)) {
            double factor = WANTED_NANOS / Math.max(1, System.nanoTime() - began);
            size = (int) Math.max(LEAST_ROWS, Math.min(MOST_ROWS, size * Math.max(0.5, Math.min(2, factor))));
        } else if (Math.abs(source.rows() - target.rows()) > MOST_DIFFERING) {
            return Step.problem("differs widely: " + source.rows() + " rows on the source, " + target.rows()
                    + " on the target within one part");
        } else if (size > LISTED_ROWS) {
            size = LISTED_ROWS / 2;
            return Step.MORE;
        } else if (source.rows() > MOST_LISTED) {
            return Step.problem("differs within " + source.rows() + " rows that its key's first columns cannot divide");
        } else if (!suspects(sides, conditions, parameters)) {
            return Step.problem("differs widely: more than " + MOST_DIFFERING + " keys of one part");
        }
        rows += source.rows();
        last = end;
        return end.isEmpty() ? Step.DONE : Step.MORE;
    }

    private List<String> end(SqlSides sides) throws SQLException {
        List<List<String>> found = Queries.list(
                sides.connection(true),
                row -> {
                    List<String> key = new ArrayList<>();
                    for (int i = 1; i <= table.ordered(); i++) {
                        key.add(row.getString(i));
                    }
                    return key;
                },
                table.boundary(last.isEmpty(), size),
                last.toArray());
        return found.isEmpty() ? List.of() : found.get(0);
    }

    /** @return false when more keys differ than can be named */
    private boolean suspects(SqlSides sides, List<String> conditions, List<String> parameters) throws SQLException {
        Map<List<String>, String> source = sides.list(true, conditions, parameters);
        Map<List<String>, String> target = sides.list(false, conditions, parameters);
        Lsn now = sides.now();
        Set<List<String>> differing = new HashSet<>();
        source.forEach((key, hash) -> {
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
