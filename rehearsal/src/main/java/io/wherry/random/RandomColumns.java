package io.wherry.random;

import io.wherry.random.RandomColumn.Values;
import java.util.ArrayList;
import java.util.List;
import java.util.random.RandomGenerator;
import java.util.stream.Collectors;

/** Columns of any type, under names that no other column has. */
final class RandomColumns {
    private final RandomNames names;
    private final RandomTypes types;
    private final RandomGenerator random;

    RandomColumns(RandomNames names, RandomTypes types, RandomGenerator random) {
        this.names = names;
        this.types = types;
        this.random = random;
    }

    /** From {@code least} to {@code most} columns that are not part of a key. */
    List<RandomColumn> data(int least, int most) {
        List<RandomColumn> columns = new ArrayList<>();
        for (int i = random.nextInt(least, most + 1); i > 0; i--) {
            boolean nullable = random.nextInt(4) != 0;
            columns.add(column(types.any(random), Values.ANY, 0, nullable, ""));
        }
        return columns;
    }

    /** @param pool number of different values */
    RandomColumn pooled(RandomType type, int pool, boolean nullable) {
        return column(type, Values.POOL, pool, nullable, "");
    }

    RandomColumn column(RandomType type, Values values, int pool, boolean nullable, String constraints) {
        return new RandomColumn(
                names.next(), type, values, pool, nullable, (nullable ? "" : " NOT NULL") + constraints);
    }

    static String primaryKey(List<RandomColumn> columns) {
        return "PRIMARY KEY (" + list(columns) + ")";
    }

    static String list(List<RandomColumn> columns) {
        return columns.stream().map(RandomColumn::quoted).collect(Collectors.joining(", "));
    }
}
