package io.wherry.sink.read;

import io.wherry.contract.error.DataException;
import io.wherry.contract.name.Remedies;
import io.wherry.contract.postgres.Lsn;
import io.wherry.contract.postgres.TableShape;
import io.wherry.contract.record.Barrier;
import io.wherry.contract.record.Barrier.Section;
import io.wherry.contract.record.LargeValues;
import io.wherry.sink.merge.Change;
import io.wherry.sink.merge.ChangeBatch;
import io.wherry.sink.state.BarrierProgress;
import io.wherry.sink.state.BarrierProgress.Note;
import io.wherry.sink.state.BarrierProgress.PartitionProgress;
import io.wherry.sink.state.Checkpoints.Move;
import io.wherry.sink.state.TableState;
import io.wherry.sink.state.Until;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import org.apache.kafka.clients.consumer.ConsumerRecord;
import org.apache.kafka.clients.consumer.OffsetAndMetadata;
import org.apache.kafka.common.TopicPartition;

/**
 * A partition that is being read, and where source transactions end in the partition.
 *
 * <p>A batch may end in the middle of a source transaction, wherever a poll ends. Where the target checks constraints at commit,
 * that is not always possible. Counterexample: {@code pos int UNIQUE DEFERRABLE}, rows (1,1) to (5000,5000), and on the source
 * {@code UPDATE t SET pos = pos % 5000 + 1}. After 2000 events, 2000 rows hold 2 to 2001, and row 2001 still holds 2001. The
 * target refuses the commit, in whatever order the 2000 events are written, although no reader of the source ever saw this state.
 * Then the cursor holds back the events of the unfinished transaction, and the batch ends before that transaction.
 */
public final class PartitionCursor {
    /**
     * What one poll of changes may bring. The consumer's limits are for compressed bytes but for one: 8 MiB of one repeated
     * word are gigabytes. So few records a poll, each of at most {@link LargeValues#PART_BYTES}, and several polls a batch.
     */
    public static final Map<String, Object> FETCH =
            Map.of("max.poll.records", 64, "max.partition.fetch.bytes", 1 << 20, "fetch.max.bytes", 8 << 20);

    private final TableState relation;
    private final TopicPartition partition;
    private final String loadMark;
    private final SourceTransactionEnds ends;
    private final Until until;
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
    /** Offset up to which the batch was read. */
    private long next;
    /** Whether nothing is held back of the batch: its last source transaction is whole, or was held back already. */
    private boolean settled;
    /** The barrier at which the partition waits; null = none. */
    private Note barrier;
    /** The section that partition 0 applies for all; null = none. */
    private Section section;
    /** Whether the next change is excluded: nothing more of the partition is applied. */
    private boolean atEnd;

    /**
     * @param loadMark {@code GroupOffsets#loadMark}
     * @param until where applying ends
     * @param standing progress of the table's partitions: the cursor starts where an earlier cursor was
     */
    public PartitionCursor(
            TableState relation,
            TopicPartition partition,
            String loadMark,
            BarrierProgress standing,
            SourceTransactionEnds ends,
            Until until) {
        this.ends = ends;
        this.until = until;
        this.relation = relation;
        this.partition = partition;
        this.loadMark = loadMark;
        PartitionProgress place = standing.places().get(partition.partition());
        checkpoint = place.checkpoint();
        section = partition.partition() == 0 ? standing.section().orElse(null) : null;
        barrier = place.waits() ? place.note() : null;
    }

    public TableState relation() {
        return relation;
    }

    public TopicPartition partition() {
        return partition;
    }

    /** Whether some parts of a large value have come, but not the last part. */
    public boolean isInsideValue() {
        return joiner.unfinishedFrom() >= 0;
    }

    public long checkpoint() {
        return checkpoint;
    }

    /** The checkpoint as the consumer group shows it. */
    public OffsetAndMetadata groupOffset() {
        return new OffsetAndMetadata(checkpoint, loadMark);
    }

    /** The target's checkpoint has moved. */
    public void moved(long nextOffset) {
        checkpoint = nextOffset;
    }

    /** The barrier at which the partition waits, read up to there and not beyond; null = the partition is to be read. */
    public Note barrier() {
        return barrier;
    }

    /** Whether the partition has come to the end of what is to be applied. */
    public boolean isAtEnd() {
        return atEnd;
    }

    /** All partitions have come to the barrier, and this partition continues for all of them. */
    void applyBarrier() {
        section = barrier.section();
        barrier = null;
    }

    /** The barrier was applied, and the checkpoint moved past it, by partition 0. */
    void passBarrier() {
        checkpoint = barrier.next();
        barrier = null;
    }

    /** Starts a batch, with what was held back. */
    public void begin(ChangeBatch batch) {
        cut = 0;
        cutOffset = checkpoint;
        if (held.isEmpty()) {
            cutLsn = lastLsn;
        } else {
            batch.part(relation).changes().addAll(held);
        }
    }

    /** Offset of the first record of the change that was read last. */
    public long from() {
        return from;
    }

    /**
     * Adds the change that ends with {@code record} to the batch, unless the table changed its shape just before the change. What came
     * before must be committed then: a table that stops here continues here, after the operator has altered it, and cannot take
     * rows of the earlier shape any more. The same holds before a barrier, and at the end of its section.
     *
     * @return whether to continue; false = the partition must be read again from {@link #from} on, in another batch
     * @throws DataException when the record is not a change that can be applied
     */
    public boolean add(ConsumerRecord<byte[], byte[]> record, ChangeDecoder decoder, ChangeBatch batch) {
        if (joiner.unfinishedFrom() < 0) {
            from = record.offset();
        }
        byte[] value = joiner.add(record);
        if (value == null && joiner.unfinishedFrom() >= 0) {
            return true;
        }
        Change change = decoder.decode(record, value, relation.table());
        Lsn lsn = new Lsn(change.commitLsn());
        Section mark = Barrier.section(record);
        if (section != null && !section.equals(mark)) {
            endSection(batch);
            return false;
        }
        if (until.excludes(lsn)) {
            atEnd = true;
            until.found(partition, from, section != null);
            return false;
        }
        boolean loaded = !lsn.isAfter(relation.snapshotLsn());
        if (!loaded) {
            TableShape earlier = shape;
            shape = change.shape();
            if (earlier != null && earlier != shape) {
                return false;
            }
        }
        // Also where the load holds the change: of its section it may not hold all.
        if (relation.partitions() > 1 && section == null) {
            requireMark(mark, change, !loaded && change.concernsSeveralKeys(), record);
            if (mark != null) {
                barrier = new Note(partition.partition(), mark, from, record.offset() + 1);
                batch.part(relation).notes().add(barrier);
                return false;
            }
        }
        batch.took(relation.table(), value.length);
        List<Change> changes = batch.part(relation).changes();
        if (!lsn.equals(lastLsn)) {
            cut = changes.size();
            cutOffset = from;
            cutLsn = lastLsn;
            lastLsn = lsn;
        }
        if (!loaded) {
            Completeness.require(relation.table(), change);
            changes.add(change);
        }
        return true;
    }

    private void requireMark(Section mark, Change change, boolean severalKeys, ConsumerRecord<byte[], byte[]> record) {
        if (mark == null ? severalKeys : !mark.equals(new Section(new Lsn(change.commitLsn()), change.order()))) {
            throw new DataException(
                    "apply changes to",
                    relation.table().toString(),
                    partition + " offset " + record.offset() + " is a change of several keys without a barrier",
                    "A source-connector of an earlier version wrote it, or records were removed; "
                            + Remedies.reload(relation.table()));
        }
    }

    private void endSection(ChangeBatch batch) {
        batch.part(relation).ended().add(section);
        section = null;
    }

    /**
     * Ends a batch.
     *
     * @param position of the consumer
     * @param complete nothing that is committed to Kafka is left after {@code position}
     * @throws DataException when the parts of a value that are still missing will not come: its table must not block others
     */
    public void end(ChangeBatch batch, long position, boolean complete) {
        if (complete) {
            joiner.requireWhole(partition);
        }
        this.complete = complete;
        next = position;
        // A source transaction may be cut where Kafka has nothing more yet; that is asked for when the target refuses.
        settled = false;
        boolean extending = !held.isEmpty();
        held.clear();
        long unfinished = joiner.unfinishedFrom();
        long checked = unfinished >= 0 ? unfinished : position;
        if (complete && section != null) {
            endSection(batch);
        }
        boolean noted = barrier != null && batch.part(relation).notes().contains(barrier);
        if (checked > checkpoint || noted) {
            batch.part(relation).moves().add(new Move(partition, checkpoint, checked, lastLsn));
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
    public boolean holdBack(ChangeBatch batch) {
        if (settled || relation.partitions() > 1) {
            return false;
        }
        settled = true;
        // At the end, the change that is excluded belongs to another source transaction.
        if (atEnd || complete && ends.isWhole(lastLsn, partition, next)) {
            return false;
        }
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
