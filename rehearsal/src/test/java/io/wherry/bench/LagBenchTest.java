package io.wherry.bench;

import static org.assertj.core.api.Assertions.assertThat;

import io.wherry.rehearsal.fixture.EveryThirdDay;
import java.nio.file.Path;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** {@code wherry bench lag} with few transactions. */
@EveryThirdDay(0)
@Tag("embedded-only")
class LagBenchTest {
    @Test
    void theLagIsMeasuredBesideNativeReplication(@TempDir Path directory) throws Exception {
        SmallBench bench = SmallBench.run(
                directory, "lag", "--rate=100", "--seconds=3", "--warm-up=1", "--idle=1", "--rows=1000", "--rounds=1");
        assertThat(bench.figure("lag, median")).isPositive();
        assertThat(bench.figure("lag, 99 % below")).isGreaterThanOrEqualTo(bench.figure("lag, median"));
        assertThat(bench.figure("beside Wherry / beside native")).isPositive();
        assertThat(bench.runs("native logical replication")).hasSize(1);
        assertThat(bench.runs("Wherry")
                        .get(0)
                        .path("more")
                        .path("Kafka transactions/s")
                        .asDouble())
                .isPositive();
    }

    @Test
    void percentilesAreTimesThatOccurred() {
        long[] nanos = new long[200];
        for (int i = 0; i < nanos.length; i++) {
            nanos[i] = (200 - i) * 1_000_000L;
        }
        assertThat(LagBench.Percentiles.of(nanos)).isEqualTo(new LagBench.Percentiles(100, 198, 200));
    }
}
