package io.wherry.cli.rebuild;

import static org.assertj.core.api.Assertions.assertThat;

import io.wherry.contract.name.TableId;
import io.wherry.contract.postgres.Lsn;
import io.wherry.sink.state.TableState;
import io.wherry.sink.state.Until;
import java.util.List;
import java.util.Map;
import java.util.Set;
import org.apache.kafka.common.TopicPartition;
import org.junit.jupiter.api.Test;

/** When a table with several partitions is complete. */
final class StandingTest {
    private static final TableId HOT = new TableId("public", "hot");
    private static final TopicPartition FIRST = new TopicPartition("m.public.hot", 0);
    private static final TopicPartition SECOND = new TopicPartition("m.public.hot", 1);
    private static final Lsn SNAPSHOT = new Lsn(10);
    private static final Goal.Table TABLE = new Goal.Table(HOT, FIRST.topic(), 2, List.of(1), SNAPSHOT);
    private static final Map<TopicPartition, Long> VECTOR = Map.of(FIRST, 20L, SECOND, 30L);

    private final Until until = Until.commit(new Lsn(100));

    @Test
    void atTheEndOfKafkaAPartitionThatWaitsIsNotComplete() {
        // Partition 0 has applied the section up to the end of what was in Kafka; the section has not ended yet.
        assertThat(isComplete(20, 5, Set.of(SECOND))).isFalse();
        assertThat(isComplete(20, 30, Set.of())).isTrue();
    }

    @Test
    void whereTheGoalIsWithinASectionTheOthersWaitForGood() {
        until.found(FIRST, 17, true);

        assertThat(isComplete(16, 5, Set.of(SECOND))).isFalse();
        assertThat(isComplete(17, 5, Set.of())).isFalse();
        assertThat(isComplete(17, 5, Set.of(SECOND))).isTrue();
    }

    @Test
    void whereTheGoalIsAfterASectionThePartitionThatWaitsIsNotComplete() {
        until.found(FIRST, 17, false);

        assertThat(isComplete(17, 5, Set.of(SECOND))).isFalse();
        until.found(SECOND, 8, false);
        assertThat(isComplete(17, 8, Set.of())).isTrue();
    }

    private boolean isComplete(long first, long second, Set<TopicPartition> waiting) {
        TableState state = new TableState(HOT, FIRST.topic(), 2, 1, SNAPSHOT, 1, true, false);
        return new Standing(
                        Map.of(HOT, state), Map.of(HOT, 1L), Map.of(FIRST, first, SECOND, second), List.of(), waiting)
                .isComplete(TABLE, VECTOR, until);
    }
}
