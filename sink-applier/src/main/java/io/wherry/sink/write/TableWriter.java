package io.wherry.sink.write;

import io.wherry.contract.error.DataException;
import io.wherry.contract.name.Remedies;
import io.wherry.contract.name.TableId;
import io.wherry.contract.postgres.Lsn;
import io.wherry.contract.postgres.Sessions;
import io.wherry.contract.postgres.TableShape;
import io.wherry.contract.record.SchemaEvent;
import io.wherry.contract.record.SchemaLog;
import io.wherry.sink.merge.BatchPlan;
import io.wherry.sink.merge.Change;
import io.wherry.sink.merge.Step;
import io.wherry.sink.merge.Way;
import io.wherry.sink.table.BoundTable;
import io.wherry.sink.table.TableDrift;
import io.wherry.sink.table.TargetCatalog;
import java.sql.Connection;
import java.sql.PreparedStatement;
import java.sql.ResultSet;
import java.sql.SQLException;
import java.sql.Savepoint;
import java.sql.Statement;
import java.sql.Types;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.HashSet;
import java.util.IdentityHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/** Applies events to tables within the caller's transaction. Not safe for use by several threads. */
public final class TableWriter {
    private static final Logger LOG = LoggerFactory.getLogger(TableWriter.class);
    private static final String REFERENCED = """
            SELECT EXISTS (SELECT FROM pg_constraint
                            WHERE contype = 'f' AND confrelid = CAST(? AS regclass) AND conrelid <> confrelid)
            """;

    // Classes of SQLSTATE: a constraint, a value.
    private static final String REFUSED_ROW = "23";
    private static final String REFUSED_VALUE = "22";

    private final Connection target;
    private final Map<TableId, Map<TableShape, BoundTable>> bound = new HashMap<>();
    private final Set<TableId> altered = new HashSet<>();
    private final RowCopy copy = new RowCopy();
    /** Whether the last {@link #apply} has planned a COPY. */
    private boolean copied;
    /** What the transaction did to the schema. */
    private final List<SchemaEvent> events = new ArrayList<>();

    public TableWriter(Connection target) {
        this.target = target;
    }

    /**
     * @param ordered whether all changes of the table come one after another
     * @param changes of one table, in the order they came
     * @param way how the events become statements
     * @throws DataException when the target's rows do not match the events
     */
    public void apply(TableId table, boolean ordered, List<Change> changes, Way way) throws SQLException {
        copied = false;
        for (int from = 0; from < changes.size(); ) {
            TableShape shape = changes.get(from).shape();
            int to = from + 1;
            while (to < changes.size() && changes.get(to).shape() == shape) {
                to++;
            }
            Lsn asOf = new Lsn(changes.get(from).commitLsn());
            List<Step> steps = BatchPlan.of(bind(table, ordered, shape, asOf), changes.subList(from, to), way);
            // Also if a step before the COPY fails: without COPY, the rows that exist and the new ones are one
            // statement.
            copied |= steps.stream().anyMatch(Step.Copy.class::isInstance);
            for (Step step : steps) {
                execute(table, step);
            }
            from = to;
        }
    }

    /** Whether the last {@link #apply} has planned a COPY: then what failed may succeed without one. */
    public boolean hasCopied() {
        return copied;
    }

    /**
     * Reads what {@link #apply} needs to know of the table, unless a change of that shape would first have to alter the table.
     */
    public void prepare(TableId table, boolean ordered, TableShape shape) throws SQLException {
        if (shape.id().equals(table) && drift(shape, ordered).isEmpty()) {
            bind(table, ordered, shape, Lsn.ZERO);
        }
    }

    /** Forgets the table's columns: they may have changed since they were read. */
    public void forget(TableId table) {
        bound.remove(table);
    }

    /** The caller's transaction did not commit; so the columns that it added are gone too. */
    public void rolledBack() {
        altered.forEach(bound::remove);
        altered.clear();
        events.clear();
    }

    /**
     * Writes the events of the schema; the last statements of the caller's transaction. Written earlier, they would make other
     * writers of events wait for the rest of the transaction, or for one another.
     */
    public void writeEvents() throws SQLException {
        for (SchemaEvent event : events) {
            SchemaLog.append(target, event);
        }
        events.clear();
    }

    private BoundTable bind(TableId table, boolean ordered, TableShape shape, Lsn asOf) throws SQLException {
        // By identity: the decoder makes one shape object for each schema, and comparing hundreds of columns for each
        // batch is wasted time.
        Map<TableShape, BoundTable> shapes = bound.computeIfAbsent(table, id -> new IdentityHashMap<>());
        BoundTable known = shapes.get(shape);
        if (known == null) {
            if (!shape.id().equals(table)) {
                throw new DataException(
                        "apply changes to",
                        table.toString(),
                        "its topic holds changes of " + shape.id(),
                        "Check who else writes to this migration's topics");
            }
            follow(shape, ordered, asOf);
            known = BoundTable.bind(shape, TargetCatalog.read(target, table));
            shapes.put(shape, known);
        }
        return known;
    }

    private List<String> drift(TableShape shape, boolean ordered) throws SQLException {
        // A partition takes no column of its own; its parent gets the column.
        TableId root = TargetCatalog.partitionRoot(target, shape.id());
        return TableDrift.statements(
                shape, root, TargetCatalog.existing(target, shape.id()), ordered && root.equals(shape.id()));
    }

    private void follow(TableShape shape, boolean ordered, Lsn asOf) throws SQLException {
        List<String> statements = drift(shape, ordered);
        if (statements.isEmpty()) {
            return;
        }
        Set<String> before = TargetCatalog.existing(target, shape.id()).keySet();
        for (String sql : statements) {
            LOG.info("{}", sql);
            altered.add(shape.id());
            OneStatement.execute(target, sql);
        }
        events.addAll(AddedColumns.read(target, shape.id(), before, asOf));
    }

    private void execute(TableId table, Step step) throws SQLException {
        if (step instanceof Step.Rows rows) {
            execute(table, rows);
        } else if (step instanceof Step.Copy rows) {
            copy(table, rows);
        } else if (step instanceof Step.Repair repair) {
            repair(table, repair);
        } else {
            truncate(table);
        }
    }

    /**
     * A row that cannot be repaired stays as it was, and the table goes on: the proof finds the row again. Example: another row of
     * the target, which nobody has found yet, holds the row's value of a unique column.
     */
    private void repair(TableId table, Step.Repair step) throws SQLException {
        if (attempt(table, step.together())) {
            return;
        }
        int left = step.singly().isEmpty() ? 1 : 0;
        for (List<Step.Rows> row : step.singly()) {
            left += attempt(table, row) ? 0 : 1;
        }
        if (left > 0) {
            LOG.warn("{}: {} rows cannot be repaired, and stay as they were", table, left);
        }
    }

    private boolean attempt(TableId table, List<Step.Rows> statements) throws SQLException {
        Savepoint before = target.setSavepoint();
        try {
            for (Step.Rows statement : statements) {
                execute(table, statement);
            }
            target.releaseSavepoint(before);
            return true;
        } catch (SQLException e) {
            String state = String.valueOf(Sessions.state(e));
            if (!state.startsWith(REFUSED_ROW) && !state.startsWith(REFUSED_VALUE)) {
                throw e;
            }
            // Not the server's words, which hold values.
            LOG.info("{}: a repair was refused by the target, SQLSTATE {}", table, state);
            target.rollback(before);
            return false;
        }
    }

    private void execute(TableId table, Step.Rows step) throws SQLException {
        try (PreparedStatement statement = target.prepareStatement(step.sql())) {
            for (int i = 0; i < step.arrays().size(); i++) {
                // OTHER = without a type: the server takes the type that the statement names.
                statement.setObject(i + 1, step.arrays().get(i), Types.OTHER);
            }
            int rows = statement.executeUpdate();
            if (step.counted() && rows != step.rows()) {
                String verb = step.sql().substring(0, step.sql().indexOf(' ')).replace("WITH", "UPDATE");
                throw new DataException(
                        "apply changes to",
                        table.toString(),
                        verb + " found " + rows + " of " + step.rows() + " rows",
                        "Another program writes to the table on the target; stop that program, then "
                                + Remedies.reload(table));
            }
        }
    }

    private void copy(TableId table, Step.Copy step) throws SQLException {
        long rows = copy.copy(target, step);
        if (rows != step.rows().size()) {
            // A trigger that is newer than what is known of the table. What happens then is for a statement to show.
            throw new DataException(
                    "apply changes to",
                    table.toString(),
                    "COPY wrote " + rows + " of " + step.rows().size() + " rows",
                    "");
        }
    }

    /** Empties a table. */
    public void truncate(TableId table) throws SQLException {
        // TRUNCATE is refused while a foreign key refers to the table, even if the table has no rows and its triggers
        // are disabled.
        String sql = isReferenced(table) ? "DELETE FROM " : "TRUNCATE ";
        String only = TargetCatalog.isPartitioned(target, table) ? "" : "ONLY ";
        try (Statement statement = target.createStatement()) {
            statement.executeUpdate(sql + only + table.quoted());
        }
    }

    private boolean isReferenced(TableId table) throws SQLException {
        try (PreparedStatement statement = target.prepareStatement(REFERENCED)) {
            statement.setString(1, table.quoted());
            try (ResultSet row = statement.executeQuery()) {
                row.next();
                return row.getBoolean(1);
            }
        }
    }
}
