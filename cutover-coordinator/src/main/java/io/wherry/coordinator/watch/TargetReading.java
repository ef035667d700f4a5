package io.wherry.coordinator.watch;

import io.wherry.contract.config.Migration;
import io.wherry.contract.name.TableId;
import io.wherry.coordinator.sql.Queries;
import io.wherry.coordinator.watch.Observation.TableProgress;
import java.sql.Connection;
import java.sql.SQLException;
import java.util.List;

/** Reads what the sink-applier records on the target: the progress of each table, and whether the sink-applier works. */
final class TargetReading {
    // A standby instance has a session too, but without the lock.
    private static final String SINK_SILENT = """
            SELECT (extract(epoch FROM pg_catalog.clock_timestamp() - max(a.state_change)) * 1000)::bigint
              FROM pg_catalog.pg_stat_activity a
             WHERE a.datname = pg_catalog.current_database() AND a.application_name = 'wherry ' || ? || ' sink'
               AND EXISTS (SELECT FROM pg_catalog.pg_locks l WHERE l.pid = a.pid AND l.locktype = 'advisory' AND l.granted)
            """;

    private static final String RELATIONS = """
            SELECT r.schema_name, r.table_name, r.load_epoch, r.chunks, coalesce(c.chunks, 0) AS done,
                   coalesce(c.rows, 0) AS loaded_rows, coalesce(c.bytes, 0) AS loaded_bytes, r.ready_at IS NOT NULL AS ready,
                   r.stopped_because, r.inserts, r.updates, r.deletes
              FROM wherry.relation r
              LEFT JOIN (SELECT schema_name, table_name, load_epoch, count(*) AS chunks, sum(rows) AS rows,
                                sum(bytes) AS bytes FROM wherry.chunk GROUP BY 1, 2, 3) c
                USING (schema_name, table_name, load_epoch)
            """;

    private TargetReading() {}

    /** The tables whose load is planned. */
    static List<TableProgress> relations(Connection target) throws SQLException {
        return Queries.list(
                target,
                row -> new TableProgress(
                        new TableId(row.getString(1), row.getString(2)),
                        row.getInt(3),
                        row.getInt(4),
                        row.getInt(5),
                        row.getLong(6),
                        row.getLong(7),
                        row.getBoolean(8),
                        row.getString(9),
                        row.getLong(10),
                        row.getLong(11),
                        row.getLong(12)),
                RELATIONS);
    }

    /** Milliseconds since the acting sink-applier's session was last active; null = there is no such session. */
    static Long sinkSilentMillis(Connection target, Migration migration) throws SQLException {
        return Queries.list(target, row -> row.getObject(1, Long.class), SINK_SILENT, migration.name())
                .get(0);
    }

    /** The commits that the target has lost, as text for people; null = none. */
    static String lost(Connection target) throws SQLException {
        return Queries.string(target, "SELECT lost FROM wherry.applier WHERE lost IS NOT NULL")
                .orElse(null);
    }
}
