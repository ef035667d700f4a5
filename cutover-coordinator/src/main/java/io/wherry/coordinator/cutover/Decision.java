package io.wherry.coordinator.cutover;

import io.wherry.contract.error.RetryableException;
import io.wherry.contract.name.TableId;
import io.wherry.contract.postgres.Lsn;
import io.wherry.coordinator.sql.Queries;
import java.sql.Connection;
import java.sql.SQLException;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import org.apache.kafka.common.TopicPartition;

/**
 * The facts that a switch is decided on: both sides were compared after the target had drained, and nothing has been loaded or
 * applied since. Checked in the transaction of the switch row, after that transaction has taken the appliers' right to write.
 *
 * <p>Counterexample without this check: {@code reload} was allowed in IN_SYNC and reached the source-connector within the window.
 * The table is truncated on the target after the comparison, and the switch row is committed.
 *
 * @param fenceLsn after each commit of another role
 * @param vector the drain vector
 * @param loads load epoch of each table when the target had drained
 */
public record Decision(Lsn fenceLsn, Map<TopicPartition, Long> vector, Map<TableId, Integer> loads) {
    private static final String LOADS = """
            SELECT r.schema_name, r.table_name, r.load_epoch, r.stopped_because,
                   r.ready_at IS NOT NULL
                   AND r.chunks <= (SELECT count(*) FROM wherry.chunk c WHERE c.schema_name = r.schema_name
                                       AND c.table_name = r.table_name AND c.load_epoch = r.load_epoch) AS ready
              FROM wherry.relation r ORDER BY 1, 2 FOR SHARE OF r
            """;

    private static final String CHECKPOINTS =
            "SELECT topic, partition, next_offset, commit_lsn::text FROM wherry.checkpoint ORDER BY 1, 2";

    public Decision {
        vector = Map.copyOf(vector);
        loads = Map.copyOf(loads);
    }

    private record Load(int epoch, String stopped, boolean ready) {}

    private record Checkpoint(long offset, Lsn lsn) {}

    /** The load epoch of each table on the target. */
    public static Map<TableId, Integer> loads(Connection target) throws SQLException {
        Map<TableId, Integer> loads = new HashMap<>();
        read(target).forEach((table, load) -> loads.put(table, load.epoch()));
        return loads;
    }

    /**
     * @param vector the present ends of the topics: the drain vector, or later ends
     * @param wanted the least load epoch that counts, of each table that is carried
     * @throws RetryableException with everything that has changed since the comparison
     */
    public void require(Connection target, Map<TopicPartition, Long> vector, Map<TableId, Integer> wanted)
            throws SQLException {
        List<String> changed = new ArrayList<>();
        Map<TableId, Load> now = read(target);
        new TreeMap<>(wanted).forEach((table, epoch) -> changes(table, epoch, now.get(table), changed));
        Map<TopicPartition, Checkpoint> checkpoints = new HashMap<>();
        Queries.list(
                target,
                row -> checkpoints.put(
                        new TopicPartition(row.getString(1), row.getInt(2)),
                        new Checkpoint(row.getLong(3), Lsn.parse(row.getString(4)))),
                CHECKPOINTS);
        vector.forEach((partition, end) -> changes(partition, end, checkpoints.get(partition), changed));
        if (!changed.isEmpty()) {
            throw new RetryableException(
                    "switch to",
                    "the target",
                    "the target is no longer what was compared: " + String.join("; ", changed),
                    "The source serves as before; cut over again when the state is IN_SYNC");
        }
    }

    private void changes(TableId table, int wanted, Load now, List<String> changed) {
        Integer before = loads.get(table);
        if (now == null || before == null) {
            changed.add(table + " is not loaded");
        } else if (now.epoch() != before || now.epoch() < wanted || !now.ready()) {
            changed.add(table + " is being re-loaded");
        } else if (now.stopped() != null) {
            changed.add(table + " has stopped: " + now.stopped());
        }
    }

    private void changes(TopicPartition partition, long end, Checkpoint now, List<String> changed) {
        if (now == null || now.offset() < end) {
            changed.add("the changes of " + partition + " up to offset " + end + " are applied only up to "
                    + (now == null ? "the beginning" : "offset " + now.offset()));
        } else if (now.lsn().isAfter(fenceLsn)) {
            changed.add("a change that was committed on the source after the fence (" + fenceLsn
                    + ") was applied, the last at " + now.lsn() + " in " + partition);
        }
    }

    private static Map<TableId, Load> read(Connection target) throws SQLException {
        Map<TableId, Load> loads = new HashMap<>();
        Queries.list(
                target,
                row -> loads.put(
                        new TableId(row.getString(1), row.getString(2)),
                        new Load(row.getInt(3), row.getString(4), row.getBoolean(5))),
                LOADS);
        return loads;
    }
}
