package io.wherry.coordinator.machine;

import static org.assertj.core.api.Assertions.assertThat;

import io.wherry.contract.config.Migration.Cutover;
import io.wherry.contract.config.Migration.FenceMode;
import io.wherry.contract.config.Migration.Switch;
import io.wherry.contract.postgres.Lsn;
import io.wherry.coordinator.watch.Drain;
import io.wherry.coordinator.watch.Lag;
import io.wherry.coordinator.watch.Latencies;
import io.wherry.coordinator.watch.Observation.HeartbeatArrived;
import io.wherry.coordinator.watch.Observation.HeartbeatEmitted;
import io.wherry.coordinator.watch.Observation.Positioned;
import io.wherry.coordinator.watch.Observation.Slot;
import java.time.Duration;
import java.util.Map;
import java.util.Optional;
import org.apache.kafka.common.TopicPartition;
import org.junit.jupiter.api.Test;

final class LagTest {
    private static final TopicPartition A = new TopicPartition("a", 0);
    private static final TopicPartition B = new TopicPartition("b", 0);
    private static final Slot SLOT = new Slot(7L, true, null, null, null);

    private final Latencies latencies = new Latencies();
    private final LagFacts lags = new LagFacts(latencies);
    private final Gate gate = new Gate(new Cutover(
            Duration.ofSeconds(2),
            Duration.ofSeconds(5),
            Duration.ofSeconds(10),
            FenceMode.NO_LOGIN,
            new Switch.None()));

    @Test
    void drainedMeansEveryPartitionAtOrPastItsEnd() {
        assertThat(Drain.drained(Map.of(A, 5L, B, 0L), Map.of(A, 5L, B, 0L))).isTrue();
        assertThat(Drain.drained(Map.of(A, 5L, B, 0L), Map.of(A, 4L, B, 9L))).isFalse();
        assertThat(Drain.drained(Map.of(A, 5L, B, 0L), Map.of(A, 5L))).isFalse();
        assertThat(Drain.behind(Map.of(A, 5L, B, 3L), Map.of(A, 4L, B, 9L))).isEqualTo(1);
        assertThat(Drain.behind(Map.of(A, 5L, B, 3L), Map.of(A, 4L))).isNull();
    }

    /** pgdog#1121. Seen to fail when an unknown lag counted as low. */
    @Test
    void unknownLagIsNeverInSync() {
        assertThat(Lag.UNKNOWN.under(Duration.ofDays(1))).isFalse();
        gate.look(lags.lag(100_000), Optional.empty(), 0);
        gate.look(lags.lag(100_000), Optional.empty(), 60_000);
        assertThat(gate.stable(60_000)).isFalse();
        assertThat(lags.lag(100_000)).isEqualTo(Lag.UNKNOWN);
    }

    @Test
    void lagGrowsWhenNothingArrivesAnyMore() {
        lags.see(new HeartbeatEmitted(new Lsn(10), 1_000, SLOT));
        lags.see(new Positioned(new Lsn(11), 1_030));
        lags.see(new HeartbeatArrived(Lsn.ZERO, 1_000, 50));
        assertThat(lags.lag(1_100)).isEqualTo(new Lag(7L, 30L, null, 50L, 100L));
        lags.see(new HeartbeatEmitted(new Lsn(20), 2_000, SLOT));
        assertThat(lags.lag(2_500)).isEqualTo(new Lag(7L, 500L, null, 500L, 1_500L));
        assertThat(lags.lag(9_000).endToEndMillis()).isEqualTo(7_000);
        assertThat(lags.lag(90_000).slotBytes()).isNull();
    }

    @Test
    void oneBadMomentBeginsTheWaitAnew() {
        Lag low = new Lag(0L, 0L, 0L, 100L, 0L);
        gate.look(low, Optional.empty(), 0);
        gate.look(low, Optional.empty(), 5_000);
        assertThat(gate.stable(5_000)).isTrue();
        gate.look(new Lag(0L, 0L, 0L, 2_000L, 0L), Optional.empty(), 6_000);
        assertThat(gate.good()).isFalse();
        gate.look(low, Optional.empty(), 7_000);
        assertThat(gate.stable(11_000)).isFalse();
        gate.look(low, Optional.of("public.a: stopped"), 12_000);
        assertThat(gate.good()).isFalse();
        assertThat(gate.obstacle()).contains("stopped");
    }

    @Test
    void percentiles() {
        assertThat(latencies.percentile(0.5)).isEmpty();
        for (int i = 1; i <= 100; i++) {
            latencies.add(i);
        }
        assertThat(latencies.percentile(0.5)).hasValue(50);
        assertThat(latencies.percentile(0.99)).hasValue(99);
    }
}
