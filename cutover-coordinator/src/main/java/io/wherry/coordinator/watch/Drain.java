package io.wherry.coordinator.watch;

import java.util.HashMap;
import java.util.Map;
import java.util.Set;
import org.apache.kafka.common.TopicPartition;

/** Whether the target holds everything up to a drain vector (pure). */
public final class Drain {
    private Drain() {}

    /**
     * @param vector end offset of every change partition
     * @param checkpoints next offset to be applied, by partition; a partition without checkpoint is not drained, even at offset 0:
     *     no worker has taken charge of it
     */
    public static boolean drained(Map<TopicPartition, Long> vector, Map<TopicPartition, Long> checkpoints) {
        return vector.entrySet().stream().allMatch(end -> {
            Long checkpoint = checkpoints.get(end.getKey());
            return checkpoint != null && checkpoint >= end.getValue();
        });
    }

    /** The vector without the partitions of these topics. */
    static Map<TopicPartition, Long> without(Map<TopicPartition, Long> vector, Set<String> topics) {
        Map<TopicPartition, Long> others = new HashMap<>(vector);
        others.keySet().removeIf(partition -> topics.contains(partition.topic()));
        return others;
    }

    /** Offsets not yet applied; null when a checkpoint is absent. */
    public static Long behind(Map<TopicPartition, Long> vector, Map<TopicPartition, Long> checkpoints) {
        long behind = 0;
        for (Map.Entry<TopicPartition, Long> end : vector.entrySet()) {
            Long checkpoint = checkpoints.get(end.getKey());
            if (checkpoint == null) {
                return null;
            }
            behind += Math.max(0, end.getValue() - checkpoint);
        }
        return behind;
    }

    /** How far the checkpoints are behind, as text for people. */
    public static String distance(Map<TopicPartition, Long> vector, Map<TopicPartition, Long> checkpoints) {
        Long behind = behind(vector, checkpoints);
        return (behind == null ? "an unknown number of" : behind) + " records behind";
    }
}
