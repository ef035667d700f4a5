package io.wherry.contract.record;

import io.wherry.contract.postgres.Lsn;
import io.wherry.contract.postgres.Timeline;
import java.util.Objects;

/**
 * What a Kafka transaction covers, written inside it: every source transaction whose commit LSN is at or below
 * {@code commitLsn} is in Kafka, whole, once.
 *
 * @param commitLsn LSN of the last covered COMMIT record (BEGIN's {@code final_lsn}; PostgreSQL documentation, section 54.9)
 * @param endLsn end of that COMMIT record: where the slot may move to
 * @param commitMillis the commit's time on the source's clock, ms since 1970
 * @param timeline of the server that sent it; null = a source-connector of before wrote it
 */
public record Position(Lsn commitLsn, Lsn endLsn, long commitMillis, Timeline timeline) {
    public Position {
        Objects.requireNonNull(commitLsn, "commitLsn");
        Objects.requireNonNull(endLsn, "endLsn");
    }

    public Position(Lsn commitLsn, Lsn endLsn, long commitMillis) {
        this(commitLsn, endLsn, commitMillis, null);
    }
}
