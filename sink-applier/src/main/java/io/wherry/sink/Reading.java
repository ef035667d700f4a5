package io.wherry.sink;

import io.wherry.contract.DataException;
import io.wherry.contract.LargeValues;
import io.wherry.contract.Lsn;
import io.wherry.contract.TableShape;
import io.wherry.sink.Checkpoints.Move;
import java.util.ArrayList;
import java.util.List;
import org.apache.kafka.clients.consumer.ConsumerRecord;
import org.apache.kafka.clients.consumer.OffsetAndMetadata;
import org.apache.kafka.common.TopicPartition;

/**
 * A partition that is being read, and where in it source transactions end.
 *
 * <p>A batch may end in the middle of a source transaction: a poll gives what it gives. Where the target checks constraints at
 * commit, that is not always possible. Counterexample: {@code pos int UNIQUE DEFERRABLE}, rows (1,1) to (5000,5000), and on the
 * source {@code UPDATE t SET pos = pos % 5000 + 1}. After 2000 events 2000 rows hold 2 to 2001, and row 2001 still holds
 * 2001: our commit is refused, whatever order the 2000 are written in, although the source was never seen so. Then the
 * events of the unfinished transaction are held back here, and the batch ends before it.
 */
final class Reading {
    private final Relation relation;
    private final TopicPartition partition;
    private final String generation;
    private final LargeValues.Joiner joiner = new LargeValues.Joiner();
    private final List<Change> held = new ArrayList<>();
    private long checkpoint;
    private long from;
    /** Of the change last seen; null = none yet. */
    private TableShape shape;

    private Lsn lastLsn = Lsn.ZERO;
    private int cut;
    private long cutOffset;
    private Lsn cutLsn = Lsn.ZERO;
    private boolean complete;

    /**
     * @param generation {@link LostCommits#generation}
     * @param checkpoint offset of the first record to read
     */
    Reading(Relation relation, TopicPartition partition, String generation, long checkpoint) {
        this.relation = relation;
        this.partition = partition;
        this.generation = generation;
        this.checkpoint = checkpoint;
    }

    Relation relation() {
        return relation;
    }

    TopicPartition partition() {
        return partition;
    }

    /** Whether some parts of a large value have come, and the last has not. */
    boolean isInsideValue() {
        return joiner.unfinishedFrom() >= 0;
    }

    long checkpoint() {
        return checkpoint;
    }

    /** The checkpoint as Kafka is told of it. */
    OffsetAndMetadata groupOffset() {
        return new OffsetAndMetadata(checkpoint, generation);
    }

    /** The target's checkpoint has moved. */
    void moved(long nextOffset) {
        checkpoint = nextOffset;
    }

    /** Begins a batch, with what was held back. */
    void begin(ChangeBatch batch) {
        cut = 0;
        cutOffset = checkpoint;
        if (held.isEmpty()) {
            cutLsn = lastLsn;
        } else {
            batch.part(relation).changes().addAll(held);
        }
    }

    /** Offset of the first record of the change last begun with. */
    long from() {
        return from;
    }

    /**
     * Adds the change that ends with {@code record} to the batch, unless the table changed its shape just before it: what came
     * before must be committed then, because a table that stops here goes on here, after the operator has altered it, and
     * cannot take rows of the earlier shape any more.
     *
     * @return whether to go on; false = the partition must be read again {@link #from} there on, in another batch
     * @throws DataException when the record is not a change that can be applied
     */
    boolean add(ConsumerRecord<byte[], byte[]> record, ChangeDecoder decoder, ChangeBatch batch) {
        if (joiner.unfinishedFrom() < 0) {
            from = record.offset();
        }
        byte[] value = joiner.add(record);
        if (value == null && joiner.unfinishedFrom() >= 0) {
            return true;
        }
        Change change = decoder.decode(value, relation.table(), partition + " offset " + record.offset());
        Lsn lsn = new Lsn(change.commitLsn());
        boolean loaded = !lsn.isAfter(relation.snapshotLsn());
        if (!loaded) {
            TableShape earlier = shape;
            shape = change.shape();
            if (earlier != null && earlier != shape) {
                return false;
            }
        }
        batch.took(value.length);
        List<Change> changes = batch.part(relation).changes();
        if (!lsn.equals(lastLsn)) {
            cut = changes.size();
            cutOffset = from;
            cutLsn = lastLsn;
            lastLsn = lsn;
        }
        if (!loaded) {
            requireUnbroken(change);
            requireOneKey(change);
            changes.add(change);
        }
        return true;
    }

    private void requireUnbroken(Change change) {
        if (change.kind() == Change.Kind.BREAK) {
            throw new DataException(
                    "apply changes to",
                    relation.table().toString(),
                    "it is carried whole, and on the source one of its partitions was truncated by itself, or has another"
                            + " replica identity than the others",
                    "wherry reload --table " + relation.table());
        }
    }

    private void requireOneKey(Change change) {
        if (relation.partitions() > 1 && change.concernsSeveralKeys()) {
            throw new DataException(
                    "apply changes to",
                    relation.table().toString(),
                    "a key change or TRUNCATE on a table with several change partitions, whose order is not known here",
                    "Remove it from apply.partitions and load it again");
        }
    }

    /**
     * Ends a batch.
     *
     * @param position of the consumer
     * @param complete nothing committed to Kafka is left after {@code position}, so no source transaction is cut
     * @throws DataException when the parts of a value that are still missing will not come: its table must not hold up others
     */
    void end(ChangeBatch batch, long position, boolean complete) {
        if (complete) {
            joiner.requireWhole(partition);
        }
        this.complete = complete;
        boolean extending = !held.isEmpty();
        held.clear();
        long unfinished = joiner.unfinishedFrom();
        long next = unfinished >= 0 ? unfinished : position;
        if (next > checkpoint) {
            batch.part(relation).moves().add(new Move(partition, checkpoint, next, lastLsn));
        }
        if (extending) {
            // Without trying: the commit would be refused again, and each try takes longer than the last.
            holdBack(batch);
        }
    }

    /**
     * Takes what belongs to an unfinished source transaction out of the batch, and keeps it for the next one.
     *
     * @return false when there is none: what fails then fails for good
     */
    boolean holdBack(ChangeBatch batch) {
        if (complete || relation.partitions() > 1) {
            return false;
        }
        complete = true;
        ChangeBatch.Part part = batch.part(relation);
        List<Change> unfinished = part.changes().subList(cut, part.changes().size());
        held.addAll(unfinished);
        unfinished.clear();
        part.moves().clear();
        if (cutOffset > checkpoint) {
            part.moves().add(new Move(partition, checkpoint, cutOffset, cutLsn));
        }
        return true;
    }
}
