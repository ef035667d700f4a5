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
    private final Map<TopicPartition, Found> found = new ConcurrentHashMap<>();

    private record Found(long offset, boolean withinSection) {}

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

    /**
     * A change that is excluded stands at this offset, and nothing before it in the partition is.
     *
     * @param withinSection whether the change belongs to the section of a barrier that the partition applies for all
     */
    public void found(TopicPartition partition, long offset, boolean withinSection) {
        found.put(partition, new Found(offset, withinSection));
    }

    /** Offset of the first excluded change of the partition; empty = none was found yet. */
    public OptionalLong firstBeyond(TopicPartition partition) {
        Found first = found.get(partition);
        return first == null ? OptionalLong.empty() : OptionalLong.of(first.offset());
    }

    /** Whether the end cuts a section that the partition applies for all: then the others wait at its barrier for good. */
    public boolean cutsSection(TopicPartition partition) {
        Found first = found.get(partition);
        return first != null && first.withinSection();
    }
}
