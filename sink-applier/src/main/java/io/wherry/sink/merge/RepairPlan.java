package io.wherry.sink.merge;

import io.wherry.sink.table.BoundTable;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/**
 * Collects consecutive repairs of one table. Whatever the target's row of the key is, afterwards it is the source's row, or there is
 * none: the row is deleted, if it exists, and inserted. So nothing of the wrong row stays, also in columns that no update can set.
 *
 * <p>All rows of a group are deleted before the first is inserted. Counterexample one by one: two wrong rows have each other's value
 * of a unique column, and neither can be repaired first.
 */
final class RepairPlan {
    private final BoundTable table;
    private final StatementText text;
    private final Map<Object, Change> rows = new LinkedHashMap<>();

    RepairPlan(BoundTable table, StatementText text) {
        this.table = table;
        this.text = text;
    }

    /** The last repair of a row counts, because it says what the row is. */
    void add(Change change) {
        rows.put(table.keyOf(known(change)), change);
    }

    boolean isEmpty() {
        return rows.isEmpty();
    }

    /** The step for what was collected; afterwards nothing is. */
    Step.Repair take() {
        List<Change> all = List.copyOf(rows.values());
        rows.clear();
        List<List<Step.Rows>> singly = new ArrayList<>();
        if (all.size() > 1) {
            all.forEach(change -> singly.add(statements(List.of(change))));
        }
        return new Step.Repair(statements(all), singly);
    }

    private List<Step.Rows> statements(List<Change> changes) {
        List<String[]> keys = changes.stream().map(RepairPlan::known).toList();
        List<String[]> whole = changes.stream()
                .filter(change -> change.after() != null)
                .map(Change::after)
                .toList();
        List<Step.Rows> statements = new ArrayList<>();
        // Not counted: whether the row exists is not known.
        statements.add(new Step.Rows(text.delete(), BatchPlan.arrays(table.key(), keys), keys.size(), false));
        if (!whole.isEmpty()) {
            statements.add(new Step.Rows(text.insert(), BatchPlan.arrays(table.columns(), whole), whole.size(), false));
        }
        return statements;
    }

    private static String[] known(Change change) {
        return change.after() == null ? change.before() : change.after();
    }
}
