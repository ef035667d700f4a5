package io.wherry.sink.merge;

import io.wherry.contract.error.DataException;
import io.wherry.contract.name.Remedies;
import io.wherry.sink.merge.Change.Kind;
import io.wherry.sink.table.BoundTable;
import io.wherry.sink.table.BoundTable.BoundColumn;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.BitSet;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/**
 * Turns consecutive events of one table into few statements with the same effect.
 *
 * <p>Events of one key are merged by column; the later value wins. After that, rows of different keys depend on each other only
 * through other unique constraints. So deletes go first, updates of some columns next, and whole rows last. If a unique value
 * moves between rows in another order, the server refuses the statements, and the caller plans the same events singly. A key
 * change and TRUNCATE are barriers.
 */
public final class BatchPlan {
    private final BoundTable table;
    private final Way way;
    private final StatementText text;
    /** Then ON CONFLICT DO UPDATE could not write every column of an existing row. */
    private final boolean alwaysOutsideKey;

    private final RepairPlan repairs;
    private final List<Step> steps = new ArrayList<>();
    private final Map<Object, Row> rows = new LinkedHashMap<>();
    private final List<String[]> keylessInserts = new ArrayList<>();

    /**
     * @param existed whether the row existed before the batch
     * @param values the row after the event; null = deleted
     */
    private record Row(boolean existed, String[] key, String[] values) {}

    private BatchPlan(BoundTable table, Way way) {
        this.table = table;
        this.way = way;
        this.text = new StatementText(table);
        this.repairs = new RepairPlan(table, text);
        this.alwaysOutsideKey =
                table.columns().stream().anyMatch(c -> !c.inKey() && c.target().alwaysIdentity());
    }

    /**
     * @param changes in the order they came, all of the shape that the table is bound to
     * @throws DataException when the events contradict each other
     */
    public static List<Step> of(BoundTable table, List<Change> changes, Way way) {
        BatchPlan plan = new BatchPlan(table, way);
        for (Change change : changes) {
            boolean repair = change.kind() == Kind.REPAIR;
            if (!repair || !table.foldable()) {
                plan.flushRepairs();
            }
            plan.add(change);
            if (!repair && (way == Way.SINGLY || !table.foldable() && !table.keyless())) {
                plan.flush();
            }
        }
        plan.flush();
        plan.flushRepairs();
        return plan.steps;
    }

    private void add(Change change) {
        if (change.kind() == Kind.TRUNCATE) {
            flush();
            steps.add(new Step.Truncate());
        } else if (change.kind() == Kind.REPAIR) {
            flush();
            repairs.add(change);
        } else if (table.keyless()) {
            addKeyless(change);
        } else {
            addKeyed(change);
        }
    }

    private void addKeyed(Change change) {
        switch (change.kind()) {
            case INSERT -> {
                Row earlier = rows.get(table.keyOf(change.after()));
                boolean existed = earlier != null && earlier.existed();
                rows.put(table.keyOf(change.after()), new Row(existed, change.after(), change.after()));
            }
            case DELETE -> {
                Object key = table.keyOf(change.before());
                Row earlier = rows.get(key);
                if (earlier == null || earlier.existed()) {
                    rows.put(key, new Row(true, change.before(), null));
                } else {
                    rows.remove(key);
                }
            }
            case UPDATE -> update(change);
            case TRUNCATE, BREAK, REPAIR -> throw new IllegalArgumentException("a barrier, not a row");
        }
    }

    private void update(Change change) {
        String[] values = withKey(change);
        if (change.before() != null && keyDiffers(change.before(), values)) {
            flush();
            changeKey(change.before(), values);
            return;
        }
        Object key = table.keyOf(values);
        Row earlier = rows.get(key);
        if (earlier == null) {
            rows.put(key, new Row(true, values, values));
        } else if (earlier.values() == null) {
            throw new DataException(
                    "apply changes to", table.id().toString(), "an update of deleted row " + key, hint());
        } else {
            rows.put(key, new Row(earlier.existed(), values, merge(earlier.values(), values)));
        }
    }

    /** A key column may itself be a large value that did not change: then only the old row has its value. */
    private String[] withKey(Change change) {
        String[] values = change.after();
        for (BoundColumn column : table.key()) {
            if (Change.isUnchanged(values[column.index()]) && change.before() != null) {
                values = values == change.after() ? values.clone() : values;
                values[column.index()] = change.before()[column.index()];
            }
        }
        return values;
    }

    private boolean keyDiffers(String[] before, String[] after) {
        return table.key().stream().anyMatch(c -> !before[c.index()].equals(after[c.index()]));
    }

    private static String[] merge(String[] earlier, String[] later) {
        String[] merged = later.clone();
        for (int i = 0; i < merged.length; i++) {
            if (Change.isUnchanged(merged[i])) {
                merged[i] = earlier[i];
            }
        }
        return merged;
    }

    // One UPDATE, never a delete and an insert: only the old row has the columns that the event left out.
    private void changeKey(String[] before, String[] after) {
        List<BoundColumn> set = present(after);
        List<String> arrays = new ArrayList<>(arrays(set, List.<String[]>of(after)));
        arrays.addAll(arrays(table.key(), List.<String[]>of(before)));
        steps.add(new Step.Rows(update(set), arrays, 1, true));
    }

    private void flushRepairs() {
        if (!repairs.isEmpty()) {
            steps.add(repairs.take());
        }
    }

    private void flush() {
        List<String[]> deletes = new ArrayList<>();
        List<String[]> whole = new ArrayList<>();
        List<String[]> updated = new ArrayList<>();
        List<String[]> fresh = new ArrayList<>();
        Map<BitSet, List<String[]>> partial = new LinkedHashMap<>();
        for (Row row : rows.values()) {
            if (row.values() == null) {
                deletes.add(row.key());
                continue;
            }
            BitSet present = presence(row.values());
            boolean insertable = table.upsert() && !alwaysOutsideKey || !row.existed();
            if (present.cardinality() == table.columns().size() && insertable) {
                whole.add(row.values());
                (row.existed() ? updated : fresh).add(row.values());
            } else {
                partial.computeIfAbsent(present, set -> new ArrayList<>()).add(row.values());
            }
        }
        rows.clear();
        if (!deletes.isEmpty()) {
            steps.add(new Step.Rows(text.delete(), arrays(table.key(), deletes), deletes.size(), true));
        }
        partial.values().forEach(this::updateSome);
        whole.addAll(keylessInserts);
        fresh.addAll(keylessInserts);
        keylessInserts.clear();
        boolean copied = way == Way.COPY && Step.Copy.suits(table, fresh);
        insert(copied ? updated : whole);
        if (copied) {
            if (updated.isEmpty() && table.upsert()) {
                // Writes nothing, but is refused if the key's index is gone: COPY would write rows that exist twice.
                steps.add(new Step.Rows(text.insert(), arrays(table.columns(), updated), 0, false));
            }
            // After the updates: they may free unique values, and new rows free none.
            steps.add(new Step.Copy(text.copy(), table.columns(), fresh));
        }
    }

    private void insert(List<String[]> whole) {
        if (!whole.isEmpty() && table.columns().isEmpty()) {
            steps.add(new Step.Rows(text.insertNothing(whole.size()), List.of(), whole.size(), true));
        } else if (!whole.isEmpty()) {
            // Counted, because DO UPDATE reports every row; DO NOTHING does not.
            steps.add(new Step.Rows(text.insert(), arrays(table.columns(), whole), whole.size(), false));
        }
    }

    private void updateSome(List<String[]> values) {
        List<BoundColumn> set =
                present(values.get(0)).stream().filter(BoundColumn::settable).toList();
        if (set.isEmpty()) {
            return;
        }
        List<String> arrays = new ArrayList<>(arrays(set, values));
        arrays.addAll(arrays(table.key(), values));
        steps.add(new Step.Rows(update(set), arrays, values.size(), true));
    }

    private String update(List<BoundColumn> set) {
        return table.replaced(set) ? text.replace(set) : text.update(set);
    }

    private void addKeyless(Change change) {
        if (change.kind() == Kind.INSERT) {
            keylessInserts.add(change.after());
            return;
        }
        flush();
        String[] before = change.before();
        if (before == null || !present(before).equals(table.columns())) {
            throw new DataException(
                    "apply changes to",
                    table.id().toString(),
                    "an update or delete without the whole old row, on a table without a key",
                    "On the source: ALTER TABLE " + table.id().quoted()
                            + " REPLICA IDENTITY FULL, then re-load the table");
        }
        List<String> whole = arrays(table.columns(), List.<String[]>of(before));
        if (change.kind() == Kind.DELETE) {
            steps.add(new Step.Rows(text.deleteOne(before), whole, 1, true));
            return;
        }
        List<BoundColumn> set = present(change.after());
        if (set.isEmpty()) {
            return;
        }
        List<String> arrays = new ArrayList<>(arrays(set, List.<String[]>of(change.after())));
        arrays.addAll(whole);
        String sql = table.replaced(set) ? text.replaceOne(set, before) : text.updateOne(set, before);
        steps.add(new Step.Rows(sql, arrays, 1, true));
    }

    private BitSet presence(String[] values) {
        BitSet present = new BitSet(table.columns().size());
        for (int i = 0; i < table.columns().size(); i++) {
            present.set(i, !Change.isUnchanged(values[table.columns().get(i).index()]));
        }
        return present;
    }

    private List<BoundColumn> present(String[] values) {
        return table.columns().stream()
                .filter(c -> !Change.isUnchanged(values[c.index()]))
                .toList();
    }

    static List<String> arrays(List<BoundColumn> columns, List<String[]> rows) {
        ArrayLiteral[] arrays = new ArrayLiteral[columns.size()];
        Arrays.setAll(arrays, i -> new ArrayLiteral());
        for (String[] row : rows) {
            for (int i = 0; i < arrays.length; i++) {
                arrays[i].add(row[columns.get(i).index()]);
            }
        }
        return Arrays.stream(arrays).map(ArrayLiteral::finish).toList();
    }

    private String hint() {
        return "The topic does not continue from the target's rows; " + Remedies.reload(table.id());
    }
}
