package io.wherry.bench;

import static org.assertj.core.api.Assertions.assertThat;

import io.wherry.rehearsal.fixture.EveryThirdDay;
import java.nio.file.Path;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** {@code wherry bench witness} with few rows. */
@EveryThirdDay(1)
@Tag("embedded-only")
class WitnessBenchTest {
    @Test
    void theWitnessAndAPassAreMeasuredBesideTheirAbsence(@TempDir Path directory) throws Exception {
        SmallBench bench = SmallBench.run(
                directory, "witness", "--rate=2000", "--seconds=3", "--rows=20000", "--changes=40000", "--rounds=1");
        assertThat(bench.figure("log kept for the witness at most")).isPositive();
        assertThat(bench.figure("CPU of the source, witness on / off")).isPositive();
        assertThat(bench.figure("with a pass / without")).isPositive();
        assertThat(bench.runs("witness on").get(0).path("more").path("rows/s").asDouble())
                .isPositive();
        assertThat(bench.runs("with a pass")
                        .get(0)
                        .path("more")
                        .path("rows compared")
                        .asDouble())
                .isPositive();
    }
}
