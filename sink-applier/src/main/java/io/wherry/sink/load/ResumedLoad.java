package io.wherry.sink.load;

import io.wherry.contract.config.Flow;
import io.wherry.contract.error.DataException;
import io.wherry.contract.kafka.KafkaClients;
import io.wherry.contract.kafka.Positions;
import io.wherry.contract.kafka.SchemaRegistry;
import io.wherry.contract.name.Remedies;
import io.wherry.contract.name.TableId;
import io.wherry.contract.postgres.Lsn;
import io.wherry.contract.postgres.TableShape;
import io.wherry.contract.record.LargeValues;
import io.wherry.contract.record.LoadPlan;
import io.wherry.contract.record.LoadPlan.Resumed;
import io.wherry.sink.merge.ArrayLiteral;
import io.wherry.sink.merge.Change;
import io.wherry.sink.merge.StatementText;
import io.wherry.sink.read.ChangeDecoder;
import io.wherry.sink.read.PartitionCursor;
import io.wherry.sink.table.BoundTable;
import io.wherry.sink.table.BoundTable.BoundColumn;
import io.wherry.sink.table.TargetCatalog;
import io.wherry.sink.table.TargetColumn;
import io.wherry.sink.table.TargetTable;
import io.wherry.sink.write.RowsByKey;
import java.sql.Connection;
import java.sql.PreparedStatement;
import java.sql.ResultSet;
import java.sql.SQLException;
import java.sql.Types;
import java.time.Duration;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import org.apache.kafka.clients.consumer.ConsumerRecord;
import org.apache.kafka.clients.consumer.KafkaConsumer;
import org.apache.kafka.common.TopicPartition;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Prepares a half-loaded table for the rest of the load under another snapshot: removes each row whose key appears in a change
 * between the two snapshots ({@link Resumed}). Not safe for use by several threads.
 */
public final class ResumedLoad {
    private static final Logger LOG = LoggerFactory.getLogger(ResumedLoad.class);
    private static final Duration POLL = Duration.ofMillis(200);
    private static final int KEYS_AT_ONCE = 5000;

    private static final String APPLIED =
            "SELECT chunk FROM wherry.chunk WHERE schema_name = ? AND table_name = ? AND load_epoch = ?";

    private static final String SNAPSHOT =
            "SELECT snapshot_lsn::text FROM wherry.relation WHERE schema_name = ? AND table_name = ?";

    private static final String CARRY_OVER = """
            UPDATE wherry.chunk SET load_epoch = ?
             WHERE schema_name = ? AND table_name = ? AND load_epoch = ? AND chunk = ANY (?)
            """;

    private final Flow flow;
    private final Connection target;
    private final SchemaRegistry registry;

    /** @param target session in transaction mode */
    public ResumedLoad(Flow flow, Connection target, SchemaRegistry registry) {
        this.flow = flow;
        this.target = target;
        this.registry = registry;
    }

    /**
     * Whether the chunks that stay are on the target, and all changes that the new snapshot holds are in Kafka.
     *
     * @throws DataException when the target has a chunk that does not count: its rows cannot be told from others
     */
    public boolean ready(LoadPlan plan, LoadPlan.Table table) throws SQLException {
        Resumed resumed = table.resumed();
        Set<Integer> applied = new HashSet<>();
        try (PreparedStatement statement = target.prepareStatement(APPLIED)) {
            statement.setString(1, table.id().schema());
            statement.setString(2, table.id().table());
            statement.setInt(3, resumed.epoch());
            try (ResultSet row = statement.executeQuery()) {
                while (row.next()) {
                    applied.add(row.getInt(1));
                }
            }
        }
        boolean complete = applied.containsAll(resumed.chunks());
        applied.removeAll(resumed.chunks());
        // The last chunk is that of an earlier resumption: rows of the snapshot before this one, identified by their
        // keys.
        applied.remove(table.chunks() - 1);
        if (!applied.isEmpty()) {
            throw new DataException(
                    "continue the load of",
                    table.id().toString(),
                    "chunks " + applied + " came from a source-connector after another one had replaced it",
                    Remedies.reload(table.id()));
        }
        return complete && Positions.cover(flow, plan.snapshotLsn());
    }

    /** Removes stale rows and moves the chunks that stay to the new load; part of the caller's transaction. */
    public void begin(LoadPlan plan, LoadPlan.Table table) throws SQLException {
        Resumed resumed = table.resumed();
        Lsn since = snapshot(table.id());
        TargetTable onTarget = TargetCatalog.read(target, table.id());
        RowsByKey keys = new RowsByKey(target, onTarget, "wherry_touched", resumed.key());
        long touched = collect(table, new Touched(onTarget, resumed.key()), since, plan.snapshotLsn());
        int removed = touched == 0 ? 0 : keys.delete(resumed.key());
        keys.drop();
        try (PreparedStatement statement = target.prepareStatement(CARRY_OVER)) {
            statement.setInt(1, plan.epoch());
            statement.setString(2, table.id().schema());
            statement.setString(3, table.id().table());
            statement.setInt(4, resumed.epoch());
            statement.setArray(5, target.createArrayOf("int4", resumed.chunks().toArray()));
            statement.executeUpdate();
        }
        LOG.info(
                "Load {} of {} continues: {} chunks stay, {} changes from {} to {} removed {} rows of them",
                plan.epoch(),
                table.id(),
                resumed.chunks().size(),
                touched,
                since,
                plan.snapshotLsn(),
                removed);
    }

    private Lsn snapshot(TableId table) throws SQLException {
        try (PreparedStatement statement = target.prepareStatement(SNAPSHOT)) {
            statement.setString(1, table.schema());
            statement.setString(2, table.table());
            try (ResultSet row = statement.executeQuery()) {
                row.next();
                return Lsn.parse(row.getString(1));
            }
        }
    }

    private long collect(LoadPlan.Table table, Touched touched, Lsn since, Lsn until) throws SQLException {
        List<TopicPartition> partitions = new ArrayList<>();
        for (int i = 0; i < table.partitions(); i++) {
            partitions.add(new TopicPartition(table.topic(), i));
        }
        // Not the ends that readers of committed records see: a commit is confirmed before its marker is in every
        // partition.
        Map<TopicPartition, Long> ends;
        try (KafkaConsumer<byte[], byte[]> all =
                KafkaClients.consumer(flow.migration(), Map.of("isolation.level", "read_uncommitted"))) {
            ends = all.endOffsets(partitions);
        }
        ChangeDecoder decoder = new ChangeDecoder(registry, flow.generation());
        Map<TopicPartition, LargeValues.Joiner> joiners = new HashMap<>();
        try (KafkaConsumer<byte[], byte[]> consumer = KafkaClients.consumer(flow.migration(), PartitionCursor.FETCH)) {
            consumer.assign(partitions);
            consumer.seekToBeginning(partitions);
            while (partitions.stream().anyMatch(p -> consumer.position(p) < ends.get(p))) {
                for (ConsumerRecord<byte[], byte[]> record : consumer.poll(POLL)) {
                    TopicPartition partition = new TopicPartition(record.topic(), record.partition());
                    byte[] value = joiners.computeIfAbsent(partition, p -> new LargeValues.Joiner())
                            .add(record);
                    if (value == null) {
                        continue;
                    }
                    Change change = decoder.decode(record, value, table.id());
                    Lsn lsn = new Lsn(change.commitLsn());
                    if (lsn.isAfter(since) && !lsn.isAfter(until)) {
                        touched.add(change);
                    }
                }
            }
        }
        touched.flush();
        return touched.count;
    }

    /** Keys that are collected for the temporary table. */
    private final class Touched {
        private final List<String> key;
        private final List<TargetColumn> columns = new ArrayList<>();
        private List<ArrayLiteral> arrays = new ArrayList<>();
        private int rows;
        private long count;

        Touched(TargetTable table, List<String> key) {
            this.key = key;
            for (String name : key) {
                TargetColumn column = table.columns().get(name);
                columns.add(new TargetColumn(
                        name, column.type(), column.parameter(), column.equality(), column.operator(), false, false));
            }
            renew();
        }

        private void renew() {
            arrays = new ArrayList<>();
            key.forEach(column -> arrays.add(new ArrayLiteral()));
            rows = 0;
        }

        void add(Change change) throws SQLException {
            if (change.kind() == Change.Kind.TRUNCATE || change.kind() == Change.Kind.BREAK) {
                throw new DataException(
                        "continue the load of",
                        change.shape().id().toString(),
                        "the table was truncated between the two snapshots",
                        Remedies.reload(change.shape().id()));
            }
            add(change.shape(), change.before());
            add(change.shape(), change.after());
            count++;
        }

        private void add(TableShape shape, String[] row) throws SQLException {
            if (row == null) {
                return;
            }
            String[] values = new String[key.size()];
            for (int i = 0; i < row.length; i++) {
                int place = key.indexOf(shape.columns().get(i).name());
                if (place >= 0) {
                    values[place] = row[i];
                }
            }
            for (String value : values) {
                // An update that leaves the key unchanged may lack the key in one of the rows.
                if (value == null || Change.isUnchanged(value)) {
                    return;
                }
            }
            for (int i = 0; i < values.length; i++) {
                arrays.get(i).add(values[i]);
            }
            rows++;
            if (rows == KEYS_AT_ONCE) {
                flush();
            }
        }

        void flush() throws SQLException {
            if (rows == 0) {
                return;
            }
            List<BoundColumn> bound = new ArrayList<>();
            for (int i = 0; i < columns.size(); i++) {
                bound.add(new BoundColumn(i, columns.get(i), false, ""));
            }
            BoundTable into = new BoundTable(
                    new TableId("pg_temp", "wherry_touched"), false, false, bound, List.of(), false, false);
            try (PreparedStatement statement = target.prepareStatement(new StatementText(into).insert())) {
                for (int i = 0; i < arrays.size(); i++) {
                    statement.setObject(i + 1, arrays.get(i).finish(), Types.OTHER);
                }
                statement.executeUpdate();
            }
            renew();
        }
    }
}
