package io.wherry.sink.state;

import java.sql.Connection;
import java.sql.PreparedStatement;
import java.sql.ResultSet;
import java.sql.SQLException;
import java.util.HashMap;
import java.util.Map;
import java.util.concurrent.ConcurrentHashMap;
import org.apache.kafka.clients.consumer.OffsetAndMetadata;
import org.apache.kafka.common.TopicPartition;

/**
 * What the consumer group of the migration shows to Kafka's tools: for each partition, the first offset that is not yet applied. The
 * checkpoints of the target are the truth. Between two looks at them, the threads that apply tell here what they have moved. Safe for
 * use by several threads.
 */
public final class GroupOffsets {
    /** The metadata of a load partition, which belongs to no table. */
    private static final String UNMARKED = "";

    // The start time distinguishes this target from another one that the same topics were applied to.
    private static final String MARKED = """
            SELECT c.topic, c.partition, c.next_offset,
                   CASE WHEN r.topic IS NULL THEN '' ELSE coalesce(m.started_at::text, '') || ' load ' || r.load_epoch END
              FROM wherry.checkpoint c LEFT JOIN wherry.relation r USING (topic),
                   (SELECT max(started_at) AS started_at FROM wherry.migration) m
             WHERE (r.topic IS NOT NULL OR c.topic = ?) AND EXISTS (SELECT FROM wherry.applier WHERE epoch = ?)
            """;

    private static final String LOAD_MARK =
            "SELECT coalesce((SELECT max(started_at) FROM wherry.migration)::text, '') || ' load ' || ?";

    private final String loadTopic;
    private final long epoch;
    private final Map<TopicPartition, OffsetAndMetadata> moved = new ConcurrentHashMap<>();
    private final Map<TopicPartition, OffsetAndMetadata> applied = new HashMap<>();

    /** @param epoch of this instance, {@code wherry.applier} */
    public GroupOffsets(String loadTopic, long epoch) {
        this.loadTopic = loadTopic;
        this.epoch = epoch;
    }

    /** The metadata of a group offset of a table: it names the target and the load. */
    public static String loadMark(Connection target, int loadEpoch) throws SQLException {
        try (PreparedStatement statement = target.prepareStatement(LOAD_MARK)) {
            statement.setInt(1, loadEpoch);
            try (ResultSet row = statement.executeQuery()) {
                row.next();
                return row.getString(1);
            }
        }
    }

    /** Whether the offset is of a table's changes, whose loss on the target can be seen. */
    static boolean isMarked(OffsetAndMetadata offset) {
        return !offset.metadata().equals(UNMARKED);
    }

    /**
     * The committed checkpoints of the load partitions and of every table's partitions.
     *
     * @param epoch of this instance; nothing is returned once another instance has taken over
     */
    static Map<TopicPartition, OffsetAndMetadata> read(Connection target, String loadTopic, long epoch)
            throws SQLException {
        Map<TopicPartition, OffsetAndMetadata> checkpoints = new HashMap<>();
        try (PreparedStatement statement = target.prepareStatement(MARKED)) {
            statement.setString(1, loadTopic);
            statement.setLong(2, epoch);
            try (ResultSet row = statement.executeQuery()) {
                while (row.next()) {
                    checkpoints.put(
                            new TopicPartition(row.getString(1), row.getInt(2)),
                            new OffsetAndMetadata(row.getLong(3), row.getString(4)));
                }
            }
        }
        return checkpoints;
    }

    /** The target has committed the checkpoint of a table's partition. */
    public void moved(TopicPartition partition, OffsetAndMetadata checkpoint) {
        moved.put(partition, checkpoint);
    }

    /**
     * A lane has read up to here, and needs nothing that it has read any more. The checkpoint may be less: it does not move past the
     * markers of transactions, which are no records.
     */
    public void readUpTo(TopicPartition lane, long position) {
        moved.put(lane, new OffsetAndMetadata(position, UNMARKED));
    }

    /**
     * Looks at the checkpoints of the target. Within an epoch nothing goes back for one load of a table. Counterexample: the target
     * comes back without its last commits; this look is the first at its checkpoints, and the group shows them; then nothing
     * shows the loss to {@link LostCommits} of the next epoch.
     *
     * @param target in transaction mode
     * @throws io.wherry.contract.error.FencedException when another instance has taken over, or the target serves
     */
    public synchronized void look(Connection target) throws SQLException {
        new Checkpoints(target, epoch).requireCurrent();
        Map<TopicPartition, OffsetAndMetadata> checkpoints = read(target, loadTopic, epoch);
        target.rollback();
        applied.keySet().retainAll(checkpoints.keySet());
        checkpoints.forEach((partition, checkpoint) ->
                applied.merge(partition, checkpoint, (before, now) -> isAhead(before, now) ? before : now));
    }

    /** What the group is to show: what the last look found, and what has moved since. */
    public synchronized Map<TopicPartition, OffsetAndMetadata> current() {
        for (TopicPartition partition : moved.keySet()) {
            OffsetAndMetadata move = moved.remove(partition);
            // A move of a load that the last look did not find is of an earlier load, or the next look finds it.
            applied.computeIfPresent(partition, (same, before) -> isAhead(move, before) ? move : before);
        }
        return Map.copyOf(applied);
    }

    /** Whether it is further in the same load of the same table. */
    private static boolean isAhead(OffsetAndMetadata one, OffsetAndMetadata other) {
        return one.metadata().equals(other.metadata()) && one.offset() > other.offset();
    }
}
