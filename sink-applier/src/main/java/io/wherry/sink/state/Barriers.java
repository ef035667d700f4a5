package io.wherry.sink.state;

import io.wherry.contract.error.FencedException;
import io.wherry.contract.error.RetryableException;
import io.wherry.contract.postgres.Lsn;
import io.wherry.contract.record.Barrier.Section;
import io.wherry.sink.state.BarrierProgress.Note;
import io.wherry.sink.state.BarrierProgress.PartitionProgress;
import java.sql.Connection;
import java.sql.PreparedStatement;
import java.sql.ResultSet;
import java.sql.SQLException;
import java.util.HashMap;
import java.util.List;
import java.util.Map;

/**
 * SQL on {@code wherry.barrier}: which partitions of a table have come to a barrier ({@link io.wherry.contract.record.Barrier}) and
 * wait there.
 */
public record Barriers(Checkpoints checkpoints) {
    private static final String READ = """
            SELECT c.partition, c.next_offset, c.commit_lsn::text, b.commit_lsn::text AS barrier_lsn, b.change_order,
                   b.at_offset, b.next_offset AS after_offset
              FROM wherry.checkpoint c LEFT JOIN wherry.barrier b USING (topic, partition) WHERE c.topic = ?
            """;

    private static final String NOTE = """
            INSERT INTO wherry.barrier (topic, partition, commit_lsn, change_order, at_offset, next_offset)
            VALUES (?, ?, CAST(? AS pg_lsn), ?, ?, ?)
            ON CONFLICT (topic, partition) DO UPDATE SET commit_lsn = EXCLUDED.commit_lsn,
                   change_order = EXCLUDED.change_order, at_offset = EXCLUDED.at_offset, next_offset = EXCLUDED.next_offset
            """;

    // Partition 0 moves its own checkpoint, as it has read on from the barrier.
    private static final String MOVE_OTHERS = """
            UPDATE wherry.checkpoint c SET next_offset = b.next_offset, commit_lsn = greatest(c.commit_lsn, b.commit_lsn)
              FROM wherry.barrier b
             WHERE b.topic = ? AND b.commit_lsn = CAST(? AS pg_lsn) AND b.change_order = ? AND b.partition > 0
               AND c.topic = b.topic AND c.partition = b.partition AND c.next_offset = b.at_offset AND c.epoch = ?
            """;

    private static final String END =
            "DELETE FROM wherry.barrier" + " WHERE topic = ? AND commit_lsn = CAST(? AS pg_lsn) AND change_order = ?";

    private static final String FORGET = "DELETE FROM wherry.barrier WHERE topic = ?";

    /** The progress of the table's partitions, all at one moment. */
    public BarrierProgress read(TableState relation) throws SQLException {
        Map<Integer, PartitionProgress> places = new HashMap<>();
        try (PreparedStatement statement = checkpoints.target().prepareStatement(READ)) {
            statement.setString(1, relation.topic());
            try (ResultSet row = statement.executeQuery()) {
                while (row.next()) {
                    String barrier = row.getString("barrier_lsn");
                    Note note = barrier == null
                            ? null
                            : new Note(
                                    row.getInt("partition"),
                                    new Section(Lsn.parse(barrier), row.getLong("change_order")),
                                    row.getLong("at_offset"),
                                    row.getLong("after_offset"));
                    places.put(
                            row.getInt("partition"),
                            new PartitionProgress(
                                    row.getLong("next_offset"), Lsn.parse(row.getString("commit_lsn")), note));
                }
            }
        }
        return new BarrierProgress(relation.table(), relation.partitions(), places);
    }

    /**
     * Notes that partitions have come to a barrier. Within the caller's transaction, which moves their checkpoints there, if only
     * from there to there: so a worker that was replaced notes nothing.
     */
    public void note(TableState relation, List<Note> notes) throws SQLException {
        if (notes.isEmpty()) {
            return;
        }
        try (PreparedStatement statement = checkpoints.target().prepareStatement(NOTE)) {
            for (Note note : notes) {
                statement.setString(1, relation.topic());
                statement.setInt(2, note.partition());
                statement.setString(3, note.section().commitLsn().toString());
                statement.setLong(4, note.section().order());
                statement.setLong(5, note.at());
                statement.setLong(6, note.next());
                statement.addBatch();
            }
            statement.executeBatch();
        }
    }

    /**
     * Lets the other partitions continue: all that partition 0 had to apply for them is in the caller's transaction or before.
     *
     * @throws FencedException when another instance has taken over
     * @throws RetryableException when a partition is not where it was left
     */
    public void release(TableState relation, Section section) throws SQLException {
        int moved;
        try (PreparedStatement statement = checkpoints.target().prepareStatement(MOVE_OTHERS)) {
            statement.setString(1, relation.topic());
            statement.setString(2, section.commitLsn().toString());
            statement.setLong(3, section.order());
            statement.setLong(4, checkpoints.epoch());
            moved = statement.executeUpdate();
        }
        int ended;
        try (PreparedStatement statement = checkpoints.target().prepareStatement(END)) {
            statement.setString(1, relation.topic());
            statement.setString(2, section.commitLsn().toString());
            statement.setLong(3, section.order());
            ended = statement.executeUpdate();
        }
        if (moved != relation.partitions() - 1 || ended != relation.partitions()) {
            checkpoints.requireCurrent();
            throw new RetryableException(
                    "let the partitions continue of",
                    relation.topic(),
                    moved + " of " + (relation.partitions() - 1) + " are at the barrier",
                    "");
        }
    }

    /** Forgets what was noted of a topic that is read again from its beginning, in the caller's transaction. */
    public static void forget(Connection target, String topic) throws SQLException {
        try (PreparedStatement statement = target.prepareStatement(FORGET)) {
            statement.setString(1, topic);
            statement.executeUpdate();
        }
    }
}
