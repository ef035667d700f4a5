package io.wherry.contract.record;

import io.wherry.contract.name.TableId;
import io.wherry.contract.postgres.Lsn;
import java.util.List;
import java.util.Map;
import java.util.Objects;

/**
 * What no stream carries, as last seen on the source. Record of the control topic with key {@value #KEY}, in {@link Pieces}; the
 * last one counts.
 *
 * @param generation of the flow, from 1
 * @param lsn the end of the source's log before the values were read: they hold every value that was taken before
 * @param atMillis the source's clock, ms since 1970
 * @param largeObjects how many there are
 * @param extensionTables tables of extensions that hold users' rows
 * @param topics Kafka's id of each topic that holds rows: a topic that was deleted and re-created has another id
 */
public record LastSeen(
        int generation,
        Lsn lsn,
        long atMillis,
        List<Sequence> sequences,
        long largeObjects,
        List<TableId> extensionTables,
        Map<String, String> topics) {
    /** Key of these records in the control topic. */
    public static final String KEY = "last-seen";

    public LastSeen {
        Generations.require(generation);
        Objects.requireNonNull(lsn, "lsn");
        sequences = List.copyOf(sequences);
        extensionTables = List.copyOf(extensionTables);
        topics = Map.copyOf(topics);
    }

    /**
     * A sequence.
     *
     * @param called whether the value was already returned: then the next value is one step further
     */
    public record Sequence(TableId id, long last, boolean called) {}

    /** Whether another record says the same, at another time. */
    public boolean saysTheSame(LastSeen other) {
        return sequences.equals(other.sequences)
                && largeObjects == other.largeObjects
                && extensionTables.equals(other.extensionTables)
                && topics.equals(other.topics);
    }
}
