package io.wherry.sink.state;

import io.wherry.contract.error.DataException;
import io.wherry.contract.name.Remedies;
import io.wherry.contract.name.TableId;
import io.wherry.contract.postgres.Lsn;
import io.wherry.contract.record.Barrier.Section;
import java.util.List;
import java.util.Map;
import java.util.Optional;

/**
 * The progress of the partitions of one table, and what follows for one of them.
 *
 * <p>A barrier ({@link io.wherry.contract.record.Barrier}): each partition is applied up to it and waits. When all have come, partition 0
 * continues alone with the barrier's section, and with its last batch the others' checkpoints move past the barrier. Partition 0's
 * note stays until then, so a checkpoint of partition 0 beyond its note says that it is within the section.
 *
 * @param places by partition
 */
public record BarrierProgress(TableId table, int partitions, Map<Integer, PartitionProgress> places) {
    /**
     * A partition that is applied up to a barrier.
     *
     * @param section that begins there
     * @param at offset of the marked record
     * @param next offset after it
     */
    public record Note(int partition, Section section, long at, long next) {
        boolean isOfSameBarrier(Note other) {
            return other.section.equals(section);
        }
    }

    /**
     * @param checkpoint first offset not yet applied
     * @param commitLsn of the last applied change
     * @param note null = none
     */
    public record PartitionProgress(long checkpoint, Lsn commitLsn, Note note) {
        public boolean waits() {
            return note != null && note.at() == checkpoint;
        }
    }

    /** What a partition does that is at a barrier. */
    public enum Verdict {
        WAIT,
        /** All have come, and this is partition 0: it applies for all. */
        APPLY,
        /** Partition 0 has applied the barrier; continue after it. */
        GO_ON
    }

    /** The section that partition 0 is within, if it is. */
    public Optional<Section> section() {
        PartitionProgress first = places.get(0);
        return first != null
                        && first.note() != null
                        && first.checkpoint() > first.note().at()
                ? Optional.of(first.note().section())
                : Optional.empty();
    }

    /**
     * What the partition of the note does next.
     *
     * @throws DataException when the partitions cannot meet: their records contradict each other
     */
    public Verdict of(Note own) {
        PartitionProgress place = places.get(own.partition());
        if (place.note() == null && place.checkpoint() >= own.next()) {
            return Verdict.GO_ON;
        }
        PartitionProgress first = places.get(0);
        boolean meets = first.note() != null && own.isOfSameBarrier(first.note());
        if (!meets && first.commitLsn().isAfter(own.section().commitLsn())) {
            throw contradiction(own, "partition 0 has been applied beyond it");
        }
        if (own.partition() > 0) {
            return Verdict.WAIT;
        }
        List<Note> arrived = places.values().stream()
                .filter(PartitionProgress::waits)
                .map(PartitionProgress::note)
                .toList();
        for (Note other : arrived) {
            // Every barrier is in every partition, and none is passed by one alone.
            if (!own.isOfSameBarrier(other)) {
                throw contradiction(own, "partition " + other.partition() + " waits at another");
            }
        }
        return arrived.size() == partitions ? Verdict.APPLY : Verdict.WAIT;
    }

    private DataException contradiction(Note own, String problem) {
        return new DataException(
                "apply changes to",
                table.toString(),
                "partition " + own.partition() + " waits at the barrier of transaction " + own.section() + ", but "
                        + problem,
                "Records of its topic were removed, or another program wrote to it; " + Remedies.reload(table));
    }
}
