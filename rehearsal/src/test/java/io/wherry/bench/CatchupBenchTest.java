package io.wherry.bench;

import static org.assertj.core.api.Assertions.assertThat;

import io.wherry.rehearsal.fixture.EveryThirdDay;
import java.nio.file.Path;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** {@code wherry bench catchup} with few changes. A mixture holds inserts; the bench of the witness has updates. */
@EveryThirdDay(2)
@Tag("embedded-only")
class CatchupBenchTest {
    @ParameterizedTest
    @ValueSource(strings = {"mixed", "tpcb"})
    void aBacklogIsMeasuredBesideNativeReplication(String kind, @TempDir Path directory) throws Exception {
        SmallBench bench =
                SmallBench.run(directory, "catchup", "--kind=" + kind, "--rows=2000", "--changes=6000", "--rounds=1");
        assertThat(bench.figure("changes/s, Wherry / native")).isPositive();
        assertThat(bench.figure("CPU of Wherry, broker and registry a million changes"))
                .isPositive();
        assertThat(bench.runs("native logical replication")).hasSize(1);
        assertThat(bench.runs("Wherry").get(0).path("rows").asLong()).isGreaterThanOrEqualTo(6_000);
    }
}
