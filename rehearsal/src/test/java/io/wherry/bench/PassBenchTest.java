package io.wherry.bench;

import static org.assertj.core.api.Assertions.assertThat;

import java.nio.file.Path;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** {@code wherry bench pass} with few rows. */
@Tag("embedded-only")
class PassBenchTest {
    @Test
    void aPassIsMeasuredBesideWhatElseReadsAllRows(@TempDir Path directory) throws Exception {
        SmallBench bench = SmallBench.run(
                directory, "pass", "--rows=50000", "--wide-rows=2000", "--rounds=1", "--source-version=10");
        assertThat(bench.figure("rows/s of one side, pass / pg_dump")).isPositive();
        assertThat(bench.figure("CPU a row and side, pass / md5 aggregate, no parallel workers"))
                .isPositive();
        assertThat(bench.report().path("runs")).hasSize(2 * 6);
        // Its backend has ended when the run ends.
        assertThat(bench.cpu("pg_dump --data-only", "source")).isPositive();
        assertThat(bench.cpu("pg_dump --data-only", Cpu.TOOLS)).isPositive();
        assertThat(bench.cpu("pass of the proof", "target")).isPositive();
    }
}
