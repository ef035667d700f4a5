package io.wherry.bench;

import static org.assertj.core.api.Assertions.assertThat;

import io.wherry.rehearsal.fixture.EveryThirdDay;
import java.nio.file.Path;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** {@code wherry bench rebuild} with few rows. */
@EveryThirdDay(0)
@Tag("embedded-only")
class RebuildBenchTest {
    @Test
    void aRebuildIsMeasuredBesideTheFirstLoad(@TempDir Path directory) throws Exception {
        SmallBench bench = SmallBench.run(directory, "rebuild", "--rows=20000", "--rounds=1");
        assertThat(bench.figure("rebuild / first load, with their start")).isPositive();
        assertThat(bench.figure("of the rebuild's time, load")).isPositive();
        assertThat(bench.runs("first load")).hasSize(1);
        assertThat(bench.report().path("comparisons").asInt()).isEqualTo(4);
    }
}
