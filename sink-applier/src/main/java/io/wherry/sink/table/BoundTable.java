package io.wherry.sink.table;

import io.wherry.contract.error.DataException;
import io.wherry.contract.name.Identifiers;
import io.wherry.contract.name.Remedies;
import io.wherry.contract.name.TableId;
import io.wherry.contract.postgres.TableShape;
import io.wherry.sink.table.TargetColumn.Equality;
import io.wherry.sink.table.TargetTable.UniqueKey;
import java.util.ArrayList;
import java.util.List;
import java.util.Set;

/**
 * A shape of the stream bound to the target's table: which value of an event goes to which column, and how rows are found.
 *
 * @param partitioned its rows are those of its partitions
 * @param copyable whether COPY writes a row as INSERT does
 * @param columns that Wherry writes, in the stream's order
 * @param key columns that identify a row; empty = keyless
 * @param upsert whether {@code ON CONFLICT} can name the key
 * @param foldable whether events of one key may be merged and events of different keys may change places
 */
public record BoundTable(
        TableId id,
        boolean partitioned,
        boolean copyable,
        List<BoundColumn> columns,
        List<BoundColumn> key,
        boolean upsert,
        boolean foldable) {
    /**
     * @param index of the column in the event's rows
     * @param equals operator that compares two values; values of a key are compared as by its unique index
     */
    public record BoundColumn(int index, TargetColumn target, boolean inKey, String equals) {
        public String quoted() {
            return Identifiers.quote(target.name());
        }

        /** Whether an UPDATE that found the row by its key must write the column, if the column is present. */
        public boolean settable() {
            // A key that is equal but not the same text (1.0 and 1.00) changes the row; a key of the same text need
            // not be written.
            return !(inKey && target.equality() == Equality.TEXT);
        }
    }

    /** @throws DataException when the target lacks a column of the stream */
    public static BoundTable bind(TableShape shape, TargetTable target) {
        Set<String> identity = Set.copyOf(shape.identity());
        UniqueKey unique = target.uniqueKeys().get(identity);
        List<BoundColumn> columns = new ArrayList<>();
        List<BoundColumn> key = new ArrayList<>();
        for (int i = 0; i < shape.columns().size(); i++) {
            String name = shape.columns().get(i).name();
            TargetColumn column = target.columns().get(name);
            if (column == null) {
                throw new DataException(
                        "apply changes to",
                        shape.id().toString(),
                        "the target has no column " + Identifiers.quote(name),
                        "Add the column with the source's type, then " + Remedies.retry(shape.id()));
            }
            boolean inKey = shape.identity().contains(name);
            boolean inexact = unique != null && unique.inexact().contains(name);
            BoundColumn bound =
                    new BoundColumn(i, inexact ? column.inexact() : column, inKey, target.equality(identity, name));
            if (!column.generated()) {
                columns.add(bound);
            }
            if (inKey) {
                key.add(bound);
            }
        }
        // Without a text form of the key, two events of one row could be taken for events of two rows. Without a
        // unique key on the target, they may really concern two rows.
        boolean foldable =
                unique != null && key.stream().noneMatch(c -> c.target().equality() == Equality.UNKNOWN);
        boolean upsert = unique != null && unique.nameable();
        return new BoundTable(target.id(), target.partitioned(), target.copyable(), columns, key, upsert, foldable);
    }

    /** Whether an update of a row found by its key writes a column that UPDATE cannot set: GENERATED ALWAYS AS IDENTITY. */
    public boolean replaced(List<BoundColumn> set) {
        return set.stream().anyMatch(c -> c.target().alwaysIdentity());
    }

    public boolean keyless() {
        return key.isEmpty();
    }

    /** Equal for rows that the target treats as the same row. */
    public Object keyOf(String[] row) {
        if (key.size() == 1) {
            return canonical(key.get(0), row);
        }
        List<String> values = new ArrayList<>(key.size());
        key.forEach(column -> values.add(canonical(column, row)));
        return values;
    }

    private static String canonical(BoundColumn column, String[] row) {
        return column.target().equality().canonical(row[column.index()]);
    }
}
