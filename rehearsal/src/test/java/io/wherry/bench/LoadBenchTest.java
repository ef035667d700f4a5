package io.wherry.bench;

import static org.assertj.core.api.Assertions.assertThat;

import io.wherry.rehearsal.fixture.EveryThirdDay;
import java.nio.file.Path;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** {@code wherry bench load} with few rows. */
@EveryThirdDay(2)
@Tag("embedded-only")
class LoadBenchTest {
    @Test
    void aLoadIsMeasuredBesideAPipeAndANativeCopy(@TempDir Path directory) throws Exception {
        SmallBench bench = SmallBench.run(directory, "load", "--rows=20000", "--rounds=1");
        assertThat(bench.figure("Wherry with its start / the better of both")).isPositive();
        assertThat(bench.runs("pg_dump to pg_restore")).hasSize(1);
        assertThat(bench.runs("native copy")).hasSize(1);
        assertThat(bench.report().path("comparisons").asInt()).isEqualTo(4);
    }
}
