package io.wherry.sink.state;

import io.wherry.contract.postgres.Lsn;
import java.util.Map;
import java.util.OptionalLong;
import java.util.concurrent.ConcurrentHashMap;
import org.apache.kafka.common.TopicPartition;

/**
 * The source commit at which applying ends, the same for all tables. Nothing of a later commit is applied, in whatever partition it
 * stands. Safe for use by several threads.
 */
public final class Until {
    private final Lsn last;
    private final Map<TopicPartition, Long> firstBeyond = new ConcurrentHashMap<>();

    /** @param last commit LSN that is applied; null = there is no end */
    private Until(Lsn last) {
        this.last = last;
    }

    /** Applies whatever comes. */
    public static Until never() {
        return new Until(null);
    }

    public static Until commit(Lsn last) {
        return new Until(last);
    }

    /** Whether there is an end. */
    public boolean isSet() {
        return last != null;
    }

    /** Whether changes of the commit are not applied. */
    public boolean excludes(Lsn commitLsn) {
        return last != null && commitLsn.isAfter(last);
    }

    /** A change that is excluded stands at this offset, and nothing before it in the partition is. */
    public void found(TopicPartition partition, long offset) {
        firstBeyond.put(partition, offset);
    }

    /** Offset of the first excluded change of the partition; empty = none was found yet. */
    public OptionalLong firstBeyond(TopicPartition partition) {
        Long offset = firstBeyond.get(partition);
        return offset == null ? OptionalLong.empty() : OptionalLong.of(offset);
    }
}
