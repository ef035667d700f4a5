package io.wherry.contract.record;

import io.wherry.contract.config.Flow;
import io.wherry.contract.postgres.Lsn;
import io.wherry.contract.postgres.Timeline;
import java.util.Objects;

/**
 * What a Kafka transaction covers, written inside that transaction: every source transaction whose commit LSN is at or below
 * {@code commitLsn} is in Kafka, whole, once. Of one more source transaction the first rows may be in Kafka too.
 *
 * <p>Record of the position topic. Each capture group writes to the partition with its number, so the last record of each
 * partition is the group's position, and the position of the database is the vector of them.
 *
 * @param generation of the flow that is captured ({@link io.wherry.contract.config.Flow}), from 1
 * @param commitLsn LSN of the last covered COMMIT record (BEGIN's {@code final_lsn}; PostgreSQL documentation, section 54.9);
 *     zero = none yet
 * @param endLsn end of that COMMIT record: where the slot may move to
 * @param commitMillis the commit's time on the source's clock, ms since 1970
 * @param timeline of the server that sent the transaction
 * @param part of the next source transaction that is in Kafka too; null = none of it
 */
public record Position(int generation, Lsn commitLsn, Lsn endLsn, long commitMillis, Timeline timeline, Part part) {
    /**
     * The first rows of a source transaction.
     *
     * @param commitLsn of the transaction
     * @param rowLsn LSN of the WAL record of the last row
     * @param messages of that WAL record that are in Kafka: COPY writes several rows as one WAL record
     * @param order of the last row within the transaction
     */
    public record Part(Lsn commitLsn, Lsn rowLsn, int messages, long order) {
        public Part {
            Objects.requireNonNull(commitLsn, "commitLsn");
            Objects.requireNonNull(rowLsn, "rowLsn");
        }
    }

    public Position {
        Objects.requireNonNull(commitLsn, "commitLsn");
        Objects.requireNonNull(endLsn, "endLsn");
        Generations.require(generation);
    }

    /** Of the first generation, at the end of a source transaction. */
    public Position(Lsn commitLsn, Lsn endLsn, long commitMillis, Timeline timeline) {
        this(Flow.FIRST_GENERATION, commitLsn, endLsn, commitMillis, timeline, null);
    }

    /** The same position, with the first rows of the next source transaction, which came from a server of this timeline. */
    public Position within(Timeline sender, Part first) {
        return new Position(generation, commitLsn, endLsn, commitMillis, sender, first);
    }

    /** The highest commit LSN of which Kafka holds any row. */
    public Lsn newestCommit() {
        return part == null ? commitLsn : part.commitLsn();
    }

    /** The highest LSN of the source's write-ahead log that Kafka depends on: the source must hold this LSN. */
    public Lsn newest() {
        return part == null ? endLsn : Lsn.max(endLsn, part.commitLsn());
    }

    /** Whether the row is in Kafka. */
    public boolean covers(Lsn rowsCommit, long order) {
        return !rowsCommit.isAfter(commitLsn)
                || part != null && part.commitLsn().equals(rowsCommit) && order <= part.order();
    }
}
