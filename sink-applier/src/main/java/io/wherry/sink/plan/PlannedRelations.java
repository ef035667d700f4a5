package io.wherry.sink.plan;

import io.wherry.contract.name.TableId;
import io.wherry.contract.record.LoadPlan;
import io.wherry.sink.state.Barriers;
import java.sql.Connection;
import java.sql.PreparedStatement;
import java.sql.ResultSet;
import java.sql.SQLException;

/** Writes tables of load plans to {@code wherry.relation}, within the caller's transaction. */
final class PlannedRelations {
    private static final String KNOWN_EPOCH =
            "SELECT load_epoch FROM wherry.relation WHERE schema_name = ? AND table_name = ? FOR UPDATE";

    private static final String RELATION = """
            INSERT INTO wherry.relation (topic, partitions, load_epoch, snapshot_lsn, chunks, rows_estimated, bytes_estimated,
                   source_oid, schema_name, table_name)
            VALUES (?, ?, ?, CAST(? AS pg_lsn), ?, ?, ?, nullif(?, 0), ?, ?)
            ON CONFLICT (schema_name, table_name) DO UPDATE SET topic = EXCLUDED.topic, partitions = EXCLUDED.partitions,
                   load_epoch = EXCLUDED.load_epoch, snapshot_lsn = EXCLUDED.snapshot_lsn, chunks = EXCLUDED.chunks,
                   rows_estimated = EXCLUDED.rows_estimated, bytes_estimated = EXCLUDED.bytes_estimated,
                   source_oid = EXCLUDED.source_oid, ready_at = NULL, stopped_because = NULL
            """;

    private static final String FORGET_CHUNKS =
            "DELETE FROM wherry.chunk WHERE schema_name = ? AND table_name = ? AND load_epoch < ?";

    private final Connection target;

    PlannedRelations(Connection target) {
        this.target = target;
    }

    /** Number of the load that the table is from; 0 = the table is not known. The number stays until the transaction ends. */
    int knownEpoch(TableId table) throws SQLException {
        try (PreparedStatement statement = target.prepareStatement(KNOWN_EPOCH)) {
            statement.setString(1, table.schema());
            statement.setString(2, table.table());
            try (ResultSet row = statement.executeQuery()) {
                return row.next() ? row.getInt(1) : 0;
            }
        }
    }

    /** The table is from this load now, and no change of an earlier one waits. */
    void put(LoadPlan plan, LoadPlan.Table table) throws SQLException {
        Barriers.forget(target, table.topic());
        try (PreparedStatement statement = target.prepareStatement(RELATION)) {
            statement.setString(1, table.topic());
            statement.setInt(2, table.partitions());
            statement.setInt(3, plan.epoch());
            statement.setString(4, plan.snapshotLsn().toString());
            statement.setInt(5, table.chunks());
            statement.setLong(6, table.rowsEstimated());
            statement.setLong(7, table.bytesEstimated());
            statement.setLong(8, table.oid());
            statement.setString(9, table.id().schema());
            statement.setString(10, table.id().table());
            statement.executeUpdate();
        }
    }

    /** The chunks of earlier loads than the plan's are no longer the table's. */
    void forgetChunks(LoadPlan plan, LoadPlan.Table table) throws SQLException {
        try (PreparedStatement statement = target.prepareStatement(FORGET_CHUNKS)) {
            statement.setString(1, table.id().schema());
            statement.setString(2, table.id().table());
            statement.setInt(3, plan.epoch());
            statement.executeUpdate();
        }
    }
}
