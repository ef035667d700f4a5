package io.wherry.sink.state;

import io.wherry.contract.name.TableId;
import io.wherry.contract.postgres.Lsn;
import java.sql.Connection;
import java.sql.PreparedStatement;
import java.sql.ResultSet;
import java.sql.SQLException;
import java.util.LinkedHashMap;
import java.util.Map;

/** SQL on {@code wherry.relation} and {@code wherry.chunk}. */
public final class TableStates {
    private static final String ALL = """
            SELECT schema_name, table_name, topic, partitions, load_epoch, snapshot_lsn::text, chunks,
                   ready_at IS NOT NULL AS ready, stopped_because IS NOT NULL AS stopped
              FROM wherry.relation ORDER BY schema_name, table_name
            """;

    private static final String LOADED = """
            SELECT (SELECT count(*) FROM wherry.chunk c WHERE c.schema_name = r.schema_name
                       AND c.table_name = r.table_name AND c.load_epoch = r.load_epoch) = r.chunks
              FROM wherry.relation r WHERE r.schema_name = ? AND r.table_name = ? AND r.load_epoch = ?
            """;

    private static final String STOPPED = """
            SELECT FROM wherry.relation WHERE schema_name = ? AND table_name = ? AND stopped_because IS NOT NULL
            """;

    private static final String STOP = """
            UPDATE wherry.relation SET stopped_because = ?
             WHERE schema_name = ? AND table_name = ? AND load_epoch = ?
               AND EXISTS (SELECT FROM wherry.applier WHERE epoch = ?)
            """;

    private TableStates() {}

    public static Map<TableId, TableState> all(Connection target) throws SQLException {
        Map<TableId, TableState> relations = new LinkedHashMap<>();
        try (PreparedStatement statement = target.prepareStatement(ALL);
                ResultSet row = statement.executeQuery()) {
            while (row.next()) {
                TableId table = new TableId(row.getString("schema_name"), row.getString("table_name"));
                relations.put(
                        table,
                        new TableState(
                                table,
                                row.getString("topic"),
                                row.getInt("partitions"),
                                row.getInt("load_epoch"),
                                Lsn.parse(row.getString("snapshot_lsn")),
                                row.getInt("chunks"),
                                row.getBoolean("ready"),
                                row.getBoolean("stopped")));
            }
        }
        return relations;
    }

    /** Whether every chunk of the table's load is on the target. */
    public static boolean isLoaded(Connection target, TableState relation) throws SQLException {
        try (PreparedStatement statement = target.prepareStatement(LOADED)) {
            statement.setString(1, relation.table().schema());
            statement.setString(2, relation.table().table());
            statement.setInt(3, relation.loadEpoch());
            try (ResultSet row = statement.executeQuery()) {
                return row.next() && row.getBoolean(1);
            }
        }
    }

    public static boolean isStopped(Connection target, TableId table) throws SQLException {
        try (PreparedStatement statement = target.prepareStatement(STOPPED)) {
            statement.setString(1, table.schema());
            statement.setString(2, table.table());
            try (ResultSet row = statement.executeQuery()) {
                return row.next();
            }
        }
    }

    /** Marks a table as stopped, unless the table is being re-loaded or another instance has taken over in the meantime. */
    public static void stop(Connection target, TableId table, int loadEpoch, String reason, long epoch)
            throws SQLException {
        try (PreparedStatement statement = target.prepareStatement(STOP)) {
            statement.setString(1, reason);
            statement.setString(2, table.schema());
            statement.setString(3, table.table());
            statement.setInt(4, loadEpoch);
            statement.setLong(5, epoch);
            statement.executeUpdate();
        }
    }
}
