package io.wherry.coordinator.watch;

import static org.assertj.core.api.Assertions.assertThat;

import io.wherry.contract.name.TableId;
import io.wherry.contract.record.LoadPlan;
import java.util.HashMap;
import java.util.Map;
import org.apache.kafka.common.TopicPartition;
import org.junit.jupiter.api.Test;

final class TableLagsTest {
    private static final TableId ORDERS = new TableId("public", "orders");
    private static final TopicPartition FIRST = new TopicPartition("t", 0);
    private static final TopicPartition SECOND = new TopicPartition("t", 1);

    private final TableLags lags = new TableLags();
    private final Map<TopicPartition, Long> ends = new HashMap<>(Map.of(FIRST, 0L, SECOND, 0L));
    private final Map<TopicPartition, Long> checkpoints = new HashMap<>(Map.of(FIRST, 0L, SECOND, 0L));

    @Test
    void whatIsAppliedHasNoAge() {
        assertThat(see(0)).isEqualTo(new TableLag(0L, 0L, false, null, null));
        ends.put(FIRST, 10L);
        checkpoints.put(FIRST, 10L);
        assertThat(see(1)).isEqualTo(new TableLag(0L, 0L, false, null, null));
    }

    @Test
    void theAgeCountsFromTheTimeWhenTheEndPassedTheCheckpoint() {
        see(0);
        ends.put(SECOND, 5L);
        see(20);
        ends.put(SECOND, 9L);
        see(30);
        assertThat(see(50)).extracting(TableLag::records, TableLag::seconds).containsExactly(9L, 50L);
        checkpoints.put(SECOND, 5L);
        // The end was last seen at 5 at the time 20.
        assertThat(see(60)).extracting(TableLag::records, TableLag::seconds).containsExactly(4L, 40L);
        assertThat(see(60).over()).isFalse();
    }

    @Test
    void anAgeBeforeTheHistoryIsOverWhatIsKnownAndAtFirstUnknown() {
        ends.put(FIRST, 7L);
        assertThat(see(0)).isEqualTo(new TableLag(7L, null, false, null, null));
        assertThat(see(40)).extracting(TableLag::seconds, TableLag::over).containsExactly(40L, true);
        checkpoints.put(FIRST, 7L);
        assertThat(see(41)).extracting(TableLag::seconds, TableLag::over).containsExactly(0L, false);
    }

    @Test
    void withoutACheckpointOrAnEndAllIsUnknown() {
        checkpoints.remove(SECOND);
        assertThat(see(0)).isEqualTo(TableLag.UNKNOWN);
        checkpoints.put(SECOND, 0L);
        ends.remove(FIRST);
        assertThat(see(1)).isEqualTo(TableLag.UNKNOWN);
    }

    @Test
    void theTrendIsTheSlopeUnlessTheLagOnlyGoesUpAndDown() {
        for (int i = 0; i <= 60; i++) {
            ends.put(FIRST, 100L * i);
            see(i);
        }
        assertThat(see(61))
                .extracting(TableLag::trend, TableLag::recordsPerSecond)
                .containsExactly("GROWING", 100.0);
        for (int i = 62; i <= 240; i++) {
            checkpoints.put(FIRST, 20L * i);
            see(i);
        }
        assertThat(see(241))
                .extracting(TableLag::trend, TableLag::recordsPerSecond)
                .containsExactly("SHRINKING", -20.0);
        for (int i = 250; i <= 400; i += 5) {
            ends.put(FIRST, 6_000L + (i % 10 == 0 ? 500 : 0) + i);
            checkpoints.put(FIRST, 6_000L + i);
            see(i);
        }
        assertThat(see(401).trend()).isEqualTo("STEADY");
    }

    @Test
    void aPartitionThatStandsForDaysKeepsFewEntriesAndItsAge() {
        EndHistory history = new EndHistory();
        history.see(0, 0, 0);
        for (int second = 1; second <= 200_000; second++) {
            history.see(second, 0, second * 1_000L);
            assertThat(history.size()).isLessThanOrEqualTo(EndHistory.KEPT);
        }
        assertThat(history.age(0, 200_000_000L)).isEqualTo(new EndHistory.Age(200_000_000L, false));
        // Coarser, and never less than the truth.
        assertThat(history.age(100_000, 200_000_000L).millis()).isBetween(100_000_000L, 200_000_000L);
    }

    private TableLag see(long second) {
        LoadPlan.Table planned = new LoadPlan.Table(ORDERS, "t", 2, 1, -1, 0);
        return lags.see(Map.of(ORDERS, planned), ends, checkpoints, second * 1_000)
                .get(ORDERS);
    }
}
