package io.wherry.contract.record;

import io.wherry.contract.postgres.Lsn;
import java.util.Map;
import java.util.Objects;

/**
 * Which topics hold the rows. Record of the control topic with key {@value #KEY}, in {@link Pieces}: written when the coordinator
 * starts, after each load, and when an id has changed.
 *
 * @param generation of the flow, from 1
 * @param lsn the end of the source's log before the ids were read
 * @param topics Kafka's id of each topic that holds rows: a topic that was deleted and re-created has another id
 */
public record TopicsSeen(int generation, Lsn lsn, Map<String, String> topics) {
    /** Key of these records in the control topic. */
    public static final String KEY = "topics-seen";

    public TopicsSeen {
        Generations.require(generation);
        Objects.requireNonNull(lsn, "lsn");
        topics = Map.copyOf(topics);
    }
}
