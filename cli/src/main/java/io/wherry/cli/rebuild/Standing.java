package io.wherry.cli.rebuild;

import io.wherry.contract.error.DataException;
import io.wherry.contract.name.TableId;
import io.wherry.coordinator.sql.Queries;
import io.wherry.sink.state.TableState;
import io.wherry.sink.state.TableStates;
import io.wherry.sink.state.Until;
import java.sql.Connection;
import java.sql.SQLException;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.stream.IntStream;
import org.apache.kafka.common.TopicPartition;

/**
 * Where the new target stands, read at one moment.
 *
 * @param tables that the sink-applier knows
 * @param chunks of each table that are on the target, of its present load
 * @param checkpoints of the change partitions
 * @param stopped tables that cannot go on, with the reason
 * @param barriers partitions that wait for partition 0 of their table
 */
record Standing(
        Map<TableId, TableState> tables,
        Map<TableId, Long> chunks,
        Map<TopicPartition, Long> checkpoints,
        List<String> stopped,
        Set<TopicPartition> barriers) {
    private static final String CHUNKS = """
            SELECT r.schema_name, r.table_name, count(c.chunk) FROM wherry.relation r LEFT JOIN wherry.chunk c
                ON c.schema_name = r.schema_name AND c.table_name = r.table_name AND c.load_epoch = r.load_epoch GROUP BY 1, 2
            """;
    // One statement: a partition that has passed its barrier must not seem to wait while another is at its end.
    private static final String PLACES = """
            SELECT c.topic, c.partition, c.next_offset, b.topic IS NOT NULL FROM wherry.checkpoint c LEFT JOIN wherry.barrier b
                ON b.topic = c.topic AND b.partition = c.partition AND b.at_offset = c.next_offset
            """;
    private static final String STOPPED = "SELECT schema_name || '.' || table_name || ': ' || stopped_because"
            + " FROM wherry.relation WHERE stopped_because IS NOT NULL ORDER BY 1";

    private record Place(TopicPartition partition, long checkpoint, boolean waits) {}

    static Standing read(Connection target) throws SQLException {
        List<String> stopped = Queries.strings(target, STOPPED);
        Map<TableId, Long> chunks = new HashMap<>();
        Queries.list(
                target, row -> chunks.put(new TableId(row.getString(1), row.getString(2)), row.getLong(3)), CHUNKS);
        Map<TopicPartition, Long> checkpoints = new HashMap<>();
        Set<TopicPartition> barriers = new HashSet<>();
        for (Place place : Queries.list(
                target,
                row -> new Place(
                        new TopicPartition(row.getString(1), row.getInt(2)), row.getLong(3), row.getBoolean(4)),
                PLACES)) {
            checkpoints.put(place.partition(), place.checkpoint());
            if (place.waits()) {
                barriers.add(place.partition());
            }
        }
        return new Standing(TableStates.all(target), chunks, checkpoints, stopped, barriers);
    }

    /** @throws DataException when a table cannot go on */
    Standing requireRunning() {
        requireRunning(stopped);
        return this;
    }

    /** @throws DataException when there is such a table */
    static void requireRunning(List<String> stopped) {
        if (!stopped.isEmpty()) {
            throw new DataException(
                    "rebuild",
                    "from the topics",
                    String.join("; ", stopped),
                    "Remove the cause on the new target, then give the same command again, which continues");
        }
    }

    boolean isLoaded(TableState table) {
        return chunks.getOrDefault(table.table(), 0L) == table.chunks();
    }

    /** Whether the table has everything up to the goal, and nothing after it. */
    boolean isComplete(Goal.Table table, Map<TopicPartition, Long> vector, Until until) {
        TableState state = tables.get(table.id());
        if (state == null || !state.ready() || !isLoaded(state)) {
            return false;
        }
        TopicPartition first = new TopicPartition(table.topic(), 0);
        // A section of a barrier is applied by partition 0 alone, for all. If the goal is within it, the others wait
        // for good. At the end of what was in Kafka they do not: partition 0 is there before its section has ended.
        boolean cut = until.cutsSection(first) && isAtFirstBeyond(first, until);
        return isAtEnd(first, vector, until)
                && IntStream.range(1, table.partitions())
                        .mapToObj(partition -> new TopicPartition(table.topic(), partition))
                        .allMatch(
                                partition -> isAtEnd(partition, vector, until) || cut && barriers.contains(partition));
    }

    private boolean isAtEnd(TopicPartition partition, Map<TopicPartition, Long> vector, Until until) {
        return checkpoint(partition) >= vector.getOrDefault(partition, Long.MAX_VALUE)
                || isAtFirstBeyond(partition, until);
    }

    private boolean isAtFirstBeyond(TopicPartition partition, Until until) {
        return until.firstBeyond(partition).orElse(Long.MIN_VALUE) == checkpoint(partition);
    }

    private long checkpoint(TopicPartition partition) {
        return checkpoints.getOrDefault(partition, -1L);
    }
}
