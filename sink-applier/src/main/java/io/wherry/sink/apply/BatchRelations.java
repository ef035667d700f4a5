package io.wherry.sink.apply;

import io.wherry.contract.name.TableId;
import io.wherry.contract.record.Barrier.Section;
import io.wherry.sink.merge.Change.Kind;
import io.wherry.sink.merge.ChangeBatch;
import io.wherry.sink.merge.ChangeBatch.Part;
import io.wherry.sink.state.Barriers;
import java.sql.Connection;
import java.sql.PreparedStatement;
import java.sql.ResultSet;
import java.sql.SQLException;
import java.util.HashSet;
import java.util.List;
import java.util.Set;

/** What a batch does to {@code wherry.relation} and {@code wherry.barrier}, within the transaction that writes the batch. */
final class BatchRelations {
    // KEY SHARE: a new load of the table, which removes the table's rows, waits for this transaction.
    // Another worker that counts changes of the same table does not wait.
    private static final String HOLD = """
            SELECT r.schema_name, r.table_name
              FROM wherry.relation r, unnest(?::text[], ?::text[], ?::int[]) AS u(schema_name, table_name, load_epoch)
             WHERE r.schema_name = u.schema_name AND r.table_name = u.table_name AND r.load_epoch = u.load_epoch
               AND r.ready_at IS NOT NULL AND r.stopped_because IS NULL
             ORDER BY r.schema_name, r.table_name FOR KEY SHARE OF r
            """;

    // All workers lock the tables in the same order. Counterexample: the batches of two workers both hold changes
    // of the tables a and b. One worker has counted a and waits for b; the other has counted b and waits for a.
    private static final String COUNT = """
            WITH counted AS (
              SELECT r.schema_name, r.table_name FROM wherry.relation r, unnest(?::text[], ?::text[]) AS n(schema_name, table_name)
               WHERE r.schema_name = n.schema_name AND r.table_name = n.table_name
               ORDER BY 1, 2 FOR NO KEY UPDATE OF r)
            UPDATE wherry.relation r SET inserts = r.inserts + u.inserts, updates = r.updates + u.updates,
                   deletes = r.deletes + u.deletes, truncates = r.truncates + u.truncates
              FROM unnest(?::text[], ?::text[], ?::bigint[], ?::bigint[], ?::bigint[], ?::bigint[])
                   AS u(schema_name, table_name, inserts, updates, deletes, truncates)
              JOIN counted USING (schema_name, table_name)
             WHERE r.schema_name = u.schema_name AND r.table_name = u.table_name
            """;

    private final Connection target;
    private final Barriers barriers;

    BatchRelations(Connection target, Barriers barriers) {
        this.target = target;
        this.barriers = barriers;
    }

    /**
     * Makes sure that the tables stay as they are until the transaction ends.
     *
     * @return tables whose changes may not be applied any more: stopped, or being re-loaded
     */
    Set<TableId> hold(ChangeBatch batch) throws SQLException {
        List<Part> held = batch.parts().stream().filter(Part::holds).toList();
        Set<TableId> stale = new HashSet<>();
        if (held.isEmpty()) {
            return stale;
        }
        held.forEach(part -> stale.add(part.relation().table()));
        try (PreparedStatement statement = target.prepareStatement(HOLD)) {
            names(statement, held, 1);
            Object[] epochs =
                    held.stream().map(part -> part.relation().loadEpoch()).toArray();
            statement.setArray(3, target.createArrayOf("int4", epochs));
            try (ResultSet row = statement.executeQuery()) {
                while (row.next()) {
                    stale.remove(new TableId(row.getString(1), row.getString(2)));
                }
            }
        }
        return stale;
    }

    /** Writes which partitions wait at a barrier, and releases the partitions whose barrier is passed. */
    void pass(ChangeBatch batch) throws SQLException {
        for (Part part : batch.parts()) {
            barriers.note(part.relation(), part.notes());
            for (Section section : part.ended()) {
                barriers.release(part.relation(), section);
            }
        }
    }

    /** Adds the changes to the counters of their tables. */
    void count(ChangeBatch batch) throws SQLException {
        List<Part> changed = changed(batch);
        if (changed.isEmpty()) {
            return;
        }
        try (PreparedStatement statement = target.prepareStatement(COUNT)) {
            names(statement, changed, 1);
            names(statement, changed, 3);
            int index = 5;
            for (Kind kind : List.of(Kind.INSERT, Kind.UPDATE, Kind.DELETE, Kind.TRUNCATE)) {
                Object[] counts = changed.stream()
                        .map(part -> part.changes().stream()
                                .filter(change -> change.kind() == kind)
                                .count())
                        .toArray();
                statement.setArray(index++, target.createArrayOf("int8", counts));
            }
            statement.executeUpdate();
        }
    }

    private List<Part> changed(ChangeBatch batch) {
        return batch.parts().stream().filter(part -> !part.changes().isEmpty()).toList();
    }

    private void names(PreparedStatement statement, List<Part> parts, int index) throws SQLException {
        Object[] schemas =
                parts.stream().map(part -> part.relation().table().schema()).toArray();
        Object[] tables =
                parts.stream().map(part -> part.relation().table().table()).toArray();
        statement.setArray(index, target.createArrayOf("text", schemas));
        statement.setArray(index + 1, target.createArrayOf("text", tables));
    }
}
