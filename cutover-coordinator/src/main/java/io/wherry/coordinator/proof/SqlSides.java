package io.wherry.coordinator.proof;

import io.wherry.contract.postgres.CatalogColumn;
import io.wherry.contract.postgres.Lsn;
import io.wherry.coordinator.recheck.Sides;
import io.wherry.coordinator.sql.BothSides;
import io.wherry.coordinator.sql.Queries;
import java.math.BigDecimal;
import java.sql.Connection;
import java.sql.ResultSet;
import java.sql.SQLException;
import java.util.ArrayList;
import java.util.Collections;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;

/** One table in two databases. Each statement is a transaction of its own. */
final class SqlSides implements Sides {
    // Beside a hash: no hash holds letters of this kind.
    private static final String TWICE = "more than one row";

    private final ComparedTable table;
    private final BothSides sides;

    SqlSides(ComparedTable table, BothSides sides) {
        this.table = table;
        this.sides = sides;
    }

    /**
     * What rows hold together.
     *
     * @param one sum of the rows' hashes, null without rows
     * @param other sum of other hashes of the same rows
     */
    record Sums(long rows, BigDecimal one, BigDecimal other) {
        static Sums read(ResultSet row, int first) throws SQLException {
            return new Sums(row.getLong(first), row.getBigDecimal(first + 1), row.getBigDecimal(first + 2));
        }
    }

    /** The same of both sides. */
    record Pair<T>(T source, T target) {}

    /** Rows of a range of keys, by conditions and their parameters. */
    record Range(List<String> conditions, List<String> parameters) {}

    private interface OneSide<T> {
        T read(boolean onSource) throws SQLException;
    }

    private <T> Pair<T> both(OneSide<T> each) throws SQLException {
        return sides.beside().both(() -> each.read(true), () -> each.read(false), Pair::new);
    }

    Connection connection(boolean onSource) {
        return onSource ? sides.source() : sides.target();
    }

    /** What all rows hold together. */
    Pair<Sums> sums() throws SQLException {
        return both(onSource -> Queries.list(
                        connection(onSource), row -> Sums.read(row, 1), table.sums(onSource, List.of()))
                .get(0));
    }

    /** How many ranges can be read at the same time. */
    int pairs() {
        return sides.all().size();
    }

    /** What the rows of each range hold together, by bucket; at most {@link #pairs} ranges, read at the same time. */
    List<Pair<Map<Integer, Sums>>> buckets(List<Range> ranges) throws SQLException {
        List<BothSides.Piece<Pair<Map<Integer, Sums>>>> pieces = new ArrayList<>();
        for (Range range : ranges) {
            pieces.add(pair -> new SqlSides(table, pair).buckets(range));
        }
        return sides.share(pieces);
    }

    private Pair<Map<Integer, Sums>> buckets(Range range) throws SQLException {
        return both(onSource -> {
            Map<Integer, Sums> buckets = new HashMap<>();
            Queries.list(
                    connection(onSource),
                    row -> buckets.put(row.getInt(1), Sums.read(row, 2)),
                    table.buckets(onSource, range.conditions()),
                    range.parameters().toArray());
            return buckets;
        });
    }

    /** As {@link #list}, of both sides. */
    Pair<Map<List<String>, String>> lists(List<String> conditions, List<String> parameters) throws SQLException {
        return both(onSource -> list(onSource, conditions, parameters));
    }

    /** Key and hash of the rows that meet the conditions. A key that stands twice has a hash that no row has. */
    Map<List<String>, String> list(boolean onSource, List<String> conditions, List<String> parameters)
            throws SQLException {
        Map<List<String>, String> rows = new HashMap<>();
        Queries.list(
                connection(onSource),
                row -> rows.merge(
                        key(row, 1), row.getString(table.key().size() + 1), (one, other) -> TWICE + one + other),
                table.list(onSource, conditions),
                parameters.toArray());
        return rows;
    }

    List<List<String>> keys(boolean onSource, List<String> conditions) throws SQLException {
        return Queries.list(connection(onSource), row -> key(row, 1), table.keys(onSource, conditions));
    }

    @Override
    public List<Found> onSource(List<List<String>> keys) throws SQLException {
        return lookup(true, keys);
    }

    @Override
    public List<Found> onTarget(List<List<String>> keys) throws SQLException {
        return lookup(false, keys);
    }

    @Override
    public Both onBoth(List<List<String>> keys) throws SQLException {
        Pair<List<Found>> found = both(onSource -> lookup(onSource, keys));
        return new Both(found.source(), found.target());
    }

    private List<Found> lookup(boolean onSource, List<List<String>> keys) throws SQLException {
        List<Found> found = new ArrayList<>(Collections.nCopies(keys.size(), Found.NOTHING));
        Object[] arrays = new Object[table.key().size()];
        for (int column = 0; column < arrays.length; column++) {
            int at = column;
            arrays[column] = connection(onSource)
                    .createArrayOf("text", keys.stream().map(key -> key.get(at)).toArray());
        }
        Queries.list(
                connection(onSource),
                row -> {
                    int number = row.getInt(1) - 1;
                    String hash = row.getString(arrays.length + 2);
                    boolean twice = found.get(number).exists();
                    return found.set(number, new Found(key(row, 2), twice ? TWICE + hash : hash));
                },
                table.lookup(onSource),
                arrays);
        return found;
    }

    private List<String> key(ResultSet row, int first) throws SQLException {
        List<String> key = new ArrayList<>(table.key().size());
        for (int i = 0; i < table.key().size(); i++) {
            key.add(row.getString(first + i));
        }
        return List.copyOf(key);
    }

    @Override
    public List<String> differing(List<String> key) throws SQLException {
        List<String[]> here = digests(true, key);
        List<String[]> there = digests(false, key);
        List<String> names = new ArrayList<>();
        if (here.size() > 1 || there.size() > 1) {
            // The key stands twice: the row differs as a whole.
            table.columns().forEach(column -> names.add(column.name()));
        } else if (here.size() == 1 && there.size() == 1) {
            List<CatalogColumn> columns = table.columns();
            for (int i = 0; i < columns.size(); i++) {
                if (!Objects.equals(here.get(0)[i], there.get(0)[i])) {
                    names.add(columns.get(i).name());
                }
            }
        }
        return names;
    }

    private List<String[]> digests(boolean onSource, List<String> key) throws SQLException {
        return Queries.list(
                connection(onSource),
                row -> (String[]) row.getArray(1).getArray(),
                table.digests(onSource),
                key.toArray());
    }

    /** Of insertion: a transaction that did not wait for its log is seen before its end is written. */
    @Override
    public Lsn now() throws SQLException {
        return Lsn.parse(Queries.string(sides.source(), "SELECT pg_current_wal_insert_lsn()::text")
                .orElseThrow());
    }
}
