package io.wherry.sink.state;

import io.wherry.contract.error.FencedException;
import io.wherry.contract.error.RetryableException;
import io.wherry.contract.postgres.Lsn;
import java.sql.Connection;
import java.sql.PreparedStatement;
import java.sql.ResultSet;
import java.sql.SQLException;
import java.util.Collection;
import java.util.HashMap;
import java.util.Map;
import org.apache.kafka.common.TopicPartition;

/**
 * SQL on {@code wherry.checkpoint}. Checkpoints move by compare-and-set, in the transaction that holds the rows.
 *
 * @param epoch of this instance, {@code wherry.applier}
 */
public record Checkpoints(Connection target, long epoch) {
    private static final String READ =
            "SELECT partition, next_offset, commit_lsn::text FROM wherry.checkpoint WHERE topic = ?";

    private static final String MOVE = """
            UPDATE wherry.checkpoint c SET next_offset = u.next, commit_lsn = greatest(c.commit_lsn, u.lsn::pg_lsn)
              FROM unnest(?::text[], ?::int[], ?::bigint[], ?::bigint[], ?::text[]) AS u(topic, partition, old, next, lsn)
             WHERE c.topic = u.topic AND c.partition = u.partition AND c.next_offset = u.old AND c.epoch = ?
            """;

    private static final String CURRENT_EPOCH = "SELECT epoch FROM wherry.applier";

    /**
     * @param nextOffset first offset not yet applied
     * @param commitLsn of the last applied change
     */
    public record Checkpoint(long nextOffset, Lsn commitLsn) {}

    /** @param lsn of the last change applied with this move; {@link Lsn#ZERO} when there was none */
    public record Move(TopicPartition partition, long oldOffset, long nextOffset, Lsn lsn) {}

    /** The checkpoints of a topic's partitions. */
    public Map<TopicPartition, Checkpoint> read(String topic) throws SQLException {
        Map<TopicPartition, Checkpoint> checkpoints = new HashMap<>();
        try (PreparedStatement statement = target.prepareStatement(READ)) {
            statement.setString(1, topic);
            try (ResultSet row = statement.executeQuery()) {
                while (row.next()) {
                    checkpoints.put(
                            new TopicPartition(topic, row.getInt("partition")),
                            new Checkpoint(row.getLong("next_offset"), Lsn.parse(row.getString("commit_lsn"))));
                }
            }
        }
        return checkpoints;
    }

    /**
     * Moves checkpoints within the caller's transaction.
     *
     * @throws FencedException when another instance has taken over, or the target serves
     * @throws RetryableException when a table is being re-loaded, which sets its checkpoints back
     */
    public void move(Collection<Move> moves) throws SQLException {
        if (moves.isEmpty()) {
            return;
        }
        int moved;
        try (PreparedStatement statement = target.prepareStatement(MOVE)) {
            array(
                    statement,
                    1,
                    "text",
                    moves.stream().map(m -> m.partition().topic()).toArray());
            array(
                    statement,
                    2,
                    "int4",
                    moves.stream().map(m -> m.partition().partition()).toArray());
            array(statement, 3, "int8", moves.stream().map(Move::oldOffset).toArray());
            array(statement, 4, "int8", moves.stream().map(Move::nextOffset).toArray());
            array(
                    statement,
                    5,
                    "text",
                    moves.stream().map(m -> m.lsn().toString()).toArray());
            statement.setLong(6, epoch);
            moved = statement.executeUpdate();
        }
        if (moved < moves.size()) {
            requireCurrent();
            throw new RetryableException(
                    "move checkpoint of",
                    moves.iterator().next().partition().topic(),
                    "the checkpoint has another value than expected",
                    "");
        }
    }

    /** @throws FencedException when another instance has taken over, or the target serves */
    public void requireCurrent() throws SQLException {
        requireCurrent(CURRENT_EPOCH);
    }

    /** As {@link #requireCurrent}; also, no other instance can take over before the caller's transaction ends. */
    public void holdCurrent() throws SQLException {
        requireCurrent(CURRENT_EPOCH + " FOR SHARE");
    }

    private void requireCurrent(String sql) throws SQLException {
        try (PreparedStatement statement = target.prepareStatement(sql);
                ResultSet row = statement.executeQuery()) {
            if (!row.next() || row.getLong(1) != epoch) {
                throw new FencedException(
                        "write to",
                        "target",
                        "epoch " + epoch + " has ended: another sink-applier has taken over, or the target serves",
                        "");
            }
        }
    }

    private static void array(PreparedStatement statement, int index, String type, Object[] values)
            throws SQLException {
        statement.setArray(index, statement.getConnection().createArrayOf(type, values));
    }
}
