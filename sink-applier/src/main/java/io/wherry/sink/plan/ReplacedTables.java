package io.wherry.sink.plan;

import io.wherry.contract.config.Flow;
import io.wherry.contract.config.Migration;
import io.wherry.contract.config.Migration.TargetSchemaMode;
import io.wherry.contract.error.DataException;
import io.wherry.contract.name.Remedies;
import io.wherry.contract.name.TableId;
import io.wherry.contract.postgres.CatalogColumns;
import io.wherry.contract.postgres.Sessions;
import io.wherry.contract.record.LoadPlan;
import io.wherry.contract.record.SchemaEvent;
import io.wherry.contract.record.SchemaLog;
import io.wherry.sink.state.Barriers;
import io.wherry.sink.state.Failures;
import io.wherry.sink.state.TableStates;
import io.wherry.sink.table.TargetCatalog;
import java.sql.Array;
import java.sql.Connection;
import java.sql.PreparedStatement;
import java.sql.ResultSet;
import java.sql.SQLException;
import java.sql.Savepoint;
import java.sql.Statement;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeMap;
import java.util.stream.Collectors;
import java.util.stream.Stream;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Removes tables that Wherry created and that no longer match what the source has under their name: another table was renamed to
 * that name, or the table has other columns. Their rows are re-loaded anyway, and the coordinator re-creates the tables as they
 * are on the source now. They are dropped together, because two tables that swapped names have each other's indexes and
 * sequences. Not safe for use by several threads.
 */
final class ReplacedTables {
    private static final Logger LOG = LoggerFactory.getLogger(ReplacedTables.class);
    // FOR UPDATE: batches that are being written to these tables end first.
    private static final String AFFECTED = """
            SELECT schema_name, table_name, topic, load_epoch, coalesce(source_oid, 0) AS source_oid, stopped_because IS NOT NULL
              FROM wherry.relation r
             WHERE load_epoch < ? AND (source_oid = ANY (CAST(? AS bigint[])) OR (schema_name, table_name) IN (
                   SELECT * FROM unnest(CAST(? AS text[]), CAST(? AS text[]))))
             ORDER BY schema_name, table_name FOR UPDATE
            """;
    private static final List<String> FORGET = List.of(
            "DELETE FROM wherry.chunk WHERE schema_name = ? AND table_name = ?",
            "DELETE FROM wherry.ddl WHERE schema_name = ? AND table_name = ? AND stage = 'TABLE'",
            "DELETE FROM wherry.checkpoint WHERE topic = (SELECT topic FROM wherry.relation"
                    + " WHERE schema_name = ? AND table_name = ?)",
            "DELETE FROM wherry.relation WHERE schema_name = ? AND table_name = ?");

    private final Migration migration;
    private final int generation;
    private final Connection target;
    private final long epoch;
    /** Tables that were stopped here. */
    private final Set<TableId> waiting = new HashSet<>();

    private final Set<TableId> reported = new HashSet<>();
    /** What the transaction did to the schema. */
    private final List<SchemaEvent> events = new ArrayList<>();

    /** @param target session in transaction mode */
    ReplacedTables(Flow flow, Connection target, long epoch) {
        this.migration = flow.migration();
        this.generation = flow.generation();
        this.target = target;
        this.epoch = epoch;
    }

    private record Old(TableId id, String topic, int loadEpoch, long oid, boolean stopped) {}

    /** Removes the tables that the plan loads under another oid or shape; part of the caller's transaction. */
    void remove(LoadPlan plan) throws SQLException {
        events.clear();
        if (migration.schema() != TargetSchemaMode.CREATE) {
            return;
        }
        List<LoadPlan.Table> reloaded = plan.tables().stream()
                .filter(table -> table.resumed() == null && table.oid() != 0)
                .toList();
        Map<TableId, LoadPlan.Table> byName = new HashMap<>();
        reloaded.forEach(table -> byName.put(table.id(), table));
        Map<TableId, Old> old = new TreeMap<>();
        for (Old one : affected(plan.epoch(), reloaded)) {
            if (TargetCatalog.exists(target, one.id()) && isReplaced(one, byName.get(one.id()))) {
                old.put(one.id(), one);
            }
        }
        if (!old.isEmpty() && drop(List.copyOf(old.values())) != null) {
            for (Old one : old.values()) {
                String problem = drop(List.of(one));
                if (problem != null) {
                    keep(one, byName.get(one.id()), problem);
                }
            }
        }
    }

    /** Writes the events of the schema; the last statements of the caller's transaction, as others wait for its end then. */
    void writeEvents() throws SQLException {
        for (SchemaEvent event : events) {
            SchemaLog.append(target, event);
        }
        events.clear();
    }

    /** @param now what the source has under the name; null = the source has the table under another name */
    private boolean isReplaced(Old old, LoadPlan.Table now) throws SQLException {
        if (old.stopped() && waiting.contains(old.id())) {
            return false;
        }
        waiting.remove(old.id());
        return now == null || old.oid() != 0 && old.oid() != now.oid() || differs(now);
    }

    /** Whether the table cannot take its new load before the operator has acted. */
    boolean waits(TableId table) {
        return waiting.contains(table);
    }

    private boolean differs(LoadPlan.Table now) throws SQLException {
        return now.shape() != 0 && now.shape() != CatalogColumns.shape(target, now.id());
    }

    /** @return why the tables could not be dropped; null = they are dropped */
    private String drop(List<Old> tables) throws SQLException {
        Savepoint before = target.setSavepoint();
        String names = tables.stream().map(one -> one.id().quoted()).collect(Collectors.joining(", "));
        try (Statement statement = target.createStatement()) {
            statement.execute("DROP TABLE " + names);
        } catch (SQLException e) {
            if (Failures.isRetryable(Sessions.state(e))) {
                throw e;
            }
            target.rollback(before);
            return e.getMessage();
        }
        forget(tables);
        events.add(SchemaEvent.dropped(generation, tables.stream().map(Old::id).toList()));
        return null;
    }

    private void forget(List<Old> tables) throws SQLException {
        for (Old one : tables) {
            LOG.info(
                    "{} is another table on the source now; the target's table was dropped and is re-created and loaded",
                    one.id());
            Barriers.forget(target, one.topic());
            for (String sql : FORGET) {
                try (PreparedStatement statement = target.prepareStatement(sql)) {
                    statement.setString(1, one.id().schema());
                    statement.setString(2, one.id().table());
                    statement.executeUpdate();
                }
            }
        }
    }

    /** Other objects depend on the table. It can still take the rows if it has their columns; otherwise the operator must act. */
    private void keep(Old old, LoadPlan.Table now, String problem) throws SQLException {
        if (reported.add(old.id())) {
            LOG.warn("{} cannot be re-created on the target: {}", old.id(), problem);
        }
        if (now != null && differs(now)) {
            DataException failure = new DataException(
                    "load",
                    old.id().toString(),
                    "the source's table has other columns now, and the target's cannot be re-created: " + problem,
                    "On the target, drop the objects that depend on the table, then " + Remedies.retry(old.id()));
            TableStates.stop(target, old.id(), old.loadEpoch(), failure.explained(), epoch);
            waiting.add(old.id());
        }
    }

    private List<Old> affected(int planEpoch, List<LoadPlan.Table> reloaded) throws SQLException {
        List<Old> affected = new ArrayList<>();
        try (PreparedStatement statement = target.prepareStatement(AFFECTED)) {
            statement.setInt(1, planEpoch);
            statement.setArray(2, array("int8", reloaded.stream().map(LoadPlan.Table::oid)));
            statement.setArray(
                    3, array("text", reloaded.stream().map(table -> table.id().schema())));
            statement.setArray(
                    4, array("text", reloaded.stream().map(table -> table.id().table())));
            try (ResultSet row = statement.executeQuery()) {
                while (row.next()) {
                    affected.add(new Old(
                            new TableId(row.getString(1), row.getString(2)),
                            row.getString(3),
                            row.getInt(4),
                            row.getLong(5),
                            row.getBoolean(6)));
                }
            }
        }
        return affected;
    }

    private Array array(String type, Stream<?> values) throws SQLException {
        return target.createArrayOf(type, values.toArray());
    }
}
